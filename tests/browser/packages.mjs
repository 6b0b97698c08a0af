// The packages of .cache/browser, which `make browser` fetches: Playwright, and axe.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

export const cache = new URL("../../.cache/browser/", import.meta.url);
const load = createRequire(new URL("package.json", cache));

export const { test, expect, request } = load("@playwright/test");
export const { default: AxeBuilder } = load("@axe-core/playwright");
const lock = JSON.parse(readFileSync(new URL("package-lock.json", cache)));
export const versionOf = (name) => lock.packages[`node_modules/${name}`].version;
