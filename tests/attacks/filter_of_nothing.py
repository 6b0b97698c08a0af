"""A filter by a name that does not exist: silence looks like "nothing happened"."""

from installation import Installation, binary, report

with Installation(binary()) as it:
    token, _ = it.token("app")
    key = it.call("GET", f"/v1/tokens/{token}/keys")["items"][0]["id"]
    it.call("DELETE", f"/v1/keys/{key}")
    answers = [it.call("GET", f"/v1/audit?event={names}") for names in ("KeyRevokd", "KeyRevoked,KeyIssud", "", "AccessLost")]
    silent = [answer for answer in answers if answer.status == 200]
    known = answers[0].body.get("known", [])[:1]
    several = it.call("GET", "/v1/audit?event=KeyRevoked,TokenCreated")
    found = len(several.body["items"]) if several.status == 200 else 0
    report("filter_of_nothing", not silent and known == ["KeyRevoked"] and found == 2,
           f"{len(silent)} of {len(answers)} answered as if nothing had happened, nearest {known}, {found} of 2 found by two names")
