// What the console must withstand (C1 to C4 of the security requirements): headers, requests of other origins, fixation, methods.
import { createServer } from "node:http";
import { expect, REFUSED, test } from "./hygiene.mjs";
import * as api from "./api.mjs";
import { base, keys } from "./env.mjs";
import { PLAIN_HOST } from "./chromium.mjs";
import { action, enter, field, fillSignIn, formOf, NAVIGATION, reached, SIGN_IN, signIn } from "./pages.mjs";

/** The policy as a map of its directives. */
function directives(policy) {
  const parts = policy.split(";").map((part) => part.trim().split(/\s+/)).filter(([name]) => name);
  return new Map(parts.map(([name, ...sources]) => [name, sources]));
}

function judgeHeaders(answer, path) {
  const headers = answer.headers();
  const policy = directives(headers["content-security-policy"] ?? "");
  expect(policy.get("frame-ancestors"), path).toEqual(["'none'"]);
  expect(policy.get("base-uri") ?? [], path).not.toEqual([]);
  expect(policy.get("form-action"), path).toEqual(["'self'"]);
  expect(policy.has("default-src"), path).toBe(true);
  for (const [name, sources] of policy) {
    for (const source of sources) {
      const allowed = /^'(self|none)'$|^data:$|^'nonce-[\w+/=-]+'$|^'sha(256|384|512)-[\w+/=]+'$/;
      expect(source, `${path}: ${name}`).toMatch(allowed);
      expect(source === "data:" && name !== "img-src", `${path}: ${name} takes data:`).toBe(false);
    }
  }
  expect(headers["x-content-type-options"], path).toBe("nosniff");
  expect(headers["cross-origin-opener-policy"], path).toBe("same-origin");
  expect(headers["referrer-policy"], path).toMatch(/^(no-referrer|same-origin)$/);
  expect(headers["server"] ?? headers["x-powered-by"], path).toBeUndefined();
  if (base().startsWith("https:")) {
    expect(headers["strict-transport-security"], path).toMatch(/max-age=\d{7,}/);
  }
}

test("every answer has the headers", async ({ page }) => {
  judgeHeaders(await page.request.get("/console/sign-in"), "sign-in");
  judgeHeaders(await page.request.get("/console/tokens", { maxRedirects: 0 }), "a redirect");
  await signIn(page, keys.owner);
  for (const path of [...Object.values(NAVIGATION), "/console/nothing", "/console/tokens/nothing", "/docs"]) {
    const answer = await page.request.get(path);
    judgeHeaders(answer, path);
    expect(answer.headers()["cache-control"], path).toContain("no-store");
  }
});

test("everything that a page loads comes from here, with a type and the headers", async ({ page }) => {
  const loaded = [];
  page.on("response", (response) => loaded.push(response));
  await signIn(page, keys.owner);
  const assets = loaded.filter((one) => ["script", "stylesheet", "image", "font"].includes(one.request().resourceType()));
  expect(assets.length).toBeGreaterThan(0);
  for (const asset of assets) {
    expect(asset.url().startsWith(base()), asset.url()).toBe(true);
    expect(asset.headers()["content-type"], asset.url()).toMatch(/^(text\/(javascript|css)|image\/|font\/)/);
    expect(asset.headers()["x-content-type-options"], asset.url()).toBe("nosniff");
  }
  const inline = await page.locator("script:not([src]), style, [style]:not(svg *), [onclick], [onload]").count();
  expect(inline, "nothing inline").toBe(0);
});

/** The form with which a project is made, filled in. */
async function projectForm(page, name) {
  await page.goto("/console/projects");
  await action(page, "Create project").click();
  await enter(page, "Name", name);
  return formOf(page.getByRole("button", { name: "Create", exact: true }));
}

test("a request that another origin sends changes nothing", async ({ page }) => {
  await signIn(page, keys.owner);
  const { url, fields, method } = await projectForm(page, "by another origin");
  expect(method).toBe("post");
  const before = await reached(page);
  for (const headers of [
    { "sec-fetch-site": "cross-site", origin: "https://foreign.invalid" },
    { "sec-fetch-site": "cross-site" },
    { "sec-fetch-site": "same-site", origin: "http://127.0.0.1:1" },
    { origin: "https://foreign.invalid" },
    { origin: "null" },
    { origin: base().replace(/:\d+$/, ":1") },
  ]) {
    const answer = await page.request.post(url, { form: fields, headers, maxRedirects: 0 });
    expect(answer.status(), JSON.stringify(headers)).toBe(403);
  }
  expect(await reached(page)).toBe(before);
  // The same request as the page sends it.
  const headers = { "sec-fetch-site": "same-origin", origin: base() };
  const answer = await page.request.post(url, { form: fields, headers, maxRedirects: 0 });
  expect(answer.status()).toBeLessThan(400);
  await expect.poll(() => reached(page)).not.toBe(before);
});

