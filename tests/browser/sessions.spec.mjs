// Signing in and out, and what ends a session: here, in another browser, on another node.
import { expect, REFUSED, test } from "./hygiene.mjs";
import * as api from "./api.mjs";
import { base, bases, email, keys } from "./env.mjs";
import { action, changing, field, fillSignIn, heading, NAVIGATION, region, row, SIGN_IN, signIn, visit } from "./pages.mjs";

/** How soon what was revoked in one browser is seen in another, in milliseconds; and how often that is tried: all other tests run
 * beside this one, so one of them must be as quick, and all must end. */
const SEEN_WITHIN = 1000;
const TRIES = 3;
/** How soon each of them must be seen. */
const EACH_WITHIN = 15_000;

/** A further key of a person, which a test may revoke. */
async function keyOf(who) {
  const users = await api.all("/v1/users", keys.owner);
  const user = users.find((one) => one.email === email(who));
  const { id, secret } = await api.body(api.post(`/v1/users/${user.id}/keys`, keys.owner, {}), 201);
  return { id, secret };
}

/** Somebody new, and a key. */
async function somebody(name) {
  const user = await api.body(api.post("/v1/users", keys.owner, { email: `${name}@example.com` }), 201);
  const { secret } = await api.body(api.post(`/v1/users/${user.id}/keys`, keys.owner, {}), 201);
  return secret;
}

/** Asks for a page until the session is seen to have ended; how long that took. */
async function ends(page, url) {
  const begun = Date.now();
  const ended = async () => {
    await page.goto(url);
    return SIGN_IN.test(page.url());
  };
  await expect.poll(ended, { timeout: EACH_WITHIN, intervals: [50] }).toBe(true);
  return Date.now() - begun;
}

/** Tries a few times how soon something is seen. */
async function isSeenSoon(annotations, what, once) {
  const took = [];
  while (took.length < TRIES) {
    took.push(await once(took.length));
  }
  annotations.push({ type: "told", description: `${what} after ${took.join(", ")} ms` });
  expect(Math.min(...took), what).toBeLessThan(SEEN_WITHIN);
  expect(Math.max(...took), what).toBeLessThan(EACH_WITHIN * bases().length);
}

/** When the log of a page comes to hold a text. */
function logged(page, text) {
  const watch = (wanted) => new Promise((done) => {
    const look = () => document.querySelector("[role=log]").textContent.includes(wanted) && done(Date.now());
    new MutationObserver(look).observe(document.body, { childList: true, characterData: true, subtree: true });
    look();
  });
  return page.evaluate(watch, text);
}

async function cookies(page) {
  return (await page.context().cookies()).filter(({ value }) => value);
}

test("keys of service tokens, wrong keys and no key are refused, and say why", async ({ page, hygiene }) => {
  hygiene.expects(REFUSED);
  await page.goto("/console");
  for (const [key, why] of [[keys.token, /service token/i], ["gb_wrong", /key/i], [`${keys.owner}x`, /key/i]]) {
    await fillSignIn(page, key);
    await expect(page.getByRole("alert")).toContainText(why);
    await expect(page).toHaveURL(SIGN_IN);
    expect(await page.content(), "no key is shown again").not.toContain(key);
    expect(await cookies(page)).toEqual([]);
  }
});

test("the cookie is for this server alone, and out of reach of scripts", async ({ page }) => {
  await signIn(page, keys.viewer);
  const [cookie, ...others] = await cookies(page);
  expect(others, "one cookie").toEqual([]);
  expect(cookie).toMatchObject({ httpOnly: true, sameSite: "Strict", path: "/", domain: new URL(base()).hostname });
  const encrypted = base().startsWith("https:");
  expect(cookie.secure).toBe(encrypted);
  expect(cookie.name.startsWith("__Host-"), "only https may have the prefix").toBe(encrypted);
  expect(cookie.value, "it is no key of a person's").not.toContain(keys.viewer);
  expect(cookie.expires, "twelve hours at most").toBeLessThanOrEqual(Date.now() / 1000 + 12 * 3600 + 5);
  expect(await page.evaluate(() => document.cookie)).toBe("");
});

test("a deep link survives signing in", async ({ page }) => {
  const deep = "/console/audit?event=KeyIssued&actor=user%3Aada%40example.com";
  await signIn(page, keys.owner, deep);
  const { pathname, searchParams } = new URL(page.url());
  expect(pathname).toBe("/console/audit");
  expect(Object.fromEntries(searchParams)).toMatchObject({ event: "KeyIssued", actor: "user:ada@example.com" });
  await expect(field(page, "Event")).toHaveValue("KeyIssued");
});

for (const elsewhere of ["//foreign.invalid/", "https://foreign.invalid/", "/\\foreign.invalid", "javascript:alert(1)", "/v1/whoami"]) {
  test(`signing in leads nowhere but into the console: ${elsewhere}`, async ({ page }) => {
    await page.goto("/console/audit");
    const url = new URL(page.url());
    const [name] = [...url.searchParams].find(([, value]) => value.includes("/console/audit")) ?? ["next"];
    url.searchParams.set(name, elsewhere);
    await page.goto(url.href);
    await fillSignIn(page, keys.viewer);
    await expect(action(page, "Sign out")).toBeVisible();
    expect(page.url()).toMatch(new RegExp(`^${base()}/console/`));
  });
}

