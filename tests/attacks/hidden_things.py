"""The answer about a hidden thing differs from that about an id that nobody has."""

import uuid

from installation import Installation, binary, report


def told(answer):
    return (answer.status, answer.code, answer["detail"] if answer.code else None)


with Installation(binary()) as it:
    hidden = it.made_by("/v1/projects", {"name": "hidden"})["id"]
    seen = it.made_by("/v1/projects", {"name": "seen"})["id"]
    group = it.made_by("/v1/groups", {"name": "hidden"})["id"]
    role = it.made_by("/v1/roles", {"name": "hidden", "permissions": [{"permission": "read"}]})["id"]
    on_seen = {"projects": {"include": [{"id": seen}]}}
    rights = ["create", "read", "update", "create_acls", "delegate"]
    weak_id, weak = it.token("weak", {"permissions": rights, "on": on_seen})
    to = {"type": "token", "id": weak_id}
    on = lambda project: {"projects": {"include": [{"id": project}]}}
    places = {
        "grant on a project": (hidden, lambda x: ("/v1/grants", {"to": to, "role": "Viewer", "on": on(x)})),
        "grant but for a project": (hidden, lambda x: ("/v1/grants", {"to": to, "role": "Viewer", "on": {"projects": {"include": [{"id": seen}], "exclude": [{"id": x}]}}})),
        "grant on a project as an object": (hidden, lambda x: ("/v1/grants", {"to": to, "role": "Viewer", "on": {"object": {"type": "project", "id": x}}})),
        "grant to a group": (group, lambda x: ("/v1/grants", {"to": {"type": "group", "id": x}, "role": "Viewer", "on": on_seen})),
        "grant of a role": (role, lambda x: ("/v1/grants", {"to": to, "role": x, "on": on_seen})),
        "object in a project": (hidden, lambda x: ("/v1/objects", {"type": "dataset", "id": "d", "project": x})),
    }
    leaks = []
    for place, (thing, request) in places.items():
        about, nobody = (told(it.call("POST", *request(x), key=weak)) for x in (thing, str(uuid.uuid4())))
        if about != nobody:
            leaks.append(f"{place}: {about[0]} {about[1]} for {nobody[0]} {nobody[1]}")
    report("hidden_things", not leaks, "; ".join(leaks) or "no difference")
