#!/usr/bin/env bash
# Forge itself, with its exit code: the wrapper in node_modules/.bin ends with 0 whatever forge ended with.
set -euo pipefail
exec "$(dirname "$0")"/../node_modules/@foundry-rs/forge-*/bin/forge "$@"
