"""Shared by the Python drivers: JSON lines on standard output, and the number of requests that really went out."""

import functools
import importlib.metadata
import json
import re

_sent = 0


def say(step, **facts):
    """Prints one line about one step."""
    print(json.dumps({"step": step, **facts}), flush=True)


def count(transport, method):
    """Counts every call of a transport's sending method, retries included."""
    send = getattr(transport, method)

    @functools.wraps(send)
    def counted(*args, **kwargs):
        global _sent
        _sent += 1
        return send(*args, **kwargs)

    setattr(transport, method, counted)


def finish(package):
    """Prints the last line: the package, its version, its pinned hash and the number of requests."""
    distribution = importlib.metadata.distribution(package)
    pinned = distribution.locate_file("requirements.txt").read_text()
    found = re.search(rf"^{package}==\S+ \\\s+--hash=(\S+)", pinned, re.MULTILINE)
    say("finished", package=package, version=distribution.version, hash=found.group(1), requests=_sent)
