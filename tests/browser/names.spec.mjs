// 200 names that would like to be markup, script, or somebody else's: each is made through the API, listed once, and none runs.
import { expect, test } from "./hygiene.mjs";
import * as api from "./api.mjs";
import { base, keys } from "./env.mjs";
import { action, NAVIGATION, signIn } from "./pages.mjs";

const HOSTILE = [
  "<script>ran()</script>", "<img src=x onerror=ran()>", "<svg/onload=ran()>", "\"><script>ran()</script>", "'><img src=x onerror=ran()>",
  "</title><script>ran()</script>", "</textarea><script>ran()</script>", "</script><script>ran()</script>", "<!--<script>ran()-->",
  "]]><script>ran()</script>", "javascript:ran()", "\" autofocus onfocus=ran() x=\"", "' onmouseover='ran()", "` onclick=`ran()`",
  "<a href=javascript:ran()>link</a>", "<iframe srcdoc='<script>parent.ran()</script>'>", "<base href=http://foreign.invalid/>",
  "<meta http-equiv=refresh content=0;url=http://foreign.invalid/>", "<link rel=stylesheet href=http://foreign.invalid/x.css>",
  "<form action=http://foreign.invalid/><button>Sign in</button>", "<div hx-get=/console/tokens hx-trigger=load>",
  "<div hx-on:click=ran() hx-trigger=load>", "<b hx-vals=js:ran()>", "{{ ran() }}", "{% ran() %}", "${ran()}", "#{ran()}", "<%= ran() %>",
  "&lt;script&gt;ran()&lt;/script&gt;", "&amp;&quot;&#39;", "%3Cscript%3Eran()%3C/script%3E", "\\u003cscript\\u003eran()", "../../etc/passwd",
  "//foreign.invalid/", "?next=//foreign.invalid", "a;b=c&d=e#f", "=cmd|' /C calc'!A0", "+1+1", "@SUM(1)", "null", "undefined", "[object Object]",
  "__proto__", "constructor", "id", "action", "submit", "0", "-1", "NaN", "$0.id", "label:env=production", "token:bot", "all",
];
const SCRIPTS = [
  "\u05e9\u05dc\u05d5\u05dd", "\u0645\u0631\u062d\u0628\u0627", "\u4f60\u597d\u4e16\u754c", "\u3053\u3093\u306b\u3061\u306f", "\uc548\ub155",
  "\u0928\u092e\u0938\u094d\u0924\u0947", "\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35", "\u041f\u0440\u0438\u0432\u0435\u0442", "\u0393\u03b5\u03b9\u03ac",
  "\u1218\u1208", "\u10d2\u10d0\u10db", "\u0532\u0561\u0580\u0565\u0582", "Z\u0351\u036b\u0343\u036a\u0302\u036b\u033d\u034f\u0334\u0319\u0324\u031e",
  "\u{1f600}\u{1f680}", "\ufb01\u2126\u212b", "i\u0307\u0130\u0131", "\u202eabc", "\u200bhidden", "\u2066isolated\u2069", "\ufeffmark",
];
const COUNT = 200;
const BYTES = 256;
const KINDS = [["/v1/tokens", "Service tokens"], ["/v1/groups", "Permission groups"], ["/v1/projects", "Projects"]];

/** A generator that gives the same numbers every time. */
function dice(seed) {
  let state = seed;
  return (sides) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * sides);
  };
}

/** Names of pieces; a fifth of them as long as a name may be. */
function* names() {
  const roll = dice(2026);
  const pieces = [...HOSTILE, ...SCRIPTS];
  for (let number = 0; ; number += 1) {
    let name = `${number} `;
    if (number < pieces.length) {
      name += pieces[number];
    } else {
      for (let more = 1 + roll(4); more > 0; more -= 1) {
        name += pieces[roll(pieces.length)];
      }
    }
    while (number % 5 === 4 && Buffer.byteLength(name) < BYTES) {
      name += roll(2) ? "W" : "\u05d0";
    }
    yield cut(name);
  }
}

function cut(name) {
  const letters = [...name];
  while (Buffer.byteLength(letters.join("")) > BYTES) {
    letters.pop();
  }
  return letters.join("").trim();
}

/** Makes things of such names; those that the server refuses, for what they hide, are not made, and not counted. */
async function make() {
  const made = new Map(KINDS.map(([path]) => [path, []]));
  let [count, refused] = [0, 0];
  for (const name of names()) {
    const [path] = KINDS[count % KINDS.length];
    const body = path === "/v1/projects" ? { name } : { name, description: name };
    const answer = await api.post(path, keys.owner, body);
    expect([201, 400], `${name}: ${await answer.clone().text()}`).toContain(answer.status);
    if (answer.status === 201) {
      made.get(path).push({ name, id: (await answer.json()).id });
      count += 1;
    } else {
      refused += 1;
    }
    if (count === COUNT) {
      expect(refused, "most names are taken").toBeLessThan(COUNT);
      return made;
    }
  }
}

/** What all pages of a list say. */
async function walk(page) {
  let text = "";
  for (let pages = 0; pages < 50; pages += 1) {
    text += await page.getByRole("main").evaluate((main) => main.textContent);
    const next = page.getByRole("link", { name: "Next", exact: true });
    if (!(await next.isVisible())) {
      return text;
    }
    const before = page.url();
    await next.click();
    await expect(page).not.toHaveURL(before);
  }
  throw new Error("the list does not end");
}

test("200 hostile names are listed as they are, and none runs", async ({ page }) => {
  test.setTimeout(240_000);
  let ran = 0;
  await page.exposeFunction("ran", () => (ran += 1));
  const made = await make();
  await signIn(page, keys.owner);
  const plain = (text) => text.replace(/\s+/g, " ");
  for (const [path, list] of KINDS) {
    await page.goto(NAVIGATION[list]);
    const text = plain(await walk(page));
    const absent = made.get(path).map(({ name }) => name).filter((name) => !text.includes(plain(name)));
    expect(absent, list).toEqual([]);
  }
  // Each kind's own page too, for names that close what comes before them.
  for (const [path, list] of KINDS) {
    for (const { name, id } of made.get(path).slice(0, 12)) {
      await page.goto(`${NAVIGATION[list]}/${id}`);
      await expect(page.getByRole("heading", { level: 1 })).toContainText(plain(name));
    }
  }
  await page.goto("/console/tokens");
  await action(page, "Create service token").click();
  await expect(page.getByRole("button", { name: "Create", exact: true })).toBeVisible();
  await page.goto("/console/audit");
  await expect(page.getByRole("table", { name: "Records" })).toBeVisible();
  expect(page.url().startsWith(base())).toBe(true);
  expect(ran, "no name runs").toBe(0);
});
