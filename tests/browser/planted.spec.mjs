// Does the suite notice? Pages of a server of our own, each with one fault; none needs Grantbook.
import { createServer } from "node:http";
import { axeClean, expect, test } from "./hygiene.mjs";

const PAGES = {
  "/clean": "<h1>clean</h1><p>well</p>",
  "/console-error": "<script>console.error('planted')</script>",
  "/exception": "<script>throw new Error('planted')</script>",
  "/foreign": "<img alt='' src='http://foreign.invalid/pixel.png'>",
  "/policy-script": "<script>document.title = 'ran'</script>",
  "/policy-style": "<p style='color: red'>inline</p>",
  "/policy-handler": "<img alt='' src='/none' onerror='document.title = 1'>",
  "/dialog": "<script>alert('planted')</script>",
  "/broken": "<p>broken</p>",
  "/unlabelled": "<input><button></button>",
};

function serve(request, response) {
  const path = new URL(request.url, "http://own.invalid").pathname;
  const body = PAGES[path];
  response.setHeader("content-type", "text/html; charset=utf-8");
  if (path.startsWith("/policy")) {
    response.setHeader("content-security-policy", "default-src 'self'");
  }
  response.statusCode = path === "/broken" ? 500 : body ? 200 : 404;
  response.end(`<!doctype html><html lang="en"><title>planted</title><main>${body ?? ""}</main></html>`);
}

const suite = test.extend({
  site: async ({ hygiene }, use) => {
    const server = createServer(serve);
    await new Promise((done) => server.listen(0, "127.0.0.1", done));
    const site = `http://127.0.0.1:${server.address().port}`;
    hygiene.own(site);
    await use(site);
    server.closeAllConnections();
    server.close();
  },
});

suite("a page without a fault passes", async ({ page, site }) => {
  await page.goto(`${site}/clean`);
  await axeClean(page);
});

for (const [path, found] of [
  ["/console-error", /^console: planted/],
  ["/exception", /^exception: Error: planted/],
  ["/foreign", /^foreign request: http:\/\/foreign\.invalid\/pixel\.png/],
  ["/policy-script", /^policy: script-src-elem inline/],
  ["/policy-style", /^policy: style-src-attr inline/],
  ["/policy-handler", /^policy: script-src-attr inline/],
  ["/dialog", /^dialog: planted/],
  ["/broken", /^server error: 500/],
]) {
  suite(`${path} is noticed`, async ({ page, site, hygiene }) => {
    await page.goto(site + path);
    let seen = [];
    await expect.poll(() => (seen = seen.concat(hygiene.take())).some((fault) => found.test(fault))).toBe(true);
    // Whatever the browser adds about the same fault.
    await page.close();
    hygiene.take();
  });
}

suite("without script a violation of the policy is still noticed", async ({ another, site, hygiene }) => {
  const page = await another({ javaScriptEnabled: false });
  await page.goto(`${site}/policy-style`);
  await expect.poll(() => hygiene.take().join()).toMatch(/^console: .*Content Security Policy/);
});

suite("a test that ends with a fault fails", async ({ page, site }) => {
  test.fail();
  await page.goto(`${site}/console-error`);
});

suite("axe's serious findings fail", async ({ page, site }) => {
  await page.goto(`${site}/unlabelled`);
  await expect(axeClean(page)).rejects.toThrow(/button-name/);
});

for (const javaScriptEnabled of [true, false]) {
  suite(`pages can be looked into with javaScriptEnabled ${javaScriptEnabled}`, async ({ another, site, hygiene }) => {
    const page = await another({ javaScriptEnabled });
    await page.goto(`${site}/console-error`);
    expect(await page.evaluate(() => document.title)).toBe("planted");
    await expect.poll(() => hygiene.take().length).toBe(javaScriptEnabled ? 1 : 0);
  });
}
