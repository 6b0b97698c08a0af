"""A blank where absence gives more: `{}` and `null` as narrowing, its parts, an exclusion and an end."""

from installation import Installation, binary, report

with Installation(binary()) as it:
    end = "2090-01-01T00:00:00Z"
    token = it.made_by("/v1/tokens", {"name": "t", "expires_at": end})["id"]
    group = it.made_by("/v1/groups", {"name": "g"})["id"]
    it.made_by(f"/v1/groups/{group}/members", {"member": {"type": "token", "id": token}, "expires_at": end})
    to, everywhere = {"type": "token", "id": token}, {"organization": True}
    keys, members = f"/v1/tokens/{token}/keys", f"/v1/groups/{group}/members"
    all_but = {"projects": {"include": "all", "exclude": None}}
    requests = [
        ("POST", keys, {"narrow": {}}),
        ("POST", keys, {"narrow": None}),
        ("POST", keys, {"narrow": {"permissions": ["read"], "on": None}}),
        ("POST", keys, {"narrow": {"permissions": None, "on": everywhere}}),
        ("POST", keys, {"expires_at": None}),
        ("POST", "/v1/grants", {"to": to, "role": "Viewer", "on": all_but}),
        ("POST", "/v1/grants", {"to": to, "role": "Viewer", "on": everywhere, "expires_at": None}),
        ("POST", "/v1/grants", {"to": to, "permissions": ["read"], "on": everywhere, "object_type": None}),
        ("PATCH", f"/v1/tokens/{token}", {"expires_at": None}),
        ("POST", members, {"member": to, "expires_at": None}),
    ]
    accepted = [body for method, path, body in requests if it.call(method, path, body).status < 300]
    it.call("POST", members, {"member": to})
    kept = it.call("GET", members)["items"][0]["expires_at"] is not None
    report("blank_is_more", not accepted and kept,
           f"{len(accepted)} of {len(requests)} accepted, a member added again {'keeps' if kept else 'loses'} its end")
