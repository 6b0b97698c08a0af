"""A user administrator issues a key for a user without rights; an Owner then makes that user an Owner."""

from installation import Installation, binary, report

with Installation(binary()) as it:
    member = {"object_type": "org_member", "on": {"organization": True}}
    _, admin = it.token("user-admin", {"permissions": ["read", "update"], **member})
    user = it.made_by("/v1/users", {"email": "bob@example.com"})["id"]
    issued = it.call("POST", f"/v1/users/{user}/keys", {}, admin)
    reached = "-"
    if issued.status == 201:
        owners = next(g["id"] for g in it.call("GET", "/v1/groups?name=Owners")["items"])
        it.made_by(f"/v1/groups/{owners}/members", {"member": {"type": "user", "id": user}})
        reached = it.call("POST", "/v1/projects", {"name": "taken"}, issued["secret"]).status
    report("early_key", issued.status == 403, f"issued {issued}, as an Owner later {reached}")
