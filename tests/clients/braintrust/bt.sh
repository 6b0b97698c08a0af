#!/usr/bin/env bash
# Drives bt 0.12.0, the CLI of npm braintrust 3.35.0.
#
#   bt.sh owner PREFIX            makes, lists and deletes a project PREFIX-bt with an owner's KEY, and is refused with a bad one
#   bt.sh token VISIBLE HIDDEN    lists with a token's KEY: VISIBLE is a project that it can read, HIDDEN one that it cannot
#
# BASE is the address (http://host:port/braintrust). Each step prints one JSON line; the exit code is 1 after a surprise.
set -euo pipefail
npm="$(cd "$(dirname "$0")/../../.." && pwd)/.cache/braintrust/npm"
bt="$(echo "$npm"/node_modules/@braintrust/bt-*/bin/bt)"
home="$(mktemp -d)" # bt keeps its settings below HOME
trap 'rm -rf "$home"' EXIT

# bt resolves its paths against the URL, so that the last part of a URL without a slash at its end is lost.
export HOME="$home" XDG_CONFIG_HOME="$home" BRAINTRUST_APP_URL="${BASE%/}/" BRAINTRUST_API_KEY="$KEY"
export BRAINTRUST_NO_INPUT=1 BRAINTRUST_NO_COLOR=1
unset BRAINTRUST_API_URL BRAINTRUST_ORG_NAME BRAINTRUST_DEFAULT_PROJECT BRAINTRUST_PROFILE
cd "$home"

# step NAME EXIT-CODE PATTERN ARGUMENTS...: the exit code must be this one, and the output must match the pattern.
step() {
    local name="$1" wanted="$2" pattern="$3" output code=0
    shift 3
    output="$(timeout 30 "$bt" "$@" --json 2>&1)" || code=$?
    python3 -c 'import json, sys; print(json.dumps(dict(step=sys.argv[1], exit=int(sys.argv[2]), output=sys.argv[3][:500])))' \
        "$name" "$code" "$output"
    if [ "$code" != "$wanted" ] || ! grep --quiet --extended-regexp -- "$pattern" <<<"$output"; then
        echo "{\"step\": \"surprise\", \"what\": \"exit code $wanted and $pattern expected\"}"
        exit 1
    fi
}

case "$1" in
owner)
    project="$2-bt"
    step "create" 0 "Successfully created" projects create "$project"
    step "create again" 1 "already exists" projects create "$project"
    step "list" 0 "\"name\":\"$project\"" projects list
    step "dataset" 0 "\"created_dataset\":true" datasets create rows --project "$project"
    step "datasets" 0 "\"name\":\"rows\"" datasets list --project "$project"
    step "experiments" 0 "^\[" experiments list --project "$project"
    step "delete" 0 "Deleted" projects delete "$project" --force
    step "gone" 4 "not found" experiments list --project "$project"
    BRAINTRUST_API_KEY=sk-wrong step "bad key" 2 "401" projects list
    ;;
token)
    step "visible" 0 "\"name\":\"$2\"" projects list
    if "$bt" projects list --json | grep --quiet "\"name\":\"$3\""; then
        echo "{\"step\": \"surprise\", \"what\": \"$3 is listed\"}"
        exit 1
    fi
    step "experiments" 0 "^\[" experiments list --project "$2"
    step "hidden experiments" 4 "not found" experiments list --project "$3"
    ;;
esac
version="$("$bt" --version)"
package="${bt#"$npm"/node_modules/}"
package="${package%/bin/bt}"
hash="$(grep --after-context 3 "\"node_modules/$package\"" "$npm/package-lock.json" | grep --only-matching 'sha512-[^"]*')"
echo "{\"step\": \"finished\", \"package\": \"$package\", \"version\": \"${version#bt }\", \"hash\": \"$hash\"}"
