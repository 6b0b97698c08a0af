// Eight pictures of the console for its documentation, in docs/console. `make console-pictures` takes them; no test.
import { fileURLToPath } from "node:url";
import { expect, test } from "./hygiene.mjs";
import { keys } from "./env.mjs";
import { action, ask, createGroup, createToken, enter, heading, NAVIGATION, open, signIn, storedKey } from "./pages.mjs";

const folder = fileURLToPath(new URL("../../docs/console/", import.meta.url));

test.use({ viewport: { width: 1200, height: 800 }, colorScheme: "light" });

async function picture(page, name) {
  await page.evaluate(() => document.fonts.ready);
  await page.screenshot({ path: `${folder}${name}.png`, animations: "disabled", caret: "hide" });
}

test("eight pictures", async ({ page }) => {
  test.setTimeout(240_000);
  await signIn(page, keys.owner);
  await createGroup(page, "staging-apps", "applications, everywhere but in production");
  await action(page, "Add grant").click();
  await enter(page, "Role", "Engineer");
  await enter(page, "Projects", "all");
  await enter(page, "Except", "label:env=production");
  await picture(page, "group");
  await action(page, "Review changes").click();
  await expect(heading(page, "Plan")).toBeVisible();
  await picture(page, "plan");
  await action(page, "Apply").click();
  await expect(page.getByRole("status").filter({ hasText: /position/ }).first()).toBeVisible();

  await page.goto(NAVIGATION["Service tokens"]);
  await action(page, "Create service token").click();
  await enter(page, "Name", "deploy-bot");
  await enter(page, "Description", "deploys to staging");
  await page.getByRole("checkbox", { name: "staging-apps", exact: true }).check();
  await expect(page.getByRole("region", { name: "Effective access" })).toContainText("production");
  await picture(page, "create-token");
  await createToken(page, { name: "deploy-bot", group: "staging-apps", reaches: "production", scripted: true });
  await storedKey(page);
  await open(page, "Service tokens", "deploy-bot");
  await picture(page, "token");
  await page.goto(NAVIGATION["Service tokens"]);
  await picture(page, "tokens");

  expect(await ask(page, "token:deploy-bot", "update", "project:production")).toBe("Denied");
  await picture(page, "ask");
  await page.goto(NAVIGATION.Audit);
  await expect(page.getByRole("table", { name: "Records" })).toBeVisible();
  await picture(page, "audit");
  await page.goto(NAVIGATION.Live);
  await expect(page.getByRole("log", { name: "Records" })).toBeVisible();
  await picture(page, "live");
});
