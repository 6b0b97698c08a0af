// What is set up once: webhooks with their deliveries, and the catalog.
import { createServer } from "node:http";
import { expect, test } from "./hygiene.mjs";
import * as api from "./api.mjs";
import { keys } from "./env.mjs";
import { action, changing, enter, field, NAVIGATION, region, row, signIn, storedKey } from "./pages.mjs";

/** A receiver of webhooks that answers with a status, which can be changed; what it was sent. */
async function receiving(use) {
  const receiver = { status: 500, got: [] };
  const server = createServer(async (request, response) => {
    let text = "";
    for await (const part of request) {
      text += part;
    }
    receiver.got.push({ id: request.headers["webhook-id"], signature: request.headers["webhook-signature"], text });
    response.writeHead(receiver.status);
    response.end();
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  receiver.url = `http://127.0.0.1:${server.address().port}/hook`;
  try {
    await use(receiver);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

test("a webhook is made, tested, disabled, enabled and deleted", async ({ page, hygiene }, { project }) => {
  test.skip(project.name === "nodes", "no process there delivers");
  hygiene.expects(/422/);
  await receiving(async (receiver) => {
    await signIn(page, keys.owner, NAVIGATION.Webhooks);
    await enter(page, "URL", receiver.url);
    await enter(page, "Events", "KeyRevoked");
    await changing(page, () => action(page, "Create webhook").click());
    expect(await field(page, "Key").inputValue()).toMatch(/^whsec_/);
    await storedKey(page);
    await expect(page).toHaveURL(/\/console\/webhooks/);
    const listed = row(page.getByRole("group", { name: "Webhooks", exact: true }), receiver.url);
    await expect(listed).toContainText("KeyRevoked");
    await listed.getByRole("button", { name: /^Test\b/ }).click();
    await expect(page.getByRole("alert")).toContainText("Test: answered 500");
    receiver.status = 204;
    await listed.getByRole("button", { name: /^Test\b/ }).click();
    await expect(page.getByRole("status")).toContainText("Test: delivered");
    expect(receiver.got.length).toBe(2);
    expect(receiver.got.every((one) => one.id && one.signature)).toBe(true);
    await changing(page, () => listed.getByRole("button", { name: /^Disable\b/ }).click());
    await expect(listed).toContainText("disabled");
    await changing(page, () => listed.getByRole("button", { name: /^Enable\b/ }).click());
    await expect(listed).not.toContainText("disabled");
    receiver.status = 500;
    const token = await api.body(api.post("/v1/tokens", keys.owner, { name: `hooked-${project.name}` }), 201);
    const key = await api.body(api.post(`/v1/tokens/${token.id}/keys`, keys.owner, {}), 201);
    await api.body(api.remove(`/v1/keys/${key.id}`, keys.owner));
    const shows = (text) => expect.poll(async () => {
      await page.goto(NAVIGATION.Webhooks);
      return page.getByRole("main").innerText();
    }).toMatch(text);
    await shows(/failing since .*next attempt at/);
    await shows(/Dead letters[^]*KeyRevoked[^]*answered 500/);
    receiver.status = 204;
    const given = row(page.getByRole("group", { name: "Dead letters", exact: true }), receiver.url);
    await given.getByRole("button", { name: /^Retry KeyRevoked\b/ }).click();
    await expect(page.getByRole("status")).toContainText("Retry: delivered");
    expect(receiver.got.at(-1).text).toContain(key.id);
    await expect(given).toHaveCount(0);
    await changing(page, () => listed.getByRole("button", { name: /^Delete\b/ }).click());
    await expect(listed).toHaveCount(0);
  });
});

test("a webhook to nowhere is refused, and what was typed is kept", async ({ page, hygiene }) => {
  hygiene.expects(/422/);
  await signIn(page, keys.owner, NAVIGATION.Webhooks);
  await enter(page, "URL", "http://127.0.0.1:1/hook");
  await enter(page, "Events", "NoSuchEvent");
  await action(page, "Create webhook").click();
  await expect(page.getByRole("alert")).toContainText("NoSuchEvent");
  await expect(field(page, "URL")).toHaveValue("http://127.0.0.1:1/hook");
  await expect(field(page, "Events")).toHaveValue("NoSuchEvent");
});

test("the catalog gets a permission and a type, and says what is wrong with others", async ({ page, hygiene }, { project }) => {
  hygiene.expects(/422/);
  const suffix = project.name.replace("-", "_");
  await signIn(page, keys.owner, NAVIGATION.Settings);
  const catalog = region(page, "Catalog");
  await enter(catalog, "New permissions", "Not A Name!");
  await action(catalog, "Extend catalog").click();
  await expect(page.getByRole("alert")).toContainText(/^permissions: /);
  await expect(field(region(page, "Catalog"), "New permissions"), "what was typed is kept").toHaveValue("Not A Name!");
  await enter(region(page, "Catalog"), "New permissions", `deploy_${suffix}`);
  await enter(region(page, "Catalog"), "New object types", `model_${suffix}:project`);
  await changing(page, () => action(region(page, "Catalog"), "Extend catalog").click());
  await expect(catalog).toContainText(`deploy_${suffix}`);
  await expect(catalog).toContainText(`model_${suffix}`);
  const known = await api.body(api.get("/v1/catalog", keys.owner));
  expect(known.permissions).toContain(`deploy_${suffix}`);
});
