"""Prints the licences of everything that is linked into grantbook: an overview, then each text once.

usage: licences.py, anywhere in the workspace; needs cargo.
"""

import collections
import json
import pathlib
import subprocess

FILES = ("LICEN[CS]E*", "COPYING*", "NOTICE*", "UNLICENSE*")


def linked(metadata):
    """Ids of the packages that grantbook-cli is built from, without build scripts' and tests' own."""
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    root = next(p["id"] for p in metadata["packages"] if p["name"] == "grantbook-cli")
    found, waiting = set(), [root]
    while waiting:
        package = waiting.pop()
        if package in found:
            continue
        found.add(package)
        for dependency in nodes[package]["deps"]:
            if any(kind["kind"] is None for kind in dependency["dep_kinds"]):
                waiting.append(dependency["pkg"])
    return found


def main():
    host = subprocess.check_output(["rustc", "--version", "--verbose"], text=True).split("host: ")[1].split()[0]
    command = ["cargo", "metadata", "--locked", "--format-version", "1", "--filter-platform", host]
    metadata = json.loads(subprocess.check_output(command))
    ids = linked(metadata)
    packages = [p for p in metadata["packages"] if p["id"] in ids and p["source"] is not None]
    packages.sort(key=lambda p: (p["name"], p["version"]))
    texts, without = collections.defaultdict(list), []
    print("Grantbook is licensed under Apache-2.0. It contains these packages:\n")
    for package in packages:
        name = f"{package['name']} {package['version']}"
        licence = package["license"] or "see its text"
        print(f"{name:<40} {licence:<40} {package['repository'] or ''}".rstrip())
        directory = pathlib.Path(package["manifest_path"]).parent
        files = sorted({path for pattern in FILES for path in directory.glob(pattern) if path.is_file()})
        for path in files:
            texts[path.read_text(errors="replace").strip()].append(name)
        if not files:
            without.append(name)
    for text, names in texts.items():
        print(f"\n{'=' * 100}\n{', '.join(names)}\n{'=' * 100}\n\n{text}")
    if without:
        print(f"\n{'=' * 100}\nThese packages come without a licence text of their own; see the overview: {', '.join(without)}")


main()
