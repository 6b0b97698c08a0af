"""Yesterday's journal is put beside today's view: a key revoked since, and the owner, write to it."""

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
    server = it.start_unready()
    revoked = server.settled("POST", "/v1/projects", {"name": "p"}, secret)
    owner = server.settled("POST", "/v1/projects", {"name": "q"}, it.owner)
    read = server.settled("GET", "/v1/projects", key=it.owner)
    held = revoked.code == owner.code == "journal_doubted" and read.status == 503
    report("rolled_back_journal", held, f"write by the revoked key {revoked}, by the owner {owner}; read {read}")
