"""Capsules of a chain that is long gone: what was proved once stays proved, in all three verifiers."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from contracts.wire.capsule import CapsuleError, Trust
from contracts.wire.capsule_check import verify_capsule
from tests.capsule.vectors import FILE
from tests.capsule.verifiers import GO

VECTORS: dict[str, Any] = json.loads(FILE.read_text())
TRUST = Trust.parse(json.dumps(VECTORS["trust"]).encode())


def test_in_python() -> None:
    for given in VECTORS["accepted"]:
        assert verify_capsule(given["capsule"].encode(), TRUST).state.name.lower() == given["state"], given["name"]
    by_name = {given["name"]: given["capsule"].encode() for given in VECTORS["accepted"]}
    cases = [(case["capsule"].encode(), TRUST, case["refusal"]) for case in VECTORS["refused"]]
    cases += [
        (by_name[case["of"]], Trust.parse(json.dumps(case["trust"]).encode()), case["refusal"])
        for case in VECTORS["distrusted"]
    ]
    for data, trust, refusal in cases:
        with pytest.raises(CapsuleError, match=f"^{refusal}: "):
            verify_capsule(data, trust)


def test_in_go() -> None:
    if shutil.which("go") is None:
        pytest.skip("Go is not installed")
    done = subprocess.run(["go", "test", "./..."], cwd=GO, capture_output=True, text=True, check=False, timeout=300)
    if done.returncode and ("proxy" in done.stderr or "dial tcp" in done.stderr):
        pytest.skip(f"the Go modules are not to be had: {done.stderr[-200:]}")
    assert done.returncode == 0, done.stdout + done.stderr


def test_in_javascript() -> None:
    if shutil.which("node") is None:
        pytest.skip("node is not installed")
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        ["node", "--test", "tests/vectors/capsules.test.mjs"],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
