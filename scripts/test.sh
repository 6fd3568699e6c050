#!/usr/bin/env bash
# Everything that can run on this machine, in under ten minutes on two cores. Says what it skipped and why.
set -uo pipefail
cd "$(dirname "$0")/.."

failed=()
step() { # title, command...
  local title=$1 started=$SECONDS; shift
  printf '\n==> %s\n' "$title"
  if "$@"; then printf '    %s: %d s\n' "$title" $((SECONDS - started)); else failed+=("$title"); fi
}

ape_log=$(mktemp)
trap 'kill $(jobs -p) 2>/dev/null; rm -f "$ape_log"' EXIT
scripts/ape.sh test tests/ape >"$ape_log" 2>&1 & # most of it is one compiler on one core: beside Foundry
ape=$!
ape_ended() { wait "$ape"; local code=$?; cat "$ape_log"; return "$code"; }

step 'Foundry: unit, fuzz and invariant tests of the contracts' scripts/forge.sh test
step 'Node: the golden vectors in JavaScript' node --test tests/vectors/
step 'ape: compile, deploy and test the contracts from Python (begun beside Foundry)' ape_ended
# -rs prints every skipped test with its reason, --durations what the ten minutes went to.
step 'pytest' .venv/bin/python -m pytest -m 'not slow and not network' -n 2 --dist loadfile --max-worker-restart=0 -rs --durations=12 "$@"

if [ ${#failed[@]} -gt 0 ]; then
  printf '\nFAILED: %s\n' "${failed[*]}" >&2
  exit 1
fi
printf '\nall green in %d s\n' "$SECONDS"
