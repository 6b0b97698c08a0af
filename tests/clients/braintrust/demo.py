"""Tells the main story with somebody else's code: the administrator uses grantbook, the application Braintrust's client.

`make demo-braintrust` runs it. The journal is a file in a temporary directory, the server takes a free port, and both are gone
at the end.
"""

import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

os.environ["BRAINTRUST_SYNC_FLUSH"] = "true"  # flush() raises instead of dropping what was denied
os.environ["BRAINTRUST_NUM_RETRIES"] = "0"
os.environ["BRAINTRUST_DISABLE_ATEXIT_FLUSH"] = "true"

import braintrust

GRANTBOOK = sys.argv[1]
READY_TIME = 60


def title(text):
    print(f"\n== {text}", flush=True)


def grantbook(*args, env=None):
    """Runs a command, and shows it."""
    shown = " ".join(f"'{arg}'" if " " in arg else arg for arg in args)
    print(f"$ grantbook {shown}")
    done = subprocess.run([GRANTBOOK, *args], env={**os.environ, **(env or {})}, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"exit code {done.returncode}: {done.stderr}")
    return done.stdout


def application(url, key, project):
    """What an application does, as Braintrust's documentation has it; the outcome in words."""
    print(f">>> braintrust.init(project={project!r}, api_key=KEY, app_url={url!r}).log(...)")
    try:
        experiment = braintrust.init(project=project, experiment="nightly", api_key=key, app_url=url, set_current=False)
        experiment.log(input="2 + 2", output="4", scores={"correct": 1})
        experiment.flush()
    except Exception as error:
        innermost = error
        while innermost.__cause__ or innermost.__context__:
            innermost = innermost.__cause__ or innermost.__context__
        print(f"    denied: {str(innermost).strip()[:200]}")
        return "denied"
    print(f"    logged to {experiment.project.name} / {experiment.name}")
    return "logged"


def expect(outcome, wanted):
    if outcome != wanted:
        sys.exit(f"the application's call was {outcome}, and should have been {wanted}")


def tell(url, key):
    admin = {"GRANTBOOK_URL": url, "GRANTBOOK_KEY": key}

    def run(*args):
        return grantbook(*args, env=admin)

    title("1. An administrator creates a service token, an account of its own, and a key for it")
    run("project", "create", "staging")
    run("project", "create", "production", "--label", "env=production")
    run("token", "create", "dev")
    secret = json.loads(run("--json", "token", "key", "dev"))["secret"]
    title("2. and a permission group that excludes production")
    run("group", "create", "non-production")
    run("grant", "create", "--to", "group:non-production", "--role", "Engineer", "--projects", "all", "--except", "label:env=production")
    title("3. and puts the token into the group")
    run("group", "add", "non-production", "token:dev")
    title("4. The application uses Braintrust's client with that key: it can do less than its creator")
    base = f"{url}/braintrust"
    expect(application(base, secret, "staging"), "logged")
    expect(application(base, secret, "production"), "denied")
    title("A project of tomorrow is covered without anybody doing anything")
    run("project", "create", "tomorrow")
    expect(application(base, secret, "tomorrow"), "logged")
    title("Why not production?")
    print(run("why", "token:dev", "read", "project:production"))
    title("The membership ends, and so does the next call")
    run("group", "remove", "non-production", "token:dev")
    expect(application(base, secret, "staging"), "denied")
    title("Who did what?")
    print(run("audit", "--since", "1h"))


def main():
    with tempfile.TemporaryDirectory() as scratch:
        data, ready = str(pathlib.Path(scratch, "data")), pathlib.Path(scratch, "ready")
        key = grantbook("init", "--org", "acme", "--owner", "ada@example.com", "--data", data).strip()
        serve = [GRANTBOOK, "serve", "--data", data, "--listen", "127.0.0.1:0", "--ready-file", str(ready), "--log", "warn"]
        print(f"$ grantbook serve --data {data} --listen 127.0.0.1:0")
        server = subprocess.Popen(serve, stderr=open(pathlib.Path(scratch, "log"), "w"))
        try:
            deadline = time.monotonic() + READY_TIME
            while not ready.exists():
                if server.poll() is not None or time.monotonic() > deadline:
                    sys.exit("the server does not start")
                time.sleep(0.05)
            tell(ready.read_text().strip(), key)
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(30)
    print("\nDone. docs/braintrust.md says which calls are answered.")


main()
