"""Whoever may issue a token's keys, but not see its access, reads that access by trying one narrowing after another."""

from installation import Installation, binary, report

with Installation(binary()) as it:
    project = it.made_by("/v1/projects", {"name": "p"})["id"]
    on = {"projects": {"include": [{"id": project}]}}
    _, admin = it.token(
        "user-admin",
        {"permissions": ["read", "update"], "object_type": "org_member", "on": {"organization": True}},
        {"permissions": ["read"], "on": on},
    )
    answers = {}
    for has in ("update", "delete"):
        token = it.made_by("/v1/tokens", {"name": f"has {has}"})["id"]
        it.made_by("/v1/grants", {"to": {"type": "token", "id": token}, "permissions": [has], "on": on})
        narrow = lambda permission: {"narrow": {"permissions": [permission], "on": on}}
        answers[has] = [str(it.call("POST", f"/v1/tokens/{token}/keys", narrow(one), admin)) for one in ("update", "delete")]
    report("narrowing_by_trial", answers["update"] == answers["delete"], str(answers))