test("after signing out the session is over, also for who kept the cookie", async ({ page, another }) => {
  await signIn(page, keys.viewer);
  const kept = await page.context().cookies();
  await action(page, "Sign out").click();
  await expect(page).toHaveURL(SIGN_IN);
  await page.goto("/console/tokens");
  await expect(page).toHaveURL(SIGN_IN);
  const thief = await another();
  await thief.context().addCookies(kept);
  await thief.goto(`${base()}/console/tokens`);
  await expect(thief).toHaveURL(SIGN_IN);
});

test("the cookie authenticates no call of the API", async ({ page }) => {
  await signIn(page, keys.owner);
  for (const [method, path] of [["get", "/v1/whoami"], ["get", "/v1/tokens"], ["post", "/v1/tokens"], ["get", "/v1/watch"]]) {
    const answer = await page.request[method](path, method === "post" ? { data: { name: "by cookie" } } : {});
    expect(answer.status(), path).toBe(401);
  }
});

test("a session is good on every node, and each has the same pages", async ({ page }) => {
  await signIn(page, keys.viewer);
  for (const at of bases()) {
    await page.goto(`${at}/console/projects`);
    await expect(action(page, "Sign out"), at).toBeVisible();
  }
});

test("a key that is revoked ends its sessions within a second, on every node", async ({ another }, { annotations }) => {
  await isSeenSoon(annotations, "sessions of a revoked key had ended", async () => {
    const { id, secret } = await keyOf("viewer");
    const guest = await another();
    await signIn(guest, secret, NAVIGATION.Projects, base());
    await api.body(api.remove(`/v1/keys/${id}`, keys.owner));
    let took = 0;
    for (const at of bases()) {
      took += await ends(guest, `${at}/console/projects`);
    }
    return took;
  });
});

test("a session that is ended in one browser is over in the other", async ({ page, another }, { project }) => {
  const secret = await somebody(`two-browsers-${project.name}`);
  await signIn(page, secret);
  const other = await another();
  await signIn(other, secret, NAVIGATION.Projects, bases().at(-1));
  await visit(page, "Settings");
  const sessions = row(region(page, "My sessions"), /active/);
  // Its own is marked, and has no such button.
  await expect(sessions.filter({ hasText: "this session" })).toHaveCount(1);
  const theirs = sessions.filter({ hasNotText: "this session" });
  await expect(theirs).toHaveCount(1);
  await changing(page, () => theirs.getByRole("button", { name: /^End\b/ }).click());
  for (const at of bases()) {
    await ends(other, `${at}/console/projects`);
  }
  await page.reload();
  await expect(action(page, "Sign out"), "its own goes on").toBeVisible();
});

test("an Owner ends the session of somebody else", async ({ page, another }) => {
  const { secret } = await keyOf("engineer");
  const guest = await another();
  await signIn(guest, secret, NAVIGATION.Projects, base());
  await signIn(page, keys.owner, NAVIGATION.People);
  await page.getByRole("main").getByRole("link", { name: email("engineer"), exact: true }).click();
  const theirs = row(region(page, "Sessions"), /active/).last();
  await changing(page, () => theirs.getByRole("button", { name: /^End\b/ }).click());
  await ends(guest, `${base()}/console/projects`);
});

test("what is revoked in one browser is seen in another within a second", async ({ page, another, javaScriptEnabled }, { project, annotations }) => {
  test.skip(javaScriptEnabled === false, "records come live by script");
  const name = `watched-${project.name}`;
  const token = await api.body(api.post("/v1/tokens", keys.owner, { name }), 201);
  const issue = () => api.body(api.post(`/v1/tokens/${token.id}/keys`, keys.owner, {}), 201);
  const watching = await another();
  await signIn(watching, keys.owner, NAVIGATION.Live, bases().at(-1));
  const records = watching.getByRole("log", { name: "Records", exact: true });
  await expect(records).toBeVisible();
  await signIn(page, keys.owner);
  let key;
  await isSeenSoon(annotations, "what was revoked was seen in another browser", async () => {
    key = await issue();
    await page.goto(`/console/tokens/${token.id}`);
    await expect(records, "it follows").toContainText(`issued key ${key.id}`);
    await row(region(page, "Keys"), "active").getByRole("button", { name: /^Revoke\b/ }).click();
    await expect(heading(page, "Plan")).toBeVisible();
    const seen = logged(watching, `revoked key ${key.id}`);
    const begun = Date.now();
    await changing(page, () => action(page, "Apply").click());
    return (await seen) - begun;
  });
  const team = await api.body(api.post("/v1/grants", keys.owner, {
    to: { type: "token", id: token.id }, permissions: ["read"], on: { projects: { include: "all" } },
  }), 201);
  await expect(records, "what a record changes of access").toContainText(`token:${name} gained read`);
  await api.body(api.remove(`/v1/grants/${team.id}`, keys.owner));
  const answer = await api.get("/v1/whoami", key.secret, bases().at(-1));
  expect(answer.status).toBe(401);
});
