"""A key narrowed to reading one project ends its owner's main key, lists all keys, and reads a wide key's replay and cursor."""

from installation import Installation, binary, report

with Installation(binary()) as it:
    project = it.made_by("/v1/projects", {"name": "p"})["id"]
    it.made_by("/v1/projects", {"name": "q"})
    on = {"projects": {"include": [{"id": project}]}}
    narrow = it.made_by(f"/v1/users/{it.user}/keys", {"narrow": {"permissions": ["read"], "on": on}})["secret"]
    keys = it.call("GET", f"/v1/users/{it.user}/keys")["items"]
    listed = it.call("GET", f"/v1/users/{it.user}/keys", key=narrow)
    seen = len(listed["items"]) if listed.status == 200 else 0
    headers = {"Idempotency-Key": "r1"}
    it.call("POST", "/v1/tokens", {"name": "app"}, headers=headers)
    replay = it.call("POST", "/v1/tokens", {"name": "app"}, narrow, headers)
    cursor = it.call("GET", "/v1/projects?limit=1")["next"]
    stolen = it.call("GET", f"/v1/projects?limit=1&cursor={cursor}", key=narrow)
    main = next(key["id"] for key in keys if key["narrow"] is None)
    ended = it.call("DELETE", f"/v1/keys/{main}", key=narrow)
    held = seen <= 1 and replay.status == 403 and stolen.status == 400 and ended.status in (403, 404)
    report("narrow_key", held, f"sees {seen} of {len(keys)} keys, replay {replay}, cursor {stolen}, ends the main key {ended}")
