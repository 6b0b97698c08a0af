"""A group that was deleted goes on to make cycles: b in a, c in b, b deleted, then a in c."""

from installation import Installation, binary, report

with Installation(binary()) as it:
    a, b, c = (it.made_by("/v1/groups", {"name": name})["id"] for name in "abc")
    add = lambda group, inner: it.call("POST", f"/v1/groups/{group}/members", {"member": {"type": "group", "id": inner}})
    add(a, b)
    add(b, c)
    it.call("DELETE", f"/v1/groups/{b}")
    added = add(c, a)
    report("ended_cycle", added.status == 201, str(added))
