"""A key that was revoked asks and writes once more."""

from installation import Installation, binary, report

with Installation(binary()) as it:
    token, secret = it.token("app", {"role": "Engineer", "on": {"projects": {"include": "all"}}})
    key = it.call("GET", f"/v1/tokens/{token}/keys")["items"][0]["id"]
    it.call("DELETE", f"/v1/keys/{key}")
    asked = it.call("GET", "/v1/whoami", key=secret)
    wrote = it.call("POST", "/v1/projects", {"name": "p"}, secret)
    report("revoked_key", asked.status == wrote.status == 401, f"read {asked}, write {wrote}")
