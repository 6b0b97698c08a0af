"""A request without a Host, with two, or with one that is none: a proxy and the server may think of different sites."""

from installation import attack_with, raw_request

ASKED = b"/v1/whoami"
CASES = [
    ("none", raw_request(ASKED), 400, "invalid"),
    ("two", raw_request(ASKED, b"Host: a", b"Host: b"), 400, "invalid"),
    ("twice the same", raw_request(ASKED, b"Host: a", b"Host: a"), 400, "invalid"),
    ("with a user", raw_request(ASKED, b"Host: user@a"), 400, "invalid"),
    ("with a path", raw_request(ASKED, b"Host: a/b"), 400, "invalid"),
]

attack_with("host_header", CASES)
