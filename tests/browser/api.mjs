// The API, as a program uses it: by key, without a browser.
import { expect } from "./packages.mjs";
import { base } from "./env.mjs";

async function call(method, path, { key, body, at = base() }) {
  const headers = { authorization: `Bearer ${key}`, ...(body && { "content-type": "application/json" }) };
  return fetch(at + path, { method, headers, body: body && JSON.stringify(body) });
}

export const get = (path, key, at) => call("GET", path, { key, at });
export const post = (path, key, body, at) => call("POST", path, { key, body, at });
export const patch = (path, key, body) => call("PATCH", path, { key, body });
export const remove = (path, key) => call("DELETE", path, { key });

/** The body of an answer that must have this status. */
export async function body(answer, status = 200) {
  const response = await answer;
  const text = await response.text();
  expect(response.status, text).toBe(status);
  return JSON.parse(text);
}

/** Everything in a list. */
export async function all(path, key) {
  const items = [];
  let cursor = "";
  do {
    const page = await body(get(`${path}?limit=1000${cursor}`, key));
    items.push(...page.items);
    cursor = page.next && `&cursor=${encodeURIComponent(page.next)}`;
  } while (cursor);
  return items;
}

/** The id of the project of that name. */
export async function projectId(name, key) {
  const found = (await all("/v1/projects", key)).find((project) => project.name === name);
  expect(found, name).toBeTruthy();
  return found.id;
}
