#!/usr/bin/env bash
# Fetches the published Braintrust clients of the tests from the Python and npm registries, pinned by hash, into
# .cache/braintrust: one directory for each Python set, and `npm` (node_modules, with the CLI bt), and node into .cache/node.
# With the argument sdk-0.47.0 that one alone. An up-to-date directory is left as it is.
set -euo pipefail
. "$(dirname "$0")/registries.sh"
wanted="$harness/braintrust"
clients="$cache/braintrust"

fetch_python "$wanted/braintrust-0.47.0.txt" "$clients/sdk-0.47.0"
if [ "${1:-}" = sdk-0.47.0 ]; then
    exit
fi
fetch_python "$wanted/braintrust-0.30.1.txt" "$clients/sdk-0.30.1"
fetch_python "$wanted/braintrust-api-0.6.0.txt" "$clients/api-0.6.0"
fetch_node
if ! has_npm "$wanted" "$clients/npm"; then
    fetch_npm "$wanted" "$clients/npm" "braintrust 3.35.0 and @braintrust/api 0.1.1"
    finish_npm "$clients/npm"
fi
