"""Names that look like others: overrides, embeddings, isolates, zero-width and unassigned characters."""

from installation import Installation, binary, report

HIDDEN = ["\u202e", "\u202a", "\u2066", "\u2069", "\u200b", "\u200d", "\ufeff", "\u00ad", "\u0378", "\U000e0041"]

with Installation(binary()) as it:
    project = it.made_by("/v1/projects", {"name": "p"})["id"]
    bodies = []
    for index, hidden in enumerate(HIDDEN):
        text = f"a{hidden}b{index}"
        bodies += [
            ("/v1/tokens", {"name": text}),
            ("/v1/groups", {"name": text}),
            ("/v1/users", {"email": f"{text}@example.com"}),
            ("/v1/projects", {"name": f"p{index}", "labels": {"env": text}}),
            ("/v1/objects", {"type": "dataset", "id": text, "project": project}),
        ]
    bodies += [("/v1/groups", {"name": f"d{index}", "description": f"a{hidden}b"})
               for index, hidden in enumerate(["\u202e", "\u202a", "\u2066", "\u200b"])]
    accepted = [path for path, body in bodies if it.call("POST", path, body).status < 300]
    prose = it.call("POST", "/v1/groups", {"name": "prose", "description": "\u200f\u05d0 \U0001f469\u200d\U0001f4bb"})
    held = not accepted and prose.status == 201
    report("hidden_characters", held, f"{len(accepted)} of {len(bodies)} accepted; joined emoji in a description: {prose}")
