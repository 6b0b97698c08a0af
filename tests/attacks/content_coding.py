"""Content in a coding or a charset that is not looked at: what a scanner before the server read is not what it reads."""

from installation import attack_with, raw_request


def typed(*headers):
    return raw_request(b"/v1/tokens", b"Host: a", b"Content-Length: 2", *headers, method=b"POST", body=b"{}")


JSON = b"Content-Type: application/json"
CASES = [
    ("gzip", typed(JSON, b"Content-Encoding: gzip"), 415, "unsupported_encoding"),
    ("identity, br", typed(JSON, b"Content-Encoding: identity, br"), 415, "unsupported_encoding"),
    ("utf-16", typed(JSON + b"; charset=utf-16"), 415, "unsupported_encoding"),
    ("utf-7", typed(JSON + b";a=b; Charset = \"utf-7\""), 415, "unsupported_encoding"),
]

attack_with("content_coding", CASES)
