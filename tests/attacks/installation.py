"""An installation of Grantbook to attack: a data directory, a server on a free port, and requests to it.

Every script beside this file is one attack, on the executable whose path it is given:

    python3 tests/attacks/early_key.py target/debug/grantbook

It prints one line, `NAME: held: ANSWER` or `NAME: broken: ANSWER`, and exits with 0 or 1. Only Python's standard library
is needed. `make test` runs them all on the executable it built.
"""

import json
import os
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


def report(name, held, answer):
    """Prints the verdict and ends the script."""
    print(f"{name}: {'held' if held else 'broken'}: {answer}")
    sys.exit(0 if held else 1)


def binary():
    """The path given on the command line."""
    if len(sys.argv) != 2:
        sys.exit(f"usage: {sys.argv[0]} PATH-OF-GRANTBOOK")
    return os.path.abspath(sys.argv[1])
