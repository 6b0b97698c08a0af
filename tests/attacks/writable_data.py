"""A data directory that everybody can write, or exchange: a stranger puts a journal of his own there."""

import os

from installation import Installation, Server, binary, report


def start(it):
    server = Server(it.binary, it.data)
    serves = server.wait(patience=20)
    said = server.errors().strip().splitlines()
    server.stop()
    return "serves" if serves else (said[-1] if said else "ended")


with Installation(binary(), serve=False) as it:
    parent = os.path.dirname(it.data)
    os.chmod(it.data, 0o777)
    open_to_all = start(it)
    os.chmod(it.data, 0o700)
    os.chmod(parent, 0o777)
    exchangeable = start(it)
    os.chmod(parent, 0o1777)
    sticky = start(it)
    os.chmod(parent, 0o700)
    os.chmod(it.data, 0o2770)
    own_group = start(it)
    told = all("chmod" in one for one in (open_to_all, exchangeable))
    held = told and sticky == own_group == "serves"
    report("writable_data", held, f"0777: {open_to_all}; above it 0777: {exchangeable}; above it 1777: {sticky}; own group: {own_group}")