/** A page that sends a form as soon as it is loaded. */
function sending({ url, fields }) {
  const inputs = Object.entries(fields).map(([name, value]) => `<input name="${name}" value="${value}">`).join("");
  return `<form method="post" action="${url}">${inputs}</form><script>document.forms[0].submit()</script>`;
}

/** A page of another site: localhost is not 127.0.0.1. */
async function foreignPage(body) {
  const html = `<!doctype html><title>foreign</title>${body}`;
  const server = createServer((_request, response) => {
    response.setHeader("content-type", "text/html");
    response.end(html);
  });
  await new Promise((done) => server.listen(0, "localhost", done));
  return { server, origin: `http://localhost:${server.address().port}` };
}

async function visitForeign(page, hygiene, form) {
  const { server, origin } = await foreignPage(sending(form));
  hygiene.own(origin);
  try {
    const [answer] = await Promise.all([
      page.waitForResponse((response) => response.url() === form.url && response.request().method() === "POST"),
      page.goto(origin),
    ]);
    return answer;
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

test("a page of another site that sends a form is refused, in a real browser", async ({ page, hygiene }) => {
  hygiene.expects(REFUSED);
  await signIn(page, keys.owner);
  const form = await projectForm(page, "by a foreign page");
  const before = await reached(page);
  const answer = await visitForeign(page, hygiene, form);
  expect(answer.status()).toBe(403);
  await page.goto("/console/projects");
  await expect(action(page, "Sign out"), "the session goes on").toBeVisible();
  expect(await reached(page)).toBe(before);
});

test("a link of another site leads to its page, also from there", async ({ page, hygiene }) => {
  await signIn(page, keys.owner);
  const { server, origin } = await foreignPage(`<a href="${base()}/console/projects?search=staging">staging</a>`);
  hygiene.own(origin);
  try {
    await page.goto(origin);
    await page.getByRole("link", { name: "staging" }).click();
    await expect(page).toHaveURL(/\/console\/projects\?search=staging/);
    await expect(page.getByRole("heading", { level: 1, name: "Projects", exact: true })).toBeVisible();
    await expect(page.getByRole("main")).toContainText("staging");
    // Who has not signed in comes to the sign-in page, and from there to where the link leads.
    await page.context().clearCookies();
    await page.goto(origin);
    await page.getByRole("link", { name: "staging" }).click();
    await expect(page).toHaveURL(SIGN_IN);
    await fillSignIn(page, keys.viewer);
    await expect(page).toHaveURL(/\/console\/projects\?search=staging/);
  } finally {
    server.closeAllConnections();
    server.close();
  }
});

test("nobody signs in where a key would travel in plain", async ({ page, hygiene }) => {
  test.skip(base().startsWith("https:"), "this is the place that is safe");
  const origin = base().replace("127.0.0.1", PLAIN_HOST);
  hygiene.own(origin);
  // The browser's own opinion of the place.
  hygiene.expects(/Cross-Origin-Opener-Policy header has been ignored/);
  const position = async () => (await (await page.request.get(`${base()}/readyz`)).json()).position;
  await page.goto(`${origin}/console`);
  await expect(page).toHaveURL(SIGN_IN);
  await expect(page.getByRole("alert")).toContainText("this address is not safe");
  await expect(page.getByRole("main")).toContainText("--public-url");
  await expect(page.getByLabel("Key", { exact: true })).toHaveCount(0);
  const host = new URL(origin).host;
  const headers = { host, origin, "sec-fetch-site": "same-origin" };
  const form = { key: keys.owner, next: "/console" };
  const before = await position();
  const answer = await page.request.post(`${base()}/console/sign-in`, { form, headers, maxRedirects: 0 });
  expect(answer.headers()["set-cookie"]).toBeUndefined();
  expect(await answer.text()).toContain("this address is not safe");
  expect(await position(), "no session was started").toBe(before);
});

test("nobody is signed in by another site", async ({ page, hygiene }) => {
  hygiene.expects(REFUSED);
  await page.goto("/console/sign-in");
  await field(page, "Key").fill(keys.viewer);
  const form = await formOf(page.getByRole("button", { name: "Sign in", exact: true }));
  const before = await reached(page);
  const answer = await visitForeign(page, hygiene, form);
  expect(answer.status()).toBe(403);
  expect(await answer.headerValue("set-cookie")).toBeNull();
  await page.goto("/console/tokens");
  await expect(page).toHaveURL(SIGN_IN);
  expect(await reached(page)).toBe(before);
});

test("a session that was planted is not taken over", async ({ page, another }) => {
  const attacker = await another();
  await signIn(attacker, keys.stranger, "/console", base());
  const planted = await attacker.context().cookies();
  await page.context().addCookies(planted);
  await page.goto("/console/sign-in");
  await fillIfAsked(page);
  const own = await page.context().cookies();
  expect(own.map(({ value }) => value)).not.toEqual(planted.map(({ value }) => value));
  await page.goto("/console/settings");
  await expect(page.getByRole("main")).toContainText("viewer@example.com");
  await attacker.goto(`${base()}/console/settings`);
  await expect(attacker.getByRole("main")).not.toContainText("viewer@example.com");
});

/** Signs in over a session, or signs out of it first. */
async function fillIfAsked(page) {
  if (!SIGN_IN.test(page.url())) {
    await action(page, "Sign out").click();
    await expect(page).toHaveURL(SIGN_IN);
  }
  await field(page, "Key").fill(keys.viewer);
  await action(page, "Sign in").click();
  await expect(page).not.toHaveURL(SIGN_IN);
}

test("a value that nobody gave is no session", async ({ page }) => {
  await signIn(page, keys.viewer);
  const [cookie] = await page.context().cookies();
  for (const value of ["planted", keys.viewer, keys.owner, keys.token, `${cookie.value}x`]) {
    await page.context().clearCookies();
    await page.context().addCookies([{ ...cookie, value }]);
    await page.goto("/console/tokens");
    await expect(page, "no session").toHaveURL(SIGN_IN);
  }
});

test("a method cannot be overridden", async ({ page }) => {
  const token = await api.body(api.post("/v1/tokens", keys.owner, { name: "overridden" }), 201);
  await signIn(page, keys.owner);
  const before = await reached(page);
  const path = `/console/tokens/${token.id}`;
  const sameOrigin = { "sec-fetch-site": "same-origin", origin: base() };
  for (const name of ["x-http-method-override", "x-http-method", "x-method-override"]) {
    for (const method of ["DELETE", "POST"]) {
      await page.request.get(path, { headers: { ...sameOrigin, [name]: method } });
      await page.request.post(path, { headers: { ...sameOrigin, [name]: method }, form: { _method: method } });
    }
  }
  await page.request.get(`${path}?_method=DELETE`);
  for (const method of ["delete", "put", "patch"]) {
    expect((await page.request[method](path, { headers: sameOrigin })).status(), method).toBe(405);
  }
  expect(await reached(page)).toBe(before);
});

test("no link changes anything, and no form does when it is fetched", async ({ page, hygiene }) => {
  test.setTimeout(240_000);
  hygiene.expects(REFUSED); // 405 to most addresses of forms
  await signIn(page, keys.owner);
  const before = await reached(page);
  const [waiting, seen] = [Object.values(NAVIGATION).map((path) => base() + path), new Set()];
  while (waiting.length > 0 && seen.size < 80) {
    const url = waiting.shift();
    if (seen.has(url) || /\/(live|events)\b/.test(url)) {
      continue;
    }
    seen.add(url);
    const answer = await page.goto(url, { waitUntil: "commit" }).catch(() => null); // a download is no page
    if (!answer?.headers()["content-type"]?.startsWith("text/html")) {
      continue;
    }
    await page.waitForLoadState();
    const found = await page.evaluate(() => [
      ...[...document.links].map((link) => link.href),
      ...[...document.forms].map((form) => form.action),
      ...[...document.querySelectorAll("[formaction]")].map((button) => button.formAction),
    ]);
    waiting.push(...found.map((one) => one.split("#")[0]).filter((one) => one.startsWith(`${base()}/console`)));
  }
  expect(seen.size).toBeGreaterThan(Object.keys(NAVIGATION).length - 1);
  await page.goto("/console/tokens");
  await expect(action(page, "Sign out"), "nor does a link sign out").toBeVisible();
  expect(await reached(page)).toBe(before);
});
