"""What ends access is refused for a text that came with it: in a hurry, from a script, with a pasted secret."""

from installation import Installation, binary, report

with Installation(binary()) as it:
    token = it.made_by("/v1/tokens", {"name": "crawler"})["id"]
    answers = {}
    for text, headers in {
        "a long reason": {"Grantbook-Reason": "x" * 2000},
        "a secret in it": {"Grantbook-Reason": "gb_st_" + "a" * 66},
        "a long request id": {"Idempotency-Key": "x" * 200},
    }.items():
        key = it.made_by(f"/v1/tokens/{token}/keys", {})
        answer = it.call("DELETE", f"/v1/keys/{key['id']}", headers=headers)
        after = it.call("GET", "/v1/whoami", key=key["secret"])
        answers[text] = f"{answer.status} {answer.code or ''}".strip() + f", then {after.status}"
    held = all(told == "200, then 401" for told in answers.values())
    report("revoked_with_a_bad_reason", held, "; ".join(f"{text}: {told}" for text, told in answers.items()))
