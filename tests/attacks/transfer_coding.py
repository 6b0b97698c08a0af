"""A body in a transfer coding that the server does not know, which a proxy may know: they see different bodies."""

from installation import attack_with, raw_request

TYPED = (b"Host: a", b"Content-Type: application/json")


def coded(*headers):
    return raw_request(b"/v1/tokens", *TYPED, *headers, method=b"POST", body=b"2\r\n{}\r\n0\r\n\r\n")


CASES = [
    ("gzip, chunked", coded(b"Transfer-Encoding: gzip, chunked"), 501, "not_implemented"),
    ("gzip and chunked", coded(b"Transfer-Encoding: gzip", b"Transfer-Encoding: chunked"), 501, "not_implemented"),
    ("gzip", coded(b"Transfer-Encoding: gzip"), 501, "not_implemented"),
    ("identity", coded(b"Transfer-Encoding: identity"), 501, "not_implemented"),
    ("chunked twice", coded(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"), 400, "invalid"),
]

attack_with("transfer_coding", CASES)
