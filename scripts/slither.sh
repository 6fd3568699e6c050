#!/usr/bin/env bash
# Slither over the contracts, through forge and npm's compiler. A finding is mended or triaged in the code with a
# reason (`slither-disable-next-line detector`), so that no finding is left to print. It cleans what it builds into,
# so it builds aside.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$PWD/node_modules/.bin:$PATH"
export FOUNDRY_OUT=.build/slither FOUNDRY_CACHE_PATH=.build/slither-cache
exec .venv-analysis/bin/slither . --config-file slither.config.json
