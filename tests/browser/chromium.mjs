// Which Chromium is used: CHROMIUM=path, else Debian's, else that of .cache/browser, with the libraries and fonts beside it.
//
//   node chromium.mjs --version     prints the version of the one that is used; fails if none starts
import { execFileSync } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { fileURLToPath } from "node:url";

const packaged = fileURLToPath(new URL("../../.cache/browser/chromium/", import.meta.url));

function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function found() {
  const { CHROMIUM } = process.env;
  if (CHROMIUM) {
    return CHROMIUM;
  }
  return ["/usr/bin/chromium", `${packaged}chromium`].find(isExecutable) ?? `${packaged}chromium`;
}

// Nothing that this machine configures, such as a proxy, is for the browser.
function environment(path) {
  const { PATH = "", HOME = "/tmp", TMPDIR = "/tmp" } = process.env;
  const own = path.startsWith(packaged) ? { LD_LIBRARY_PATH: `${packaged}lib`, FONTCONFIG_PATH: packaged, XDG_CACHE_HOME: packaged } : {};
  return { PATH, HOME, TMPDIR, LANG: "C.UTF-8", ...own };
}

const executablePath = found();

/** A host that leads to this machine, and is not known to be it. */
export const PLAIN_HOST = "plain.invalid";

export const launchOptions = {
  executablePath,
  env: environment(executablePath),
  timeout: 30_000,
  args: [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-domain-reliability",
    "--disable-sync",
    "--metrics-recording-only",
    "--no-default-browser-check",
    "--no-first-run",
    "--no-pings",
    "--font-render-hinting=none",
    `--host-resolver-rules=MAP ${PLAIN_HOST} 127.0.0.1`,
  ],
};

export function version() {
  const options = { env: launchOptions.env, encoding: "utf8", timeout: 30_000 };
  return execFileSync(executablePath, ["--version"], options).trim();
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    console.log(version());
  } catch (error) {
    console.error(`${executablePath} does not start: ${error.message}`);
    process.exitCode = 1;
  }
}
