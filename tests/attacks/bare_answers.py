"""Bytes that are no request: the HTTP library answers by itself, without a body, an id, or a line in the log."""

from installation import attack_with, raw_request

ASKED = b"/v1/whoami"
CASES = [
    ("no HTTP", b"hello\r\n\r\n", 400, "invalid"),
    ("HTTP/1.7", b"GET /v1/whoami HTTP/1.7\r\nHost: a\r\n\r\n", 400, "invalid"),
    ("HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, "invalid"),
    ("a header without a colon", raw_request(ASKED, b"Host: a", b"no colon"), 400, "invalid"),
    ("a length that is none", raw_request(ASKED, b"Host: a", b"Content-Length: x"), 400, "invalid"),
    ("a control character", b"GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n", 400, "invalid"),
    ("the second of two", b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\nhello\r\n\r\n", 400, "invalid"),
]

attack_with("bare_answers", CASES)
