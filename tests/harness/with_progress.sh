#!/bin/sh
# Runs a long command. Where no terminal shows its progress bar, prints the seconds that have passed, so that a log shows
# that it goes on.
if [ -t 2 ]; then
    exec "$@"
fi
begun=$(date +%s)
while sleep 8 >/dev/null 2>&1; do
    echo "    ... $(($(date +%s) - begun)) s" >&2
done &
ticker=$!
trap 'kill $ticker' EXIT
"$@"
