// The pages as people use them: everything is found by role and accessible name, so that the names in use stand here once.
import { expect } from "./packages.mjs";

export const NAVIGATION = {
  "Service tokens": "/console/tokens",
  "Permission groups": "/console/groups",
  Roles: "/console/roles",
  Grants: "/console/grants",
  People: "/console/people",
  Projects: "/console/projects",
  Ask: "/console/ask",
  Audit: "/console/audit",
  Live: "/console/live",
  Webhooks: "/console/webhooks",
  Settings: "/console/settings",
};
export const SIGN_IN = /\/console\/sign-in(\?|$)/;

/** A button or a link, as the contract leaves open which. */
export function action(scope, name) {
  const one = { name, exact: true };
  return scope.getByRole("button", one).or(scope.getByRole("link", one)).filter({ visible: true }).first();
}

export const heading = (scope, name) => scope.getByRole("heading", { name, exact: true });
export const region = (page, name) => page.getByRole("region", { name, exact: true });
export const row = (scope, text) => scope.getByRole("row").filter({ hasText: text });
export const field = (scope, name) => scope.getByLabel(name, { exact: true }).filter({ visible: true }).first();

/** Fills a field, or picks the option of that name in a list. */
export async function enter(scope, name, value) {
  const place = field(scope, name);
  if ((await place.evaluate((element) => element.tagName)) === "SELECT") {
    await place.selectOption({ label: value });
  } else {
    await place.fill(value);
  }
}

/** The position that the server of this page has reached. */
export async function reached(page) {
  const ready = await page.request.get(new URL("/readyz", page.url()).href);
  return (await ready.json()).position;
}

/** The position that a status on the page names; nothing while there is none. */
async function shownPosition(page) {
  const texts = await page.getByRole("status").allInnerTexts().catch(() => []);
  return texts.map((text) => text.match(/\bposition\s+([\w-]+)/)?.[1]).find(Boolean) ?? "";
}

/** Does something that changes state, and waits until the page shows the position of its record; that position. */
export async function changing(page, act) {
  const [before, shown] = [await reached(page), await shownPosition(page)];
  await act();
  const isNew = async () => ![before, shown, ""].includes(await shownPosition(page));
  await expect.poll(isNew, { message: "a status with the position" }).toBe(true);
  return shownPosition(page);
}

export async function fillSignIn(page, key) {
  await field(page, "Key").fill(key);
  await action(page, "Sign in").click();
}

/** Goes to a page as somebody, through the sign-in page. */
export async function signIn(page, key, path = "/console", base = "") {
  await page.goto(base + path);
  await expect(page).toHaveURL(SIGN_IN);
  await fillSignIn(page, key);
  await expect(page).not.toHaveURL(SIGN_IN);
  await expect(action(page, "Sign out")).toBeVisible();
}

export async function visit(page, name) {
  await page.getByRole("navigation").getByRole("link", { name, exact: true }).click();
  await expect(page).toHaveURL(new RegExp(`${NAVIGATION[name]}(\\?|$)`));
}

/** Narrows a list to what has this in its name. */
export async function search(page, part) {
  await field(page, "Search").fill(part);
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(/[?&]search=/);
}

/** Opens one thing from its list. */
export async function open(page, list, name) {
  await visit(page, list);
  await search(page, name);
  await page.getByRole("main").getByRole("link", { name, exact: true }).click();
  await expect(page.getByRole("heading", { level: 1, name })).toBeVisible();
}

export async function createProject(page, name, labels = "") {
  await visit(page, "Projects");
  await action(page, "Create project").click();
  await enter(page, "Name", name);
  await enter(page, "Labels", labels);
  await changing(page, () => action(page, "Create").click());
}

export async function createGroup(page, name, description) {
  await visit(page, "Permission groups");
  await action(page, "Create permission group").click();
  await enter(page, "Name", name);
  await enter(page, "Description", description);
  await changing(page, () => action(page, "Create").click());
  await expect(page.getByRole("heading", { level: 1, name })).toBeVisible();
}

/** Shows what would change, and makes it so. */
export async function reviewAndApply(page) {
  await action(page, "Review changes").click();
  await expect(heading(page, "Plan")).toBeVisible();
  await changing(page, () => action(page, "Apply").click());
}

/** On a group's page: a role on all projects but some. */
export async function addGrant(page, role, except) {
  await action(page, "Add grant").click();
  await enter(page, "Role", role);
  await enter(page, "Projects", "all");
  await enter(page, "Except", except);
  await reviewAndApply(page);
}

export async function addMember(page, member) {
  await action(page, "Add member").click();
  await enter(page, "Member", member);
  await reviewAndApply(page);
}

export async function removeMember(page, name) {
  await row(region(page, "Members"), name).getByRole("button", { name: /^Remove\b/ }).click();
  await expect(heading(page, "Plan")).toBeVisible();
  await changing(page, () => action(page, "Apply").click());
}

/** Makes a service token in a group; the preview must be there before. The key. */
export async function createToken(page, { name, group, reaches, scripted }) {
  await visit(page, "Service tokens");
  await action(page, "Create service token").click();
  await enter(page, "Name", name);
  await enter(page, "Description", `made by the suite for ${group}`);
  await expect(heading(page, "Effective access")).toBeVisible();
  await page.getByRole("checkbox", { name: group, exact: true }).check();
  if (!scripted) {
    await action(page, "Preview").click();
    await expect(page.getByRole("checkbox", { name: group, exact: true })).toBeChecked();
    await expect(field(page, "Name"), "what was typed is kept").toHaveValue(name);
  }
  await expect(region(page, "Effective access")).toContainText(reaches);
  await changing(page, () => action(page, "Create").click());
  return keyShown(page);
}

/** Reads the key that is shown once, and closes it. */
export async function keyShown(page) {
  await expect(field(page, "Key")).not.toBeEditable();
  const key = await field(page, "Key").inputValue();
  expect(key).toMatch(/^gb_/);
  return key;
}

export async function storedKey(page) {
  const stored = page.getByRole("checkbox", { name: "I stored this key", exact: true });
  await action(page, "Done").click();
  await expect(stored, "not before it is stored").toBeVisible();
  await stored.check();
  await action(page, "Done").click();
  await expect(stored).toBeHidden();
}

/** Asks; `Allowed` or `Denied`. */
export async function ask(page, principal, permission, object) {
  await visit(page, "Ask");
  await enter(page, "Principal", principal);
  await enter(page, "Permission", permission);
  await enter(page, "Object", object);
  // The navigation has a link of that name.
  await page.getByRole("main").getByRole("button", { name: "Ask", exact: true }).click();
  const answer = page.getByRole("status").filter({ hasText: /^\s*(Allowed|Denied)\b/ });
  await expect(answer).toBeVisible();
  await expect(page.getByRole("main")).toContainText(object.split(":").at(-1));
  return (await answer.innerText()).trim().match(/^\w+/)[0];
}

/** The form that a button sends: address and fields. */
export function formOf(button) {
  return button.evaluate((element) => {
    const data = new FormData(element.form);
    if (element.name) {
      data.append(element.name, element.value);
    }
    return {
      method: (element.getAttribute("formmethod") ?? element.form.method).toLowerCase(),
      url: element.getAttribute("formaction") ? element.formAction : element.form.action,
      fields: Object.fromEntries([...data].map(([name, value]) => [name, String(value)])),
    };
  });
}
