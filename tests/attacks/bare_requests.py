"""Requests that are none, or not quite: without a Host or with two, in unknown codings, too long, not HTTP at all.

Each must be refused with the status that the HTTP specifications name, as a problem with a stable code, and before
anybody is asked who they are.
"""

import json
import re

from installation import Installation, binary, report

HOST = b"Host: localhost\r\n"
CLOSE = b"Connection: close\r\n"


def chunked(*headers):
    lines = b"".join(header + b"\r\n" for header in headers)
    return b"POST /v1/tokens HTTP/1.1\r\n" + HOST + CLOSE + b"Content-Type: application/json\r\n" + lines + b"\r\n2\r\n{}\r\n0\r\n\r\n"


def typed(content_type, *headers):
    lines = b"".join(header + b"\r\n" for header in headers)
    head = b"POST /v1/tokens HTTP/1.1\r\n" + HOST + CLOSE + b"Content-Type: " + content_type + b"\r\n" + lines
    return head + b"Content-Length: 2\r\n\r\n{}"


def asked(target, *headers):
    lines = b"".join(header + b"\r\n" for header in headers)
    return b"GET " + target + b" HTTP/1.1\r\n" + CLOSE + lines + b"\r\n"


CASES = [
    ("no host", asked(b"/v1/whoami"), 400, "invalid"),
    ("two hosts", asked(b"/v1/whoami", b"Host: a", b"Host: b"), 400, "invalid"),
    ("a host that is none", asked(b"/v1/whoami", b"Host: user@a"), 400, "invalid"),
    ("gzip, chunked", chunked(b"Transfer-Encoding: gzip, chunked"), 501, "not_implemented"),
    ("gzip alone", chunked(b"Transfer-Encoding: gzip"), 501, "not_implemented"),
    ("chunked twice", chunked(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"), 400, "invalid"),
    ("content in gzip", typed(b"application/json", b"Content-Encoding: gzip"), 415, "unsupported_encoding"),
    ("utf-16", typed(b"application/json; charset=utf-16"), 415, "unsupported_encoding"),
    ("headers of 33 KiB", asked(b"/v1/whoami", b"Host: a", b"X: " + b"x" * (33 << 10)), 431, "headers_too_large"),
    ("headers of 1 MiB", asked(b"/v1/whoami", b"Host: a", b"X: " + b"x" * (1 << 20)), 431, "headers_too_large"),
    ("200 headers", asked(b"/v1/whoami", b"Host: a", *[b"X: x"] * 200), 431, "headers_too_large"),
    ("target of 20 KiB", asked(b"/v1/whoami?" + b"x" * (20 << 10), b"Host: a"), 414, "uri_too_long"),
    ("target of 70 KiB", asked(b"/v1/whoami?" + b"x" * (70 << 10), b"Host: a"), 414, "uri_too_long"),
    ("target of 1 MiB", asked(b"/v1/whoami?" + b"x" * (1 << 20), b"Host: a"), 414, "uri_too_long"),
    ("no HTTP", b"hello\r\n\r\n", 400, "invalid"),
    ("HTTP/1.7", b"GET /v1/whoami HTTP/1.7\r\nHost: a\r\n\r\n", 400, "invalid"),
    ("a bad header", asked(b"/v1/whoami", b"Host: a", b"no colon"), 400, "invalid"),
    ("a bad length", asked(b"/v1/whoami", b"Host: a", b"Content-Length: x"), 400, "invalid"),
    ("a bad target", b"GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n", 400, "invalid"),
    ("HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, "invalid"),
    ("the second of two", asked(b"/healthz", b"Host: a").replace(CLOSE, b"") + b"hello\r\n\r\n", 400, "invalid"),
]


def judged(received, status, code):
    """What is wrong with an answer, if anything is."""
    # The last answer on the connection.
    received = received[max([0] + [one.start() for one in re.finditer(rb"HTTP/1\.1 \d{3} ", received)]) :]
    head, _, body = received.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").lower().split("\r\n")
    found = lines[0].split(" ")[1] if " " in lines[0] else ""
    if found != str(status):
        return found or "nothing"
    if "content-type: application/problem+json" not in lines:
        return f"{found} without a problem"
    problem = json.loads(body)
    if (problem["code"], problem["status"]) != (code, status):
        return f"{found} {problem['code']}"
    named = any(line.startswith("x-request-id: ") for line in lines) and "cache-control: no-store" in lines
    return None if named and problem["detail"] else f"{found} without an id"


with Installation(binary()) as it:
    wrong = []
    for name, sent, status, code in CASES:
        found = judged(it.server.raw(sent), status, code)
        if found:
            wrong.append(f"{name}: {found}, not {status}")
    usable = it.call("GET", "/v1/whoami").status == 200
    logged = it.server.errors().count("headers_too_large") == 3
    held = not wrong and usable and logged
    report("bare_requests", held, "; ".join(wrong) or f"{len(CASES)} requests refused as problems, in the log: {logged}")
