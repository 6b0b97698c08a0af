// Shared by the JavaScript drivers: the packages of .cache/braintrust/npm, JSON lines, and the number of requests sent.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const packages = new URL("../../../.cache/braintrust/npm/package.json", import.meta.url);
export const load = createRequire(packages);

/** Prints one line about one step. */
export function say(step, facts = {}) {
  console.log(JSON.stringify({ step, ...facts }));
}

/** Ends the program with exit code 1 unless the condition holds. */
export function expect(condition, what) {
  if (!condition) {
    say("surprise", { what });
    process.exit(1);
  }
}

let sent = 0;

/** A fetch that counts its requests, retries included, and shows each response to `seen`. */
export function counting(fetch, seen = () => {}) {
  return async (...request) => {
    sent += 1;
    const response = await fetch(...request);
    await seen(response);
    return response;
  };
}

/** Prints the last line: the package, its version, its pinned hash and the number of requests. */
export function finish(name) {
  const lock = JSON.parse(readFileSync(new URL("package-lock.json", packages)));
  const { version, integrity } = lock.packages[`node_modules/${name}`];
  say("finished", { package: name, version, hash: integrity, requests: sent });
}
