"""Compiles the contracts and writes their ABIs and bytecode to contracts/abi, which are committed.

``python -m scripts.compile`` writes; ``--check`` only says whether what is committed is up to date (exit code 1 if
not). Running the product needs no compiler, only what this wrote.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

from contracts.client.deployments import CONTRACTS

_ROOT = Path(__file__).resolve().parent.parent
_OUT = _ROOT / ".build" / "forge"
_ABI = _ROOT / "contracts" / "abi"
_SOURCES = {"AccessManager": "AccessManager.sol", "Timelock": "Governance.sol"}


class CompileFailed(Exception):
    """The compiler refused the sources."""


def artifacts() -> dict[str, str]:
    """Compiles, and gives each contract's file as it should be committed. Raises CompileFailed."""
    forge = _ROOT / "scripts" / "forge.sh"
    built = subprocess.run(
        [str(forge), "build", "--skip", "test", "--skip", "script"],
        cwd=_ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if built.returncode:
        raise CompileFailed(built.stderr or built.stdout)
    return {name: _artifact(name) for name in CONTRACTS}


def _artifact(name: str) -> str:
    path = _OUT / _SOURCES.get(name, f"{name}.sol") / f"{name}.json"
    built = json.loads(path.read_text())
    value = {"contract": name, "abi": built["abi"], "bytecode": built["bytecode"]["object"]}
    return json.dumps(value, indent=1, sort_keys=True) + "\n"


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--check", action="store_true", help="write nothing; fail where a committed file differs")
    check = parser.parse_args().check
    _ABI.mkdir(exist_ok=True)
    stale = []
    for name, text in artifacts().items():
        path = _ABI / f"{name}.json"
        if path.exists() and path.read_text() == text:
            continue
        stale.append(name)
        if not check:
            path.write_text(text)
    for name in stale:
        sys.stderr.write(f"contracts/abi/{name}.json {'is out of date' if check else 'written'}\n")
    if check and stale:
        sys.stderr.write("run: .venv/bin/python -m scripts.compile\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
