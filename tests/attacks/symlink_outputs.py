"""Somebody who can write the directory of an output puts a symbolic link there, so that it overwrites another file."""

import os

from installation import Installation, binary, report

with Installation(binary(), serve=False) as it:
    place = os.path.join(it.directory.name, "outputs")
    os.mkdir(place)
    victims = {}

    def trap(name, suffix=""):
        """The path to give to an option, with a link of the name that is written laid out."""
        victim = os.path.join(it.directory.name, f"victim-{name}{suffix}")
        with open(victim, "w", encoding="utf-8") as file:
            file.write("precious")
        path = os.path.join(place, name)
        os.symlink(victim, path + suffix)
        victims[name + suffix] = victim
        return path

    ready = trap("ready")
    trap("ready", ".new")
    it.start(options=("--ready-file", ready))
    client = {"GRANTBOOK_URL": it.server.url, "GRANTBOOK_KEY": it.owner}
    project = it.made_by("/v1/projects", {"name": "p"})["id"]
    attempts = [
        ("why", "user:ada@example.com", "read", f"project:{project}", "--svg", trap("svg")),
        ("report", "--output", trap("report")),
        ("report", "--output", trap("part", ".part")),
        ("audit", "--output", trap("audit")),
        ("audit", "--output", trap("resumed"), "--resume"),
        ("journal", "export", "--data", it.data, "--output", trap("export")),
    ]
    for attempt in attempts[:-1]:
        it.run(*attempt, check=False, env=client)
    it.server.stop()
    it.run(*attempts[-1], check=False)
    harmed = [name for name, path in victims.items() if open(path, encoding="utf-8").read() != "precious"]
    report("symlink_outputs", not harmed, "overwritten: " + ", ".join(harmed) if harmed else "no file behind a link changed")
