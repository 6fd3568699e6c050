"""The verifiers in Go and in the browser's JavaScript, each a process of its own that is given files and no address."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
GO = ROOT / "contracts" / "verify-go"

Verifier = Callable[[Path, Sequence[Path]], list[dict[str, Any]]]
"""What it says of each capsule under a trust file: ``verdict``, or ``refusal`` with its word."""


def built_go(folder: Path) -> Path:
    """The program in Go; skips where Go or the modules are not to be had."""
    if shutil.which("go") is None:
        pytest.skip("Go is not installed")
    binary = folder / "verify"
    built = subprocess.run(
        ["go", "build", "-o", str(binary), "."], cwd=GO, capture_output=True, text=True, check=False, timeout=300
    )
    if built.returncode and ("proxy" in built.stderr or "dial tcp" in built.stderr):
        pytest.skip(f"the Go modules are not to be had: {built.stderr[-200:]}")
    assert built.returncode == 0, built.stderr
    return binary


def go_verifier(binary: Path) -> Verifier:
    """The program in Go."""
    return partial(_run, [str(binary), "-trust"])


def javascript_verifier() -> Verifier:
    """What the page runs; skips where Node is not installed."""
    if shutil.which("node") is None:
        pytest.skip("node is not installed")
    return partial(_run, ["node", str(ROOT / "tests" / "capsule" / "run.mjs")])


def _run(command: Sequence[str], trust: Path, paths: Sequence[Path]) -> list[dict[str, Any]]:
    done = subprocess.run(
        [*command, str(trust), *map(str, paths)],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env={"PATH": os.environ["PATH"], "http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9"},
    )
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [answer["file"] for answer in answers] == [str(path) for path in paths], done.stderr
    return answers
