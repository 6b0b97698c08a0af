"""An operator with umask 0: another user of the machine reads people's data from the files."""

import os

from installation import Installation, binary, report

os.umask(0)
with Installation(binary(), serve=False) as it:
    outputs = os.path.join(it.directory.name, "outputs")
    os.mkdir(outputs, 0o700)
    key = os.path.join(outputs, "webhook.key")
    signer = os.path.join(outputs, "snapshot.key")
    it.run("webhook", "key", key)
    it.run("snapshot", "key", signer)
    it.start(options=("--webhooks", key))
    client = {"GRANTBOOK_URL": it.server.url, "GRANTBOOK_KEY": it.owner}
    project = it.made_by("/v1/projects", {"name": "p"})["id"]
    it.run("report", "--output", os.path.join(outputs, "report.csv"), env=client)
    it.run("audit", "--output", os.path.join(outputs, "audit.ndjson"), env=client)
    svg = os.path.join(outputs, "why.svg")
    it.run("why", "user:ada@example.com", "read", f"project:{project}", "--svg", svg, env=client)
    it.server.stop()
    it.run("journal", "export", "--data", it.data, "--output", os.path.join(outputs, "export.ndjson"))
    copy = os.path.join(it.directory.name, "deep", "copy")
    it.run("journal", "copy", "--from", it.data, "--to", copy)
    snapshots = os.path.join(it.directory.name, "snapshots")
    it.run("snapshot", "make", "--data", it.data, "--snapshots", snapshots, "--snapshot-key", signer)
    open_to_others, seen = [], 0
    for top in (it.data, outputs, os.path.dirname(copy), snapshots):
        for directory, _, names in os.walk(top):
            for path in [directory] + [os.path.join(directory, name) for name in names]:
                seen += 1
                mode = os.lstat(path).st_mode & 0o777
                if mode & 0o077:
                    open_to_others.append(f"{os.path.relpath(path, it.directory.name)} {mode:o}")
    answer = ", ".join(sorted(open_to_others)) or f"{seen} files and directories are the owner's alone"
    report("private_files", not open_to_others and seen > 14, answer)
