"""Objects whose ids are `.` and `..`: the path that ends them is another path by the time it arrives."""

from installation import Installation, binary, report

with Installation(binary()) as it:
    project = it.made_by("/v1/projects", {"name": "p"})["id"]
    answers = []
    for name in (".", ".."):
        answers.append(it.call("POST", "/v1/objects", {"type": "dataset", "id": name, "project": project}))
        answers.append(it.call("POST", "/v1/catalog", {"object_types": [{"name": name, "parent": "project"}]}))
    accepted = [answer for answer in answers if answer.status < 300]
    report("dot_ids", not accepted, f"{len(accepted)} of {len(answers)} accepted")
