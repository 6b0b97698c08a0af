// What pages look like in numbers: narrow, dark, light, in print, by keyboard alone.
import { axeClean, expect, test } from "./hygiene.mjs";
import * as api from "./api.mjs";
import { keys } from "./env.mjs";
import { action, changing, createGroup, field, heading, NAVIGATION, search, signIn } from "./pages.mjs";

const NARROW = { width: 360, height: 740 };
const LONG = "W".repeat(120);

/** How many pixels the page is wider than its window, and what sticks out. */
function overflow(page) {
  return page.evaluate(() => {
    const width = document.documentElement.clientWidth;
    const wide = document.documentElement.scrollWidth - width;
    const out = [...document.querySelectorAll("main *")].filter((one) => one.getBoundingClientRect().right > width + 1);
    return { wide, out: wide > 0 ? out.slice(0, 3).map((one) => one.outerHTML.slice(0, 120)) : [] };
  });
}

test("no page is wider than 360 pixels, however long the names", async ({ page }) => {
  test.setTimeout(240_000);
  await api.body(api.post("/v1/tokens", keys.owner, { name: `${LONG} token`, description: LONG }), 201);
  await api.body(api.post("/v1/groups", keys.owner, { name: `${LONG} group`, description: LONG }), 201);
  await api.body(api.post("/v1/projects", keys.owner, { name: `${LONG} project`, labels: { [LONG.slice(0, 60)]: LONG } }), 201);
  await page.setViewportSize(NARROW);
  await page.goto("/console/sign-in");
  expect(await overflow(page)).toEqual({ wide: 0, out: [] });
  await signIn(page, keys.owner);
  for (const path of [...Object.values(NAVIGATION), "/docs"]) {
    await page.goto(path);
    expect(await overflow(page), path).toEqual({ wide: 0, out: [] });
  }
  for (const list of ["Service tokens", "Permission groups", "Projects"]) {
    await page.goto(NAVIGATION[list]);
    await page.getByRole("main").getByRole("link", { name: new RegExp(`^${LONG}`) }).first().click();
    await expect(page.getByRole("heading", { level: 1 })).toContainText(LONG);
    expect(await overflow(page), list).toEqual({ wide: 0, out: [] });
  }
});

for (const colorScheme of ["light", "dark"]) {
  test(`axe finds nothing serious on any page, ${colorScheme}`, async ({ page }) => {
    test.setTimeout(240_000);
    await page.emulateMedia({ colorScheme });
    await page.goto("/console/sign-in");
    await axeClean(page);
    await signIn(page, keys.owner);
    const paths = [...Object.values(NAVIGATION), "/console/ask/who", "/console/ask/compare"];
    // Long, and no other colours than the rest.
    for (const path of colorScheme === "light" ? [...paths, "/docs"] : paths) {
      await page.goto(path);
      await axeClean(page);
    }
    await page.goto("/console/tokens");
    await action(page, "Create service token").click();
    await expect(heading(page, "Effective access")).toBeVisible();
    await axeClean(page);
    await page.goto("/console/groups");
    await page.getByRole("main").getByRole("link", { name: "team", exact: true }).click();
    await expect(heading(page, "Who manages this group")).toBeVisible();
    await axeClean(page);
  });
}

/** How light the background is, from 0 to 255. */
function lightness(page) {
  return page.evaluate(() => {
    const canvas = document.createElement("canvas").getContext("2d");
    canvas.fillStyle = getComputedStyle(document.body).backgroundColor;
    canvas.fillRect(0, 0, 1, 1);
    const [red, green, blue] = canvas.getImageData(0, 0, 1, 1).data;
    return (red + green + blue) / 3;
  });
}

test("dark is dark, light is light, and print is light without navigation", async ({ page }) => {
  await signIn(page, keys.owner);
  await page.emulateMedia({ colorScheme: "dark" });
  expect(await lightness(page)).toBeLessThan(80);
  await page.emulateMedia({ colorScheme: "light" });
  expect(await lightness(page)).toBeGreaterThan(200);
  await page.emulateMedia({ colorScheme: "dark", media: "print" });
  expect(await lightness(page)).toBeGreaterThan(200);
  await expect(page.getByRole("navigation").first()).toBeHidden();
});

