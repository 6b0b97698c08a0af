"""A key is pasted where texts are kept for ever: in upper case, or its bare secret."""

from installation import Installation, binary, report

with Installation(binary()) as it:
    token, key = it.token("app")
    secret = key[29:72]
    bodies = []
    for index, text in enumerate([key.upper(), key.lower(), secret, f"it is {secret}!", f"x{secret}y"]):
        bodies += [
            ("/v1/tokens", {"name": f"t{index}", "description": text}, {}),
            ("/v1/tokens", {"name": text}, {}),
            ("/v1/tokens", {"name": f"e{index}", "external_id": text}, {}),
            ("/v1/projects", {"name": f"p{index}", "labels": {"note": text}}, {}),
            ("/v1/groups", {"name": f"r{index}"}, {"Grantbook-Reason": text}),
            ("/v1/groups", {"name": f"i{index}"}, {"Idempotency-Key": text}),
            ("/v1/grants", {"to": {"type": "token", "id": token}, "role": "Viewer", "reason": text,
                            "on": {"organization": True}}, {}),
        ]
    answers = [it.call("POST", path, body, headers=headers) for path, body, headers in bodies]
    accepted = [answer for answer in answers if answer.status < 300]
    audit = it.call("GET", "/v1/audit?limit=1000").raw.decode()
    stored = secret in audit or key.upper() in audit or key.lower() in audit
    report("secret_in_text", not accepted and not stored,
           f"{len(accepted)} of {len(bodies)} accepted, {'in' if stored else 'not in'} the audit log")
