"""Plays steps with the braintrust SDK (0.47.0 or 0.30.1, by PYTHONPATH) and compares each outcome with the expected one.

BASE is the address (http://host:port/braintrust), KEY the key. Steps are arguments, or lines of standard input when there
are none: `python3 sdk_story.py init:staging init:prod=403`. A step is MODE:PROJECT[=EXPECTED], where EXPECTED is `allowed`
(the default), `missing`, or the HTTP status of a denial. Each step prints one JSON line; the exit code is 1 after a surprise.
"""

import os
import re
import sys

os.environ["BRAINTRUST_SYNC_FLUSH"] = "true"  # flush() raises instead of dropping what was denied
os.environ["BRAINTRUST_NUM_RETRIES"] = "0"
os.environ["BRAINTRUST_DISABLE_ATEXIT_FLUSH"] = "true"

import braintrust
import report
import requests

EXPERIMENT = "story"
LOGIN = {"app_url": os.environ["BASE"], "api_key": os.environ["KEY"]}


def log(experiment):
    experiment.log(input="question", output="answer", scores={"correct": 1})
    experiment.flush()


def init(**project):
    experiment = braintrust.init(experiment=EXPERIMENT, **project, **LOGIN)
    ids = {"experiment": experiment.id, "name": experiment.name, "project": experiment.project.id}
    log(experiment)
    return ids


def dataset(**project):
    made = braintrust.init_dataset(name=EXPERIMENT, **project, **LOGIN)
    ids = {"dataset": made.id, "project": made.project.id}
    made.insert(input="question", expected="answer")
    made.flush()
    return ids


def logger(**project):
    opened = braintrust.init_logger(**project, **LOGIN)
    opened.log(input="question", output="answer")
    opened.flush()
    return {"project": opened.project.id}


def open_experiment(**project):
    return {"experiment": braintrust.init(experiment=EXPERIMENT, open=True, **project, **LOGIN).id}


def summarize(**project):
    experiment = braintrust.init(experiment=EXPERIMENT, **project, **LOGIN)
    log(experiment)
    summary = experiment.summarize()
    return {"project_name": summary.project_name, "name": summary.experiment_name}


MODES = {
    "init": lambda name: init(project=name),
    "init_by_id": lambda id: init(project_id=id),
    "dataset": lambda name: dataset(project=name),
    "logger": lambda name: logger(project=name),
    "logger_by_id": lambda id: logger(project_id=id),
    # Name and id together: the SDK looks nothing up, so that only /logs3 can deny.
    "logger_unchecked": lambda id: logger(project="unchecked", project_id=id),
    "open": lambda name: open_experiment(project=name),
    "summarize": lambda name: summarize(project=name),
}


def behind(error):
    """The exception, and all that it contains or was raised from."""
    while error is not None:
        yield error
        for inner in getattr(error, "exceptions", ()):
            yield from behind(inner)
        error = error.__cause__ or error.__context__


def denial(error):
    """The HTTP status behind an exception, wherever this version of the SDK has put it."""
    for inner in behind(error):
        response = getattr(inner, "response", None)
        status = getattr(inner, "status_code", None) or getattr(response, "status_code", None)
        # Login says "[401] ...", the log writer "Error: 403: ...".
        found = re.search(r"\[(\d{3})\]|Error: (\d{3}):", str(inner))
        if status or found:
            return str(status or found.group(1) or found.group(2))
    return "missing" if "not found" in str(error) else "broken"


def play(step):
    """Plays one step; true if it went as expected."""
    story, _, expected = step.partition("=")
    mode, _, project = story.partition(":")
    expected = expected or "allowed"
    try:
        facts = MODES[mode](project)
        facts["outcome"] = "allowed" if all(facts.values()) else "broken"
    except Exception as error:
        message = " / ".join(dict.fromkeys(str(inner) for inner in behind(error)))
        facts = {"outcome": denial(error), "error": type(error).__name__, "message": message[:500]}
    report.say(mode, project_asked=project, expected=expected, **facts)
    return facts["outcome"] == expected


report.count(requests.adapters.HTTPAdapter, "send")
steps = sys.argv[1:] or (line.strip() for line in sys.stdin)
as_expected = [play(step) for step in steps]
report.finish("braintrust")
sys.exit(0 if all(as_expected) else 1)
