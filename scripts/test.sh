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

step 'Foundry: unit, fuzz and invariant tests of the contracts' node_modules/.bin/forge test
step 'Node: the golden vectors in JavaScript' node --test tests/vectors/
step 'ape: compile, deploy and test the contracts from Python' scripts/ape.sh test tests/ape
# -rs prints every skipped test with its reason.
step 'pytest' .venv/bin/python -m pytest -m 'not slow and not network' -n 2 --dist loadfile --max-worker-restart=0 -rs "$@"

if [ ${#failed[@]} -gt 0 ]; then
  printf '\nFAILED: %s\n' "${failed[*]}" >&2
  exit 1
fi
printf '\nall green in %d s\n' "$SECONDS"
