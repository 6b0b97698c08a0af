#!/usr/bin/env bash
# Fetches what the console is tested with from the npm registry, pinned by hash, into .cache/browser: Playwright, axe, fonts, and
# a Chromium without a window, unless CHROMIUM=path or /usr/bin/chromium is one. Node comes from the Python registry, into
# .cache/node. An up-to-date directory is left as it is.
# Where something is missing the tests in the browser are left out, and say so; in CI that is an error.
set -euo pipefail
. "$(dirname "$0")/registries.sh"
wanted="$harness/../browser"
target="$cache/browser"

# The packaged Chromium comes compressed, with the libraries and the font that it needs.
unpack_chromium() {
    local packed="$target.new/node_modules/@sparticuz/chromium/bin" to="$target.new/chromium" part
    mkdir -p "$to"
    for part in chromium al2023.tar swiftshader.tar fonts.tar; do
        "$node" -e 'const { createReadStream, createWriteStream } = require("node:fs");
            require("node:stream/promises").pipeline(createReadStream(process.argv[1]),
                require("node:zlib").createBrotliDecompress(), createWriteStream(process.argv[2]))' \
            "$packed/$part.br" "$to/$part" || return
    done
    for part in al2023 swiftshader fonts; do
        tar --extract --no-same-owner --directory "$to" --file "$to/$part.tar" || return
        rm "$to/$part.tar"
    done
    chmod +x "$to/chromium" &&
        cp "$target.new"/node_modules/dejavu-fonts-ttf/ttf/DejaVuSans{,-Bold,Mono,Mono-Bold}.ttf "$to/fonts" &&
        cp "$wanted/fonts.conf" "$to/fonts.conf" &&
        rm -r "$packed"
}

fetch() {
    fetch_node || return
    if ! has_npm "$wanted" "$target"; then
        fetch_npm "$wanted" "$target" "Playwright, axe and a Chromium" || return
        if [ "$(uname -sm)" = "Linux x86_64" ]; then
            unpack_chromium || return
        fi
        finish_npm "$target"
    fi
    local version
    if ! version="$("$node" "$wanted/chromium.mjs" --version)"; then
        echo "no Chromium starts here: apt-get install chromium, or CHROMIUM=path make ..." >&2
        return 1
    fi
    echo "the console is tested in $version" >&2
}

if ! fetch; then
    if [ -n "${CI:-}" ]; then
        exit 1
    fi
    echo "the console will NOT be tested in a browser: see above" >&2
fi
