// How the suite of the console runs. The addresses and keys come from the environment (env.mjs); tests/harness/browser starts it.
import { fileURLToPath } from "node:url";
import { launchOptions } from "./chromium.mjs";

const { BASE, OUTPUT, GOLDEN, CI } = process.env;
const unscripted = { javaScriptEnabled: false };
const anyWhere = /(lookups|reviews|settings|story|sessions)\.spec\.mjs/;

export default {
  testDir: ".",
  outputDir: OUTPUT ?? fileURLToPath(new URL("../../.cache/browser-results", import.meta.url)),
  snapshotPathTemplate: "{testDir}/golden/{arg}{ext}",
  updateSnapshots: GOLDEN === "accept" ? "all" : "none",
  workers: 1,
  fullyParallel: false,
  retries: 0,
  forbidOnly: Boolean(CI),
  // Bounds, not promises: the suite runs beside all other tests.
  timeout: 120_000,
  expect: { timeout: 20_000 },
  reporter: [["list"], ["./report.mjs"]],
  use: {
    baseURL: BASE,
    browserName: "chromium",
    launchOptions,
    ignoreHTTPSErrors: true,
    locale: "en-GB",
    timezoneId: "UTC",
    viewport: { width: 1280, height: 900 },
    actionTimeout: 20_000,
    navigationTimeout: 30_000,
    trace: "off",
    screenshot: "off",
    video: "off",
  },
  projects: [
    { name: "script", testMatch: /(layout|lookups|names|reviews|security|sessions|settings|story)\.spec\.mjs/ },
    { name: "no-script", testMatch: anyWhere, use: unscripted },
    { name: "tls", testMatch: /(security|sessions)\.spec\.mjs/ },
    { name: "nodes", testMatch: anyWhere },
    // On a server where nothing was made but people and two projects.
    { name: "golden", testMatch: /golden\.spec\.mjs/ },
    // Does the suite notice? Needs no server.
    { name: "planted", testMatch: /planted\.spec\.mjs/ },
    { name: "pictures", testMatch: /pictures\.spec\.mjs/ },
  ],
};
