// What every page of every test must keep to: no error on the console, no exception, no report of the content security policy,
// no request to a foreign origin, no dialog, no 5xx. Every spec takes `test` and `expect` from here.
import { AxeBuilder, expect, test as plain } from "./packages.mjs";
import { bases } from "./env.mjs";

const REPORT = "reportPolicyViolation";

function listen(report) {
  document.addEventListener(
    "securitypolicyviolation",
    (event) => window[report](`${event.effectiveDirective} ${event.blockedURI} ${event.sample}`.trim()),
    true,
  );
}

class Hygiene {
  #faults = [];
  #expected = [];
  #origins;

  constructor(origins) {
    this.#origins = new Set(origins.map((one) => new URL(one).origin));
  }

  /** Watches everything that happens in a context from now on. */
  async watch(context) {
    context.on("console", (message) => {
      if (message.type() === "error") {
        this.#note("console", `${message.text()} (${message.location().url})`);
      }
    });
    context.on("weberror", (error) => this.#note("exception", String(error.error())));
    context.on("request", (request) => this.#check(request.url()));
    context.on("response", (response) => {
      if (response.status() >= 500) {
        this.#note("server error", `${response.status()} ${response.url()}`);
      }
    });
    context.on("dialog", async (dialog) => {
      this.#note("dialog", dialog.message());
      await dialog.dismiss();
    });
    await context.exposeBinding(REPORT, (_source, what) => this.#note("policy", what));
    await context.addInitScript(listen, REPORT);
  }

  /** An origin besides the servers' that this test uses itself. */
  own(origin) {
    this.#origins.add(new URL(origin).origin);
  }

  /** Messages that this test provokes, such as the browser's about a 403. */
  expects(pattern) {
    this.#expected.push(pattern);
  }

  /** What was found so far, and is forgotten by that. */
  take() {
    return this.#faults.splice(0);
  }

  #check(url) {
    const { protocol, origin } = new URL(url);
    if (["http:", "https:", "ws:", "wss:"].includes(protocol) && !this.#origins.has(origin)) {
      this.#note("foreign request", url);
    }
  }

  #note(kind, text) {
    if (!this.#expected.some((pattern) => pattern.test(text))) {
      this.#faults.push(`${kind}: ${text}`);
    }
  }
}

export const test = plain.extend({
  hygiene: [
    async ({ context }, use) => {
      const hygiene = new Hygiene(process.env.BASE ? bases() : []);
      await hygiene.watch(context);
      await use(hygiene);
      expect(hygiene.take(), "what pages must not do").toEqual([]);
    },
    { auto: true },
  ],

  /** Makes a page in a browser context of its own, watched like the first. */
  another: async ({ browser, hygiene }, use) => {
    const contexts = [];
    await use(async (options = {}) => {
      const context = await browser.newContext(options);
      contexts.push(context);
      await hygiene.watch(context);
      return context.newPage();
    });
    for (const context of contexts) {
      await context.close();
    }
  },
});

export { expect };

/** The browser's own message about a page or a part of it that was refused. */
export const REFUSED = /Failed to load resource: the server responded with a status of 4\d\d/;

/** Fails on findings of axe that are serious or worse. */
export async function axeClean(page) {
  const { violations } = await new AxeBuilder({ page }).setLegacyMode(true).analyze();
  const grave = violations.filter(({ impact }) => ["serious", "critical"].includes(impact));
  const shown = grave.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.map((node) => node.html).join(" ")}`);
  expect(shown, `axe on ${page.url()}`).toEqual([]);
}
