"""Members by position: an array where an object belongs, at every depth, alone, in a batch and in a question."""

from installation import Installation, binary, report

with Installation(binary()) as it:
    token = it.made_by("/v1/tokens", {"name": "t"})["id"]
    group = it.made_by("/v1/groups", {"name": "g"})["id"]
    member = {"member": ["token", token]}
    bodies = [
        ("/v1/tokens", ["a", None, None, None]),
        ("/v1/grants", {"to": ["token", token], "role": "Viewer", "on": {"organization": True}}),
        ("/v1/grants", {"to": {"type": "token", "id": token}, "role": "Viewer", "on": {"projects": ["all", None]}}),
        (f"/v1/tokens/{token}/keys", {"narrow": [["read"], None]}),
        (f"/v1/groups/{group}/members", member),
        ("/v1/batch", [[{"method": "POST", "path": "/v1/tokens", "body": {"name": "b"}}]]),
        ("/v1/batch", {"commands": [["POST", "/v1/tokens", {"name": "c"}]]}),
        ("/v1/batch", {"commands": [{"method": "POST", "path": "/v1/tokens", "body": ["d", None, None, None]}]}),
        ("/v1/check", [None, None, "read", {"type": "organization", "id": it.org}]),
        ("/v1/check", {"permission": "read", "object": ["organization", it.org, None]}),
    ]
    answers = [(path, it.call("POST", path, body)) for path, body in bodies]
    accepted = [path for path, answer in answers if answer.status < 300]
    foreign = [answer["detail"] for _, answer in answers if answer.code and "struct" in answer["detail"]]
    held = not accepted and not foreign and all(answer.code == "invalid" for _, answer in answers)
    report("array_as_object", held, f"{len(accepted)} of {len(bodies)} accepted, {len(foreign)} told in Rust's words")
