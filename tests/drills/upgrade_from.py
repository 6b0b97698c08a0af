"""The upgrade of docs/operating.md, live: from the executable of one version to that of the next, over a real nats-server.

    python3 tests/drills/upgrade_from.py OLD NEW

Two read nodes and a command service of OLD are replaced one by one: a read node, then the command service. Between the steps
there are writes, and every node that serves is asked the same questions. Before the new command service writes, everything
goes back once. The second read node stays behind on purpose, to see what it does with a record that it does not know: it
must stop answering. The script prints a line a step and exits with 0, or stops at the first step that went otherwise.

`make nats` fetches the nats-server; NATS_SERVER names another. Only Python's standard library is needed.
"""

import json
import os
import socket
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "attacks"))
from installation import Server, free_port  # noqa: E402

LIMIT = 60.0
# Answers that an executable gives when a node has stopped, or does not answer because it does not know enough.
STOPPED = 503


def nats_server(directory):
    """A nats-server with JetStream that syncs always: (process, URL)."""
    path = os.environ.get("NATS_SERVER") or os.path.join(HERE, "..", "..", ".cache", "nats", "2.15.1", "nats-server")
    port, config = free_port(), os.path.join(directory, "nats.conf")
    with open(config, "w", encoding="utf-8") as file:
        file.write(f"listen: 127.0.0.1:{port}\njetstream {{ store_dir: \"{directory}/nats\", sync_interval: always }}\n")
    process = subprocess.Popen([path, "-c", config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    end = time.monotonic() + LIMIT
    while True:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=5):
                return process, f"nats://127.0.0.1:{port}"
        except OSError:
            if time.monotonic() > end or process.poll() is not None:
                sys.exit("the nats-server does not start")
            time.sleep(0.05)


class Drill:
    """The processes, by name, and what has been shown."""

    def __init__(self, old, new, directory, nats):
        self.old, self.new, self.directory, self.nats = old, new, directory, nats
        self.processes = {}
        self.steps = 0
        made = self.run(old, "init", "--org", "acme", "--owner", "ada@example.com", "--data", os.path.join(directory, "init"))
        self.key = json.loads(made.stdout)["key"]
        self.ids = {}

    def run(self, binary, *args):
        done = subprocess.run([binary, "--json", *args, "--nats", self.nats], capture_output=True, text=True, timeout=120,
            check=False)
        if done.returncode != 0:
            sys.exit(f"{args}: {done.stderr}")
        return done

    def start(self, name, part, binary, ready=True):
        """Starts a process in its own directory, which it keeps over exchanges of its executable."""
        server = Server(binary, os.path.join(self.directory, name), args=(part,), options=("--nats", self.nats))
        self.processes[name] = server
        if ready and not server.wait(patience=LIMIT):
            sys.exit(f"{name} did not become ready: {server.errors()}")

    def exchange(self, name, part, binary):
        self.processes[name].stop()
        self.start(name, part, binary)

    def write(self, name, path, body, keep=None):
        """A write that is acknowledged; its position."""
        answer = self.processes[name].call("POST", path, body, self.key)
        if answer.status != 201:
            sys.exit(f"POST {path} to {name}: {answer.raw!r}")
        if keep:
            self.ids[keep] = answer["id"]
        return answer.headers["Grantbook-Position"]

    def ask(self, name, position, method, path, body=None):
        """An answer at the position or later, however long the node takes to be there."""
        end = time.monotonic() + LIMIT
        while True:
            answer = self.processes[name].call(method, path, body, self.key, {"Grantbook-At-Least": position})
            if answer.status != 503 or time.monotonic() > end:
                return answer

    def questions(self, name, position):
        """What a node answers to everything that is asked here, positions left out."""
        on = [{"type": "dataset", "id": one} for one in ("d1", "d2", "d3")]
        on += [{"type": "project", "id": self.ids[one]} for one in ("apollo", "borealis")]
        who = [{"type": "token", "id": self.ids[one]} for one in ("app", "robot", "deep")]
        asked = [{"principal": one, "permission": permission, "object": thing}
            for one in who for permission in ("read", "update") for thing in on]
        answers = [self.ask(name, position, "POST", "/v1/check/batch", {"checks": asked})]
        for one in who:
            answers.append(self.ask(name, position, "GET", f"/v1/access?principal=token:{one['id']}"))
        for thing in on:
            answers.append(self.ask(name, position, "GET", f"/v1/who-can?permission=read&object={thing['type']}:{thing['id']}"))
        wrong = [answer for answer in answers if answer.status != 200]
        if wrong:
            sys.exit(f"{name}: {wrong[0].raw!r}")
        return [plain(answer.body) for answer in answers]

    def step(self, text):
        self.steps += 1
        print(f"{self.steps:2} {text}", flush=True)

    def same(self, one, other, position):
        """Two nodes give the same answers; how many."""
        first, second = self.questions(one, position), self.questions(other, position)
        for left, right in zip(first, second):
            if left != right:
                sys.exit(f"{one} and {other} differ:\n{left}\n{right}")
        allowed = sum(result["allowed"] for result in first[0]["results"])
        return f"{len(first[0]['results'])} checks ({allowed} allowed) and {len(first) - 1} other questions"


def plain(value):
    """An answer without what differs between versions although access does not: the project that an object says to lie in,
    and keys that their issuers could not issue today."""
    if isinstance(value, dict):
        left_out = ("position", "keys_of_concern") + (("project",) if "type" in value else ())
        return {name: plain(inner) for name, inner in value.items() if name not in left_out}
    return [plain(inner) for inner in value] if isinstance(value, list) else value


def story(drill):
    """What the old command service writes first: grants on objects, a deny, groups in groups, an object registered again."""
    write = lambda path, body, keep=None: drill.write("command", path, body, keep)
    for name in ("apollo", "borealis"):
        write("/v1/projects", {"name": name}, name)
    for name in ("app", "robot", "deep"):
        write("/v1/tokens", {"name": name}, name)
    for name, project in (("d1", "apollo"), ("d2", "apollo"), ("d3", "borealis")):
        write("/v1/objects", {"type": "dataset", "id": name, "project": drill.ids[project]})
    on = lambda name: {"object": {"type": "dataset", "id": name}}
    to = lambda name: {"type": "token", "id": drill.ids[name]}
    for name in ("d1", "d2"):
        write("/v1/grants", {"to": to("app"), "on": on(name), "permissions": ["read", "update"]})
    write("/v1/grants", {"to": to("robot"), "on": {"projects": {"include": "all"}}, "role": "Engineer"})
    write("/v1/grants", {"to": to("robot"), "on": on("d3"), "permissions": ["update"], "effect": "deny"})
    removed = drill.processes["command"].call("DELETE", "/v1/objects/dataset/d2", None, drill.key)
    if removed.status != 200:
        sys.exit(f"d2 is not removed: {removed.raw!r}")
    write("/v1/objects", {"type": "dataset", "id": "d2", "project": drill.ids["apollo"]})
    above = None
    for index in range(80):
        write("/v1/groups", {"name": f"deep-{index}"}, "group")
        if above is None:
            write("/v1/grants", {"to": {"type": "group", "id": drill.ids["group"]}, "on": {"organization": True}, "role": "Viewer"})
        else:
            write(f"/v1/groups/{above}/members", {"member": {"type": "group", "id": drill.ids["group"]}})
        above = drill.ids["group"]
    return write(f"/v1/groups/{above}/members", {"member": to("deep")})


def behind_a_new_record(drill, position):
    """The old read node behind the first record of the new schema: never an answer, and it says why."""
    question = {"principal": {"type": "token", "id": drill.ids["app"]}, "permission": "read",
        "object": {"type": "dataset", "id": "d1"}}
    end = time.monotonic() + LIMIT
    while True:
        node = drill.processes["read-2"]
        asked = node.call("POST", "/v1/check", question, drill.key, {"Grantbook-At-Least": position})
        plainly = node.call("POST", "/v1/check", question, drill.key)
        ready = node.call("GET", "/readyz")
        if asked.status == 200:
            sys.exit(f"the old read node answered at a position that it cannot have read: {asked.raw!r}")
        if plainly.status == STOPPED and ready.status == STOPPED:
            break
        if time.monotonic() > end:
            sys.exit(f"the old read node still answers: {plainly} {ready}")
        time.sleep(0.1)
    drill.step(f"the old read node has stopped: check {plainly}, /readyz {ready.status}: {ready.raw.decode()}")
    said = [line for line in node.errors().splitlines() if "schema" in line]
    drill.step(f"and its log says why: {said[-1] if said else 'NOTHING'}")
    if not said:
        sys.exit("the log names no schema")


def old_command_on_a_new_record(drill):
    """An old command service started behind a record of the new schema takes no write."""
    drill.start("command-old", "command", drill.old, ready=False)
    server, end = drill.processes["command-old"], time.monotonic() + LIMIT
    while server.process.poll() is None and time.monotonic() < end and "schema" not in server.errors():
        time.sleep(0.1)
    taken = "the process has ended"
    if server.process.poll() is None:
        answer = server.call("POST", "/v1/tokens", {"name": "fork"}, drill.key)
        if answer.status < 500:
            sys.exit(f"an old command service took a write: {answer.raw!r}")
        taken = str(answer)
    said = [line for line in server.errors().splitlines() if "schema" in line]
    drill.step(f"an old command service takes no write on it: {taken}; {said[-1] if said else server.errors()[-300:]}")
    server.stop()


def drilled(drill):
    for name, part in (("command", "command"), ("read-1", "read"), ("read-2", "read")):
        drill.start(name, part, drill.old)
    position = story(drill)
    drill.step(f"old command, two old read nodes: equal in {drill.same('read-1', 'read-2', position)}")

    drill.exchange("read-1", "read", drill.new)
    drill.step(f"a read node upgraded: equal to the old one in {drill.same('read-1', 'read-2', position)}")
    position = drill.write("command", "/v1/grants", {"to": {"type": "token", "id": drill.ids["app"]}, "permissions": ["read"],
        "on": {"object": {"type": "dataset", "id": "d2"}}})
    drill.step(f"the old command service wrote; the new read node follows: equal in {drill.same('read-1', 'read-2', position)}")

    drill.exchange("command", "command", drill.new)
    drill.step(f"the command service upgraded, nothing written: equal in {drill.same('read-1', 'read-2', position)}")
    drill.exchange("command", "command", drill.old)
    drill.exchange("read-1", "read", drill.old)
    position = drill.write("command", "/v1/grants", {"to": {"type": "token", "id": drill.ids["robot"]}, "role": "Viewer",
        "on": {"organization": True}})
    drill.step(f"back to the old version, which wrote: equal in {drill.same('read-1', 'read-2', position)}")
    drill.exchange("read-1", "read", drill.new)
    drill.exchange("command", "command", drill.new)
    drill.step(f"upgraded again: equal in {drill.same('read-1', 'read-2', position)}")

    before = drill.questions("read-1", position)
    position = drill.write("command", "/v1/tokens", {"name": "first of the new schema"})
    if drill.questions("read-1", position) != before:
        sys.exit("a token that has nothing changed what the others have")
    drill.step("the new command service wrote a record; the new read node answers at it as before")

    behind_a_new_record(drill, position)
    old_command_on_a_new_record(drill)
    drill.exchange("read-2", "read", drill.new)
    drill.step(f"the second read node upgraded: equal in {drill.same('read-1', 'read-2', position)}")
    if drill.questions("read-2", position) != before:
        sys.exit("the second read node answers otherwise than the first did before")
    report = json.loads(drill.run(drill.new, "journal", "verify").stdout)
    if report["violations"]:
        sys.exit(f"the journal is broken: {report['violations']}")
    drill.step(f"the journal is whole: {report['head']} frames")


def main():
    if len(sys.argv) != 3:
        sys.exit(f"usage: {sys.argv[0]} OLD NEW")
    old, new = (os.path.abspath(path) for path in sys.argv[1:])
    with tempfile.TemporaryDirectory(prefix="grantbook-drill-") as directory:
        process, url = nats_server(directory)
        drill = None
        try:
            drill = Drill(old, new, directory, url)
            drilled(drill)
        finally:
            for server in drill.processes.values() if drill else ():
                server.stop()
            process.terminate()
            process.wait()


if __name__ == "__main__":
    main()
