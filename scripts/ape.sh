#!/usr/bin/env bash
# Runs ape in its own environment. ape looks for the compiler where py-solc-x puts it; a link there leads to the
# shim that drives npm's solc, since no native compiler is to be had from a package registry.
set -euo pipefail
cd "$(dirname "$0")/.."
version=$(node -p 'require("./package.json").devDependencies.solc')
export HOME="$PWD/.build/ape-home"
mkdir -p "$HOME/.solcx"
ln -sf "$PWD/scripts/solc_shim.mjs" "$HOME/.solcx/solc-v$version"
export PATH="$PWD/node_modules/.bin:$PWD/.venv-ape/bin:$PATH"
exec .venv-ape/bin/ape "$@"
