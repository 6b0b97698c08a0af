#!/bin/sh
# Runs a command with the address of a nats-server as its last argument. The server, its files and its process go with it.
set -eu
root="$(cd "$(dirname "$0")/../.." && pwd)"
server="${NATS_SERVER:-$(ls -d "$root"/.cache/nats/*/nats-server | sort -V | tail -n 1)}"
directory="$(mktemp -d)"
"$server" --addr 127.0.0.1 --port -1 --jetstream --store_dir "$directory/store" --ports_file_dir "$directory" \
    >"$directory/log" 2>&1 &
process=$!
trap 'kill $process; wait $process 2>/dev/null || true; rm -rf "$directory"' EXIT
trap 'exit 130' INT TERM
for _ in $(seq 100); do
    address="$(sed -n 's/.*"\(nats:\/\/127[^"]*\)".*/\1/p' "$directory"/*.ports 2>/dev/null || true)"
    if [ -n "$address" ]; then
        "$@" "$address"
        exit
    fi
    sleep 0.1
done
cat "$directory/log" >&2
exit 1
