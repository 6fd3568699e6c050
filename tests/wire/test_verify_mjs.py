"""The JavaScript verifier under node: against the golden vectors, and its keccak against eth-utils."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from eth_utils import keccak

ROOT = Path(__file__).resolve().parents[2]
KECCAK_OF_MANY_LENGTHS = """
import { keccak, toHex } from "./webapp/static/verify.mjs";
for (let n = 0; n < 700; n++) console.log(toHex(keccak(Uint8Array.from({ length: n }, (_, i) => (i * 7 + n) % 256))));
"""

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")


def run_node(*arguments: str) -> str:
    done = subprocess.run(["node", *arguments], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_golden_vectors_hold_in_javascript() -> None:
    run_node("--test", "tests/vectors/")


def test_keccak_agrees_at_every_length_around_the_blocks_edges() -> None:
    found = run_node("--input-type=module", "-e", KECCAK_OF_MANY_LENGTHS).split()
    assert found == ["0x" + keccak(bytes((i * 7 + n) % 256 for i in range(n))).hex() for n in range(700)]
