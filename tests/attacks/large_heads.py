"""A stranger without a key makes the server hold heads of any size."""

from installation import attack_with, raw_request

ASKED = b"/v1/whoami"
CASES = [
    ("headers of 33 KiB", raw_request(ASKED, b"Host: a", b"X: " + b"x" * (33 << 10)), 431, "headers_too_large"),
    ("headers of 1 MiB", raw_request(ASKED, b"Host: a", b"X: " + b"x" * (1 << 20)), 431, "headers_too_large"),
    ("200 headers", raw_request(ASKED, b"Host: a", *[b"X: x"] * 200), 431, "headers_too_large"),
    ("target of 20 KiB", raw_request(ASKED + b"?" + b"x" * (20 << 10), b"Host: a"), 414, "uri_too_long"),
    ("target of 70 KiB", raw_request(ASKED + b"?" + b"x" * (70 << 10), b"Host: a"), 414, "uri_too_long"),
    ("target of 1 MiB", raw_request(ASKED + b"?" + b"x" * (1 << 20), b"Host: a"), 414, "uri_too_long"),
]

attack_with("large_heads", CASES)
