// Golden files: what assistive technology is told about the main pages, and what each page shows to whom. On a server where nothing
// was made but what tests/harness/browser makes. `make golden` accepts changes.
import { expect, REFUSED, test } from "./hygiene.mjs";
import * as api from "./api.mjs";
import { base, keys } from "./env.mjs";
import { action, formOf, heading, NAVIGATION, reached, signIn } from "./pages.mjs";

/** Pages whose rows grow with every sign-in. */
const GROWING = ["Settings", "Audit", "Live", "a person"];
const PEOPLE = ["owner", "engineer", "viewer", "manager", "stranger"];

/** Names of links behind which there is a form. */
const OPENING = /^(Create|Add|Issue|Edit|Rename|Register)\b/;

/** Replaces what differs from run to run. */
function masked(text) {
  return text
    .replaceAll(base(), "BASE")
    .replaceAll(new URL(base()).host, "HOST")
    .replace(/\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/g, "ID")
    .replace(/\bgb_\w+/g, "KEY")
    .replace(/\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z| UTC)?)?/g, "TIME")
    .replace(/\b\d+ ?(ms|s|min|h|d|seconds?|minutes?|hours?|days?)\b( ago)?/g, "AGE")
    .replace(/\bposition [\w-]{22}/g, "position N")
    .replace(/\b[\w-]{22}\b/g, "POSITION");
}

/** The id of what has this name. */
async function idOf(list, name) {
  const found = (await api.all(list, keys.owner)).find((one) => one.name === name || one.email === name);
  return found.id;
}

for (const [name, list] of [
  ["tokens", "/console/tokens"], ["groups", "/console/groups"], ["projects", "/console/projects"], ["people", "/console/people"],
  ["roles", "/console/roles"], ["ask", "/console/ask"],
]) {
  test(`what is read out of ${name}`, async ({ page }) => {
    await signIn(page, keys.owner, list);
    expect(masked(await page.getByRole("main").ariaSnapshot())).toMatchSnapshot(`aria-${name}.txt`);
  });
}

test("what is read out of the navigation and of the sign-in page", async ({ page }) => {
  await page.goto("/console/sign-in");
  expect(masked(await page.locator("body").ariaSnapshot())).toMatchSnapshot("aria-sign-in.txt");
  await signIn(page, keys.owner);
  expect(masked(await page.getByRole("navigation").first().ariaSnapshot())).toMatchSnapshot("aria-navigation.txt");
});

test("what is read out of a group, a token and the form of a new one", async ({ page }) => {
  await signIn(page, keys.owner, `/console/groups/${await idOf("/v1/groups", "team")}`);
  expect(masked(await page.getByRole("main").ariaSnapshot())).toMatchSnapshot("aria-group.txt");
  await page.goto(`/console/tokens/${await idOf("/v1/tokens", "robot")}`);
  expect(masked(await page.getByRole("main").ariaSnapshot())).toMatchSnapshot("aria-token.txt");
  await page.goto("/console/tokens");
  await action(page, "Create service token").click();
  await expect(heading(page, "Effective access")).toBeVisible();
  expect(masked(await page.getByRole("main").ariaSnapshot())).toMatchSnapshot("aria-create-token.txt");
});

/** All pages, and one page of each kind. */
async function paths() {
  return {
    ...NAVIGATION,
    "a token": `/console/tokens/${await idOf("/v1/tokens", "robot")}`,
    "a group": `/console/groups/${await idOf("/v1/groups", "team")}`,
    "a project": `/console/projects/${await idOf("/v1/projects", "production")}`,
    "a person": `/console/people/${await idOf("/v1/users", "viewer@example.com")}`,
  };
}

async function texts(page, role) {
  const all = await page.getByRole("main").getByRole(role).filter({ visible: true }).allInnerTexts();
  return [...new Set(all.map((text) => masked(text.replace(/\s+/g, " ").trim())))].join(", ");
}

async function shows(page, name, path) {
  const answer = await page.goto(path);
  if (!answer.ok()) {
    return [`    ${answer.status()}`];
  }
  const rows = await page.getByRole("main").getByRole("row").count();
  const opening = await page.getByRole("main").getByRole("link", { name: OPENING }).allInnerTexts();
  const parts = [["headings", await texts(page, "heading")], ["opens", opening.join(", ")], ["buttons", await texts(page, "button")], ["rows", GROWING.includes(name) ? "-" : `${rows}`]];
  return parts.map(([what, text]) => `    ${what}: ${text}`.trimEnd());
}

test("what each page shows to whom", async ({ another, hygiene }) => {
  test.setTimeout(240_000);
  hygiene.expects(REFUSED);
  const [lines, all] = [[], Object.entries(await paths())];
  for (const who of PEOPLE) {
    const page = await another();
    await signIn(page, keys[who], "/console", base());
    for (const [name, path] of all) {
      lines.push(`${who} / ${name}`, ...(await shows(page, name, path)));
    }
  }
  expect(`${lines.join("\n")}\n`).toMatchSnapshot("who-sees-what.txt");
});

/** Every form of a page, and of those that it opens, that changes something: as it would be sent. */
async function forms(page, path) {
  await page.goto(path);
  const found = await formsHere(page);
  const links = page.getByRole("main").getByRole("link", { name: OPENING });
  const opened = await links.evaluateAll((all) => all.map((link) => link.href));
  for (const url of opened) {
    await page.goto(url);
    found.push(...(await formsHere(page)));
  }
  return found;
}

async function formsHere(page) {
  const found = [];
  for (const button of await page.getByRole("main").getByRole("button").all()) {
    const sends = await button.evaluate((element) => Boolean(element.form) && element.type === "submit");
    const form = sends ? await formOf(button) : null;
    if (form?.method === "post" && !/\/(ask|sign-in|sign-out|sessions|preview)\b/.test(form.url)) {
      found.push(form);
    }
  }
  return found;
}

test("an action that is hidden from somebody is refused when it is posted by hand", async ({ another, hygiene }) => {
  test.setTimeout(240_000);
  hygiene.expects(REFUSED);
  const owner = await another();
  await signIn(owner, keys.owner, "/console", base());
  const [all, filled] = [Object.values(await paths()), []];
  for (const path of all) {
    filled.push(...(await forms(owner, path)));
  }
  expect(filled.length, "an Owner finds forms").toBeGreaterThan(5);
  for (const who of ["viewer", "stranger"]) {
    const page = await another();
    await signIn(page, keys[who], "/console", base());
    const own = [];
    for (const path of all) {
      own.push(...(await forms(page, path)).map(({ url }) => url));
    }
    const before = await reached(owner);
    const hidden = filled.filter((form) => !own.includes(form.url));
    expect(hidden.length, `some forms are hidden from the ${who}`).toBeGreaterThan(0);
    for (const { url, fields } of hidden) {
      const form = { ...fields, name: fields.name || "by hand" };
      const headers = { "sec-fetch-site": "same-origin", origin: base() };
      const answer = await page.request.post(url, { form, headers, maxRedirects: 0 });
      expect(answer.status(), `${who}: ${url}`).toBeGreaterThanOrEqual(400);
      expect(answer.status(), `${who}: ${url}`).toBeLessThan(500);
    }
    expect(await reached(owner), `${who} changed nothing`).toBe(before);
  }
});
