"""A token with rights on project B registers the id that project A uses: A's checks and its registration are dead."""

from installation import Installation, binary, report

with Installation(binary()) as it:
    a, b = (it.made_by("/v1/projects", {"name": name})["id"] for name in ("a", "b"))
    on = lambda project: {"projects": {"include": [{"id": project}]}}
    _, app = it.token("app", {"role": "Engineer", "on": on(a)})
    _, attacker = it.token("attacker", {"role": "Engineer", "on": on(b)})
    it.call("POST", "/v1/objects", {"type": "dataset", "id": "d1", "project": b}, attacker)
    question = {"permission": "update", "object": {"type": "dataset", "id": "d1", "project": a}}
    checked = it.call("POST", "/v1/check", question, app)
    registered = it.call("POST", "/v1/objects", {"type": "dataset", "id": "d1", "project": a})
    held = checked["allowed"] and registered.status == 201
    report("squatted_object", held, f"A's check: {checked['reason']}, A's registration by the Owner: {registered}")
