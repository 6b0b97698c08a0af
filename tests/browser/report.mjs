// Ends a run with what the runner of all tests shows: lines that begin with `told: `.
import { version } from "./chromium.mjs";
import { versionOf } from "./packages.mjs";

export default class Report {
  counts = new Map();
  projects = new Set();
  told = [];

  onTestEnd(test, result) {
    const word = test.outcome() === "unexpected" ? "failed" : result.status === "skipped" ? "skipped" : "passed";
    this.counts.set(word, (this.counts.get(word) ?? 0) + 1);
    this.projects.add(test.parent.project().name);
    const told = result.annotations.filter(({ type }) => type === "told");
    this.told.push(...told.map(({ description }) => description));
  }

  onEnd({ duration }) {
    const counts = [...this.counts].map(([word, count]) => `${count} ${word}`).join(", ") || "no tests";
    const tools = ["@playwright/test", "@axe-core/playwright"].map((name) => `${name} ${versionOf(name)}`).join(", ");
    console.log(`told: ${[...this.projects].join(", ")}: ${counts} in ${(duration / 1000).toFixed(1)} s`);
    this.told.forEach((line) => console.log(`told: ${line}`));
    console.log(`told: ${tools}, ${version()}`);
  }

  printsToStdio() {
    return false;
  }
}