/** Goes on by the tabulator key until this has the focus; it must be seen to have it. */
async function tabTo(page, place) {
  for (let steps = 0; steps < 120; steps += 1) {
    await page.keyboard.press("Tab");
    const focus = await place.evaluate((element) => {
      const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(element);
      const marked = (outlineStyle !== "none" && outlineWidth !== "0px") || boxShadow !== "none";
      return { here: element === document.activeElement, marked };
    });
    if (focus.here) {
      expect(focus.marked, "the focus is seen").toBe(true);
      return;
    }
  }
  throw new Error(`the tabulator key does not lead to ${place}`);
}

async function press(page, name) {
  await tabTo(page, action(page, name));
  await page.keyboard.press("Enter");
}

async function type(page, name, text) {
  await tabTo(page, field(page, name));
  await page.keyboard.type(text);
}

test("the keyboard alone signs in, makes a group and a token, and signs out", async ({ page }) => {
  await page.goto("/console");
  const key = field(page, "Key");
  if (!(await key.evaluate((element) => element === document.activeElement))) {
    await tabTo(page, key);
  }
  await page.keyboard.type(keys.owner);
  await page.keyboard.press("Enter");
  await expect(action(page, "Sign out")).toBeVisible();

  await press(page, "Permission groups");
  await expect(page).toHaveURL(/\/console\/groups/);
  await press(page, "Create permission group");
  await expect(field(page, "Name")).toBeVisible();
  await type(page, "Name", "by keyboard");
  await type(page, "Description", "no mouse was there");
  await changing(page, () => press(page, "Create"));
  await expect(page.getByRole("heading", { level: 1, name: "by keyboard" })).toBeVisible();

  await press(page, "Service tokens");
  await expect(page).toHaveURL(/\/console\/tokens/);
  await press(page, "Create service token");
  await expect(field(page, "Name")).toBeVisible();
  await type(page, "Name", "keyboard-bot");
  const box = page.getByRole("checkbox", { name: "by keyboard", exact: true });
  await tabTo(page, box);
  await page.keyboard.press("Space");
  await expect(box).toBeChecked();
  await changing(page, () => press(page, "Create"));
  await expect(field(page, "Key")).not.toBeEditable();
  const stored = page.getByRole("checkbox", { name: "I stored this key", exact: true });
  await tabTo(page, stored);
  await page.keyboard.press("Space");
  await press(page, "Done");
  await expect(page.getByRole("heading", { level: 1, name: "keyboard-bot" })).toBeVisible();
  await press(page, "Sign out");
  await expect(field(page, "Key")).toBeVisible();
});

test("the first stop of the tabulator key leads past the navigation", async ({ page }) => {
  await signIn(page, keys.owner);
  await page.keyboard.press("Tab");
  const skip = page.getByRole("link", { name: "Skip to content", exact: true });
  await expect(skip).toBeFocused();
  await page.keyboard.press("Enter");
  expect(await page.evaluate(() => location.hash)).toMatch(/^#/);
});

test("every page has one level-1 heading, a title of its own, a language and landmarks", async ({ page }) => {
  await signIn(page, keys.owner);
  const titles = new Set();
  for (const path of Object.values(NAVIGATION)) {
    await page.goto(path);
    await expect(page.getByRole("heading", { level: 1 }), path).toHaveCount(1);
    await expect(page.getByRole("main"), path).toHaveCount(1);
    await expect(page.locator("html"), path).toHaveAttribute("lang", "en");
    titles.add(await page.title());
  }
  expect(titles.size).toBe(Object.keys(NAVIGATION).length);
});

test("a new group of the keyboard's name can be searched", async ({ page }) => {
  const name = "needle in the list";
  await signIn(page, keys.owner);
  await createGroup(page, name, "to be found");
  await page.goto("/console/groups");
  await search(page, "needle IN");
  await expect(page.getByRole("main").getByRole("link", { name, exact: true })).toBeVisible();
  await expect(page.getByRole("main").getByRole("link", { name: "team", exact: true })).toBeHidden();
});
