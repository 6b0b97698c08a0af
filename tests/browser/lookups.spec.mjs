// What pages look up beside their lists: the projects of a grant, the days of the audit log, the nodes.
import { expect, test } from "./hygiene.mjs";
import * as api from "./api.mjs";
import { bases, keys } from "./env.mjs";
import { action, field, NAVIGATION, region, signIn } from "./pages.mjs";

test("a grant says which projects it covers now", async ({ page, javaScriptEnabled }, { project }) => {
  const [name, label] = [`covering ${project.name}`, `covered-${project.name}`];
  const made = async (number) =>
    api.body(api.post("/v1/projects", keys.owner, { name: `${label}-${number}`, labels: { team: label } }), 201);
  await made(1);
  const group = await api.body(api.post("/v1/groups", keys.owner, { name }), 201);
  const on = { projects: { include: [{ label: { team: label } }] } };
  await api.body(api.post("/v1/grants", keys.owner, { to: { type: "group", id: group.id }, role: "Viewer", on }), 201);
  await signIn(page, keys.owner, `/console/groups/${group.id}`);
  const permissions = region(page, "Permissions");
  await permissions.getByText("Projects today").click();
  if (javaScriptEnabled === false) {
    await permissions.getByRole("link", { name: "Show them" }).click();
  }
  const one = page.getByRole("main").getByRole("link", { name: `${label}-1`, exact: true });
  await expect(one).toBeVisible();
  await one.click();
  await expect(page.getByRole("heading", { level: 1, name: `${label}-1` })).toBeVisible();

  // What is made to fit is covered at once; the list of everything goes on.
  for (let number = 2; number <= 60; number += 1) {
    await made(number);
  }
  await page.goto(`/console/groups/${group.id}`);
  await permissions.getByText("Projects today").click();
  await permissions.getByRole("link", { name: javaScriptEnabled === false ? "Show them" : "Show all" }).click();
  await expect(page.getByRole("main").getByRole("link", { name: /^covered-/ })).toHaveCount(50);
  await action(page, "Next").click();
  await expect(page.getByRole("main").getByRole("link", { name: /^covered-/ })).toHaveCount(10);
});

test("the audit log goes up to the day that the slider chooses", async ({ page }) => {
  await signIn(page, keys.owner, `${NAVIGATION.Audit}?event=OrganizationCreated`);
  await expect(page.getByRole("img", { name: /^Records a day from \d{4}-\d\d-\d\d to / })).toBeVisible();
  const records = page.getByRole("table", { name: "Records", exact: true });
  await expect(records).toContainText("OrganizationCreated");
  const slider = page.getByRole("slider", { name: "Up to the day" });
  await slider.fill(await slider.getAttribute("max"));
  await action(page, "Show").click();
  const { searchParams } = new URL(page.url());
  expect(searchParams.get("event"), "other filters stay").toBe("OrganizationCreated");
  // The end of that day, and all that was before it.
  await expect(field(page, "To")).toHaveValue(/^\d{4}-\d\d-\d\d$/);
  await expect(records).toContainText("OrganizationCreated");
  await page.getByRole("link", { name: "Ask as of this day" }).click();
  await expect(field(page, "As of")).toHaveValue(/^\d{4}-\d\d-\d\d$/);
  // A day before there was anything.
  await page.goto(`${NAVIGATION.Audit}?to=2020-01-01`);
  await expect(page.getByRole("main")).toContainText("No record matches.");
});

test("the live page lists the nodes, where they are and what they hold", async ({ page }) => {
  for (const at of bases()) {
    const listed = async () => {
      await (page.url().startsWith(at) ? page.reload() : visitLive(page, at));
      return page.getByRole("table", { name: "Nodes", exact: true }).getByRole("row").count();
    };
    // Nodes hear of each other every ten seconds.
    await expect.poll(listed, { timeout: 60_000 }).toBe(1 + bases().length);
    const rows = page.getByRole("table", { name: "Nodes", exact: true }).getByRole("row");
    await expect(rows.nth(1)).toContainText("this node");
    await expect(rows.nth(1)).toContainText("running");
    await expect(rows.nth(1)).toContainText(/\d+ frames?/);
  }
});

async function visitLive(page, at) {
  await page.goto(`${at}${NAVIGATION.Live}`);
  if (new URL(page.url()).pathname !== NAVIGATION.Live) {
    await signIn(page, keys.owner, NAVIGATION.Live, at);
  }
}
