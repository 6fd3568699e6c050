#!/usr/bin/env bash
# What must hold before a change lands: format, lint, types, layering, contract analysis, generated files, and
# the tests that take longer than a minute.
set -uo pipefail
cd "$(dirname "$0")/.."

failed=()
step() { # title, command...
  local title=$1 started=$SECONDS; shift
  printf '\n==> %s\n' "$title"
  if "$@"; then printf '    %s: %d s\n' "$title" $((SECONDS - started)); else failed+=("$title"); fi
}

python=.venv/bin/python
step 'ruff' $python -m ruff check .
step 'ruff format' $python -m ruff format --check .
step 'mypy --strict' $python -m mypy
step 'import-linter' .venv/bin/lint-imports --no-cache
step 'generated files are up to date' $python -m scripts.compile --check
step 'slither' scripts/slither.sh
step 'long fuzz (10,000 runs) and invariants (256 x 500)' env FOUNDRY_PROFILE=check scripts/forge.sh test
step 'slow tests' $python -m pytest -m slow -n 2 --dist loadfile --max-worker-restart=0 -rs --durations=12

if [ ${#failed[@]} -gt 0 ]; then
  printf '\nFAILED: %s\n' "${failed[*]}" >&2
  exit 1
fi
printf '\nall green in %d s\n' "$SECONDS"
