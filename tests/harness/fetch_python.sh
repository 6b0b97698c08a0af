#!/usr/bin/env bash
# Fetches the Python packages of the tests from the Python registry, pinned by hash, into .cache/python, for nobody else.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
target="$(cd "$here/../.." && pwd)/.cache/python"
wanted="$here/python-packages.txt"

if cmp --silent "$wanted" "$target/packages.txt"; then
    exit
fi
echo "fetching the Python packages of the tests" >&2
rm -rf "$target" "$target.new"
if ! python3 -m pip --disable-pip-version-check --quiet install --no-deps --only-binary :all: --require-hashes \
    --target "$target.new" --requirement "$wanted"; then
    echo "they could not be fetched with python3 -m pip (Debian: apt-get install python3-pip)" >&2
    exit 1
fi
cp "$wanted" "$target.new/packages.txt"
mv "$target.new" "$target"
