"""A time that is written with a year of four digits but lies beyond the year 9999 in UTC, or before the year 0."""

from urllib.parse import quote

from installation import Installation, binary, report

TIMES = ["9999-12-31T23:59:59-23:59", "+10000-01-01T00:00:00Z", "0000-01-01T00:00:00+01:00"]

with Installation(binary()) as it:
    token, _ = it.token("app")
    group = it.made_by("/v1/groups", {"name": "g"})["id"]
    taken = []
    for late in TIMES:
        bodies = [
            ("/v1/tokens", {"name": "t", "expires_at": late}),
            (f"/v1/tokens/{token}/keys", {"expires_at": late}),
            (f"/v1/groups/{group}/members", {"member": {"type": "token", "id": token}, "expires_at": late}),
            ("/v1/grants", {"to": {"type": "token", "id": token}, "role": "Viewer", "on": {"organization": True}, "expires_at": late}),
        ]
        for path, body in bodies:
            answer = it.call("POST", path, body)
            if (answer.status, answer.code) != (400, "invalid") or answer["pointer"] != "/expires_at":
                taken.append(f"POST {path} {late}: {answer}")
        when = quote(late)
        for path in (
            f"/v1/tokens?as_of={when}",
            f"/v1/audit?from={when}",
            f"/v1/audit?to={when}",
            f"/v1/diff?from={when}&to={when}",
            f"/v1/report?as_of={when}",
        ):
            answer = it.call("GET", path)
            if (answer.status, answer.code) != (400, "invalid"):
                taken.append(f"GET {path}: {answer}")
    report("late_times", not taken, "; ".join(taken[:4]) or "each refused with 400 and, in bodies, a pointer")
