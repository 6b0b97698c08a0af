"""Yesterday's journal is put in place and today's view removed: a key revoked since asks and writes, offline commands too."""

import os
import shutil

from installation import Installation, binary, report

with Installation(binary()) as it:
    token, secret = it.token("app", {"role": "Owner", "on": {"organization": True}})
    journal = os.path.join(it.data, "journal.redb")
    it.server.stop()
    shutil.copy(journal, journal + ".yesterday")
    it.start()
    key = it.call("GET", f"/v1/tokens/{token}/keys")["items"][0]["id"]
    it.call("DELETE", f"/v1/keys/{key}")
    it.server.stop()
    os.replace(journal + ".yesterday", journal)
    os.remove(os.path.join(it.data, "view.redb"))
    server = it.start_unready()
    wrote = server.settled("POST", "/v1/projects", {"name": "p"}, secret)
    asked = server.settled("GET", "/v1/whoami", key=secret)
    server.stop()
    made = it.run("org", "create", "--org", "zenith", "--owner", "eve@example.com", "--data", it.data, check=False)
    held = wrote.code == "journal_doubted" and asked.status == 503 and made.returncode != 0
    answer = f"write by the revoked key {wrote}, its question {asked}; org create ended with {made.returncode}"
    report("rolled_back_journal_alone", held, answer)
