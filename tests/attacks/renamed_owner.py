"""A user administrator gives an Owner another display name."""

from installation import Installation, binary, report

with Installation(binary()) as it:
    _, admin = it.token("user-admin", {"permissions": ["read", "update"], "object_type": "org_member", "on": {"organization": True}})
    renamed = it.call("PATCH", f"/v1/users/{it.user}", {"name": "Somebody Else"}, admin)
    report("renamed_owner", renamed.status == 403, str(renamed))
