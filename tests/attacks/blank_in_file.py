"""A file of `grantbook apply` with names that have nothing behind them, and an empty one."""

import os

from installation import Installation, binary, report

HEAD = "tokens: [{name: t}]\ngroups: [{name: g}]\nprojects: [{name: p, labels: {env: dev}}]\n"
GRANT = "grants:\n  - to: token:t\n    role: Viewer\n"
FILES = [
    GRANT + "    on: {projects: {include: all, exclude: }}\n",
    GRANT + "    on: {projects: {include: all}}\n    expires_at:\n",
    GRANT + "    on: {projects: {include: all}}\n    object_type:\n",
    "groups:\n  - name: g\n    members:\n",
    "groups:\n  - name: g\n    grants:\n",
    "groups:\n  - name: g\n    members: [{member: token:t, expires_at: }]\n",
    "projects:\n  - name: p\n    labels:\n",
    "projects: [[p2, {env: dev}]]\n",
    "groups:\n  - [g, null, [token:t], null]\n",
    "",
    "# nothing\n",
]

with Installation(binary()) as it:
    env = {"GRANTBOOK_URL": it.server.url, "GRANTBOOK_KEY": it.owner}
    path = os.path.join(it.directory.name, "access.yaml")

    def apply(text):
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return it.run("apply", "-f", path, check=False, env=env)

    made = apply(HEAD)
    if made.returncode != 0:
        raise RuntimeError(made.stderr)
    accepted = [text for text in FILES if apply(text).returncode == 0]
    report("blank_in_file", not accepted, f"{len(accepted)} of {len(FILES)} files accepted")
