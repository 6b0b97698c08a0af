"""An installation of Grantbook to attack: a data directory, a server on a free port, and requests to it.

Every script beside this file is one attack, on the executable whose path it is given:

    python3 tests/attacks/early_key.py target/debug/grantbook

It prints one line, `NAME: held: ANSWER` or `NAME: broken: ANSWER`, and exits with 0 or 1. Only Python's standard library
is needed. `make test` runs them all on the executable it built.
"""

import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request


class Answer:
    """Status, headers and body of a response; the body parsed where it is JSON."""

    def __init__(self, status, headers, raw):
        self.status = status
        self.headers = headers
        self.raw = raw
        try:
            self.body = json.loads(raw)
        except ValueError:
            self.body = raw.decode("utf-8", "replace")

    def __getitem__(self, name):
        return self.body[name]

    @property
    def code(self):
        """The stable code of a problem, else None."""
        return self.body.get("code") if isinstance(self.body, dict) else None

    def __str__(self):
        return f"{self.status} {self.code}" if self.code else str(self.status)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """A `grantbook serve` process, ended by its process id."""

    def __init__(self, binary, data, args=("all",), env=None, options=()):
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        command = [binary, "serve", *args, "--data", data, "--listen", f"127.0.0.1:{self.port}", *options]
        self.log = tempfile.NamedTemporaryFile("w+", prefix="grantbook-attack-", suffix=".log")
        full = {**os.environ, **(env or {})}
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=self.log, env=full)

    def wait(self, path="/readyz", patience=60.0):
        """Waits until the path answers 200. Returns False if the process ended or the time is over."""
        end = time.monotonic() + patience
        while time.monotonic() < end and self.process.poll() is None:
            try:
                if self.call("GET", path).status == 200:
                    return True
            except OSError:
                pass
            time.sleep(0.05)
        return False

    def call(self, method, path, body=None, key=None, headers=None):
        """One request; `body` is sent as JSON unless it is bytes already."""
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data=data, method=method)
        if data is not None:
            request.add_header("Content-Type", "application/json")
        if key:
            request.add_header("Authorization", f"Bearer {key}")
        for name, value in (headers or {}).items():
            request.add_header(name, value)
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                return Answer(response.status, response.headers, response.read())
        except urllib.error.HTTPError as refused:
            return Answer(refused.code, refused.headers, refused.read())

    def raw(self, sent):
        """The bytes of an answer to exactly these bytes, up to the end of the connection, or of 5 seconds."""
        received = b""
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as wire:
            try:
                wire.sendall(sent)
                while piece := wire.recv(65536):
                    received += piece
            except OSError:
                # Reset, or nothing more came: what came so far is the answer.
                pass
        return received

    def settled(self, method, path, body=None, key=None):
        """The answer once the node is no longer starting."""
        end = time.monotonic() + 60.0
        while True:
            answer = self.call(method, path, body, key)
            if answer.code != "starting" or time.monotonic() > end:
                return answer
            time.sleep(0.05)

    def errors(self):
        """What the process wrote to standard error so far."""
        with open(self.log.name, encoding="utf-8", errors="replace") as log:
            return log.read()

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


class Installation:
    """A data directory with one organization, and a server on it unless `serve` is false."""

    def __init__(self, binary, serve=True):
        self.binary = binary
        self.directory = tempfile.TemporaryDirectory(prefix="grantbook-attack-")
        self.data = os.path.join(self.directory.name, "data")
        made = self.run("init", "--org", "acme", "--owner", "ada@example.com", "--data", self.data, "--json")
        self.made = json.loads(made.stdout)
        self.owner = self.made["key"]
        self.org = self.made["organization"]["id"]
        self.user = self.made["user"]["id"]
        self.server = None
        if serve:
            self.start()

    def start(self, **options):
        self.server = Server(self.binary, self.data, **options)
        if not self.server.wait():
            raise RuntimeError("the server did not become ready: " + self.server.errors())
        return self.server

    def start_unready(self):
        """Starts the server and waits only until its process answers at all."""
        self.server = Server(self.binary, self.data)
        self.server.wait("/healthz")
        return self.server

    def run(self, *args, check=True, env=None):
        """Runs the executable to its end."""
        full = {**os.environ, **(env or {})}
        done = subprocess.run([self.binary, *args], capture_output=True, text=True, env=full, timeout=120, check=False)
        if check and done.returncode != 0:
            raise RuntimeError(f"{' '.join(args)}: {done.stderr}")
        return done

    def call(self, method, path, body=None, key=None, headers=None):
        """A request by the owner unless `key` says otherwise."""
        return self.server.call(method, path, body, key or self.owner, headers)

    def made_by(self, path, body, key=None):
        """A creation that must succeed: the body of the answer."""
        answer = self.call("POST", path, body, key)
        if answer.status not in (200, 201):
            raise RuntimeError(f"POST {path}: {answer.status} {answer.raw!r}")
        return answer.body

    def token(self, name, *grants):
        """A service token with these grants (bodies without `to`), and a key of it: (id, secret)."""
        token = self.made_by("/v1/tokens", {"name": name})["id"]
        for grant in grants:
            self.made_by("/v1/grants", {"to": {"type": "token", "id": token}, **grant})
        return token, self.made_by(f"/v1/tokens/{token}/keys", {})["secret"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.server:
            self.server.stop()
        self.directory.cleanup()


def raw_request(target, *headers, method=b"GET", body=b""):
    """The bytes of a request for one answer on its connection, with these header lines and no others but framing."""
    lines = [method + b" " + target + b" HTTP/1.1", b"Connection: close", *headers]
    return b"\r\n".join([*lines, b"", body])


def refused(received, status, code):
    """What is wrong with the last answer on a connection, which must be a problem with this status and code; else None."""
    received = received[max([0] + [one.start() for one in re.finditer(rb"HTTP/1\.1 \d{3} ", received)]) :]
    head, _, body = received.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").lower().split("\r\n")
    found = lines[0].split(" ")[1] if " " in lines[0] else "nothing"
    if found != str(status):
        return found
    if "content-type: application/problem+json" not in lines:
        return f"{found} without a problem"
    problem = json.loads(body)
    if (problem["code"], problem["status"]) != (code, status):
        return f"{found} {problem['code']}"
    named = any(line.startswith("x-request-id: ") for line in lines)
    return None if named and problem["detail"] else f"{found} without an id"


def attack_with(name, cases):
    """Sends each case (what, bytes, status, code) to a server, without a key, and reports whether all were refused so."""
    with Installation(binary()) as it:
        wrong = []
        for what, sent, status, code in cases:
            found = refused(it.server.raw(sent), status, code)
            if found:
                wrong.append(f"{what}: {found}, not {status}")
        serves = it.call("GET", "/v1/whoami").status == 200
        logged = it.server.errors().count("request refused") >= len(cases)
        answers = sorted({f"{status} {code}" for _, _, status, code in cases})
        told = "; ".join(wrong) or f"{', '.join(answers)}, {'' if logged else 'not '}in the log"
        report(name, serves and logged and not wrong, told)


def report(name, held, answer):
    """Prints the verdict and ends the script."""
    print(f"{name}: {'held' if held else 'broken'}: {answer}")
    sys.exit(0 if held else 1)


def binary():
    """The path given on the command line."""
    if len(sys.argv) != 2:
        sys.exit(f"usage: {sys.argv[0]} PATH-OF-GRANTBOOK")
    return os.path.abspath(sys.argv[1])
