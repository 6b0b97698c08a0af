// Plays steps with npm braintrust 3.35.0 and compares each outcome with the expected one.
//
// BASE is the address (http://host:port/braintrust), KEY the key. Steps are arguments, or lines of standard input when there
// are none: `node story.mjs init:staging init:prod=403`. A step is MODE:PROJECT[=EXPECTED], where EXPECTED is `allowed` (the
// default) or the HTTP status of a denial. Each step prints one JSON line; the exit code is 1 after a surprise.
import { createInterface } from "node:readline";
import { counting, finish, load, say } from "./report.mjs";

// Numbers here, where the Python SDK takes "true".
process.env.BRAINTRUST_SYNC_FLUSH = "1";
process.env.BRAINTRUST_NUM_RETRIES = "0";

// flush() never fails in this package, whatever the server answered: the writer's responses are watched instead.
let written = null;
globalThis.fetch = counting(globalThis.fetch, async (response) => {
  if (response.url.endsWith("/logs3")) {
    written = { status: response.status, text: await response.clone().text() };
  }
});

const braintrust = load("braintrust");
const login = { appUrl: process.env.BASE, apiKey: process.env.KEY };

async function flush(writer) {
  written = null;
  await writer.flush();
  if (written?.status !== 200) {
    throw Object.assign(new Error(written?.text ?? "nothing was written"), { status: written?.status });
  }
}

async function init(project) {
  const experiment = braintrust.init({ experiment: "story", ...project, ...login });
  const ids = { experiment: await experiment.id, name: await experiment.name, project: (await experiment.project).id };
  experiment.log({ input: "question", output: "answer", scores: { correct: 1 } });
  await flush(experiment);
  return ids;
}

async function logger(project) {
  const opened = braintrust.initLogger({ ...project, ...login });
  const ids = { project: (await opened.project).id };
  opened.log({ input: "question", output: "answer" });
  await flush(opened);
  return ids;
}

async function dataset(project) {
  const made = braintrust.initDataset({ dataset: "story", ...project, ...login });
  const ids = { dataset: await made.id, project: (await made.project).id };
  made.insert({ input: "question", expected: "answer" });
  await flush(made);
  return ids;
}

async function open(project) {
  return { experiment: await braintrust.init({ experiment: "story", open: true, ...project, ...login }).id };
}

async function summarize(project) {
  const experiment = braintrust.init({ experiment: "story", ...project, ...login });
  await experiment.id; // a row of a denied experiment would spoil the whole next batch
  experiment.log({ input: "question", output: "answer", scores: { correct: 1 } });
  const { projectName, experimentName } = await experiment.summarize();
  return { project_name: projectName, name: experimentName };
}

const modes = {
  init: (project) => init({ project }),
  init_by_id: (projectId) => init({ projectId }),
  logger: (projectName) => logger({ projectName }),
  logger_by_id: (projectId) => logger({ projectId }),
  // Name and id together: the SDK looks nothing up, so that only /logs3 can deny.
  logger_unchecked: (projectId) => logger({ projectName: "unchecked", projectId }),
  dataset: (project) => dataset({ project }),
  open: (project) => open({ project }),
  summarize: (project) => summarize({ project }),
};

async function play(step) {
  const [story, expected = "allowed"] = step.split("=");
  const [mode, project] = story.split(":");
  let facts;
  try {
    facts = await modes[mode](project);
    facts.outcome = Object.values(facts).every(Boolean) ? "allowed" : "broken";
  } catch (error) {
    const message = String(error.message);
    const status = error.status ?? message.match(/\[(\d{3})\]/)?.[1];
    const outcome = String(status ?? (message.includes("not found") ? "missing" : "broken"));
    facts = { outcome, error: error.constructor.name, message: message.slice(0, 500) };
  }
  say(mode, { project_asked: project, expected, ...facts });
  return facts.outcome === expected;
}

let surprises = 0;
const steps = process.argv.slice(2);
for await (const step of steps.length ? steps : createInterface({ input: process.stdin })) {
  surprises += (await play(step)) ? 0 : 1;
}
finish("braintrust");
process.exit(surprises ? 1 : 0);
