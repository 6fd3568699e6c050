#!/usr/bin/env bash
# Installs one part of the project into the checkout: run | dev | ape | analysis | node-run | node-all.
# Needs no root. Says which program is missing and how to get it. Called by the Makefile.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf '==> %s\n' "$*"; }
missing() { printf '\nmissing: %s\n  get it: %s\n' "$1" "$2" >&2; exit 1; }

find_python() {
  local candidate
  for candidate in "${PYTHON:-}" python3 python3.14 python3.13 python3.12 python3.11; do
    if [ -n "$candidate" ] && command -v "$candidate" >/dev/null 2>&1 &&
       "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      command -v "$candidate"; return
    fi
  done
  missing 'Python 3.11 or newer' \
    'Debian/Ubuntu: apt install python3 python3-venv; macOS: brew install python; or set PYTHON=/path/to/python'
}

make_venv() { # directory
  [ -x "$1/bin/python" ] && return
  local python; python=$(find_python)
  "$python" -c 'import ensurepip, venv' 2>/dev/null ||
    missing "the venv module of $python" \
      "Debian/Ubuntu: apt install python3-venv (or python3.X-venv for that Python)"
  say "making $1 with $("$python" --version)"
  "$python" -m venv "$1" || { rm -rf "$1"; missing "a working venv module of $python" 'Debian/Ubuntu: apt install python3-venv'; }
}

pip_install() { # directory, requirements file; pip's own words are kept for a failure, one counter is shown
  local venv=$1 file=$2 total log status=0
  total=$(grep -c '^[a-zA-Z0-9]' "$file"); log=$(mktemp)
  say "installing $file into $venv ($total pinned packages at most)"
  set +o pipefail
  { "$venv/bin/python" -m pip install --disable-pip-version-check --progress-bar off ${3:-} -r "$file" 2>&1 || echo "pip failed"; } |
    tee "$log" | awk -v total="$total" '
      /^Collecting /{n++; if (n % 10 == 0) {printf "    %d packages found, now %s\n", n, $2; fflush()}}
      /^Installing collected/{print "    unpacking"; fflush()}'
  set -o pipefail
  if grep -q '^pip failed$' "$log"; then tail -n 30 "$log" >&2; status=1; fi
  rm -f "$log"
  return $status
}

need_node() {
  command -v node >/dev/null 2>&1 ||
    missing 'Node.js 20 or newer' 'Debian/Ubuntu: apt install nodejs npm; macOS: brew install node'
  node -e 'process.exit(Number(process.versions.node.split(".")[0]) < 20 ? 1 : 0)' ||
    missing "Node.js 20 or newer (this is $(node --version))" 'install a current LTS release of Node.js'
  command -v npm >/dev/null 2>&1 || missing 'npm' 'Debian/Ubuntu: apt install npm; elsewhere it comes with Node.js'
}

case "${1:-}" in
  run|dev)
    make_venv .venv
    pip_install .venv "requirements/$1.txt" --require-hashes
    say 'installing the kopeck command'
    .venv/bin/python scripts/link.py
    [ "$1" = run ] || touch .venv/.run-stamp
    touch ".venv/.$1-stamp" ;;
  ape)
    make_venv .venv-ape; pip_install .venv-ape requirements/ape.txt --require-hashes
    touch .venv-ape/.stamp ;;
  analysis)
    make_venv .venv-analysis; pip_install .venv-analysis requirements/analysis.txt --require-hashes
    touch .venv-analysis/.stamp ;;
  node-run)
    need_node; say 'installing the local chain (npm, production part)'
    npm ci --omit=dev --no-audit --no-fund --loglevel=error
    touch node_modules/.run-stamp ;;
  node-all)
    need_node; say 'installing the contract tools (npm)'
    npm ci --no-audit --no-fund --loglevel=error
    touch node_modules/.run-stamp node_modules/.all-stamp ;;
  *) echo "usage: $0 run|dev|ape|analysis|node-run|node-all" >&2; exit 2 ;;
esac
