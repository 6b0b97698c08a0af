"""A key narrowed to one project asks what its account may do on another, by naming the account or the account's other key."""

from installation import Installation, binary, report

with Installation(binary()) as it:
    seen, hidden = (it.made_by("/v1/projects", {"name": name})["id"] for name in ("seen", "hidden"))
    narrow = {"permissions": ["read"], "on": {"projects": {"include": [{"id": seen}]}}}
    keys = f"/v1/users/{it.user}/keys"
    main = it.call("GET", keys)["items"][0]["id"]
    key = it.made_by(keys, {"narrow": narrow})["secret"]
    oneself = {"type": "user", "id": it.user}
    thing = {"type": "project", "id": hidden}
    answers = {
        "check of the account": it.call("POST", "/v1/check", {"principal": oneself, "permission": "read", "object": thing}, key)["allowed"],
        "check of the main key": it.call("POST", "/v1/check", {"key": main, "permission": "read", "object": thing}, key).body.get("allowed"),
        "AuthZEN": it.call("POST", "/access/v1/evaluation", {"subject": oneself, "action": {"name": "read"}, "resource": thing}, key)["decision"],
        "permissions": it.call("GET", f"/v1/permissions?principal=user:{it.user}&object=project:{hidden}", key=key)["permissions"],
    }
    told = [place for place, answer in answers.items() if answer]
    report("narrow_asks", not told, ", ".join(told) or "told nothing")
