"""Foundry's failures are seen: the program that the tests are run by ends with forge's own code."""

from __future__ import annotations

import subprocess

from scripts.chain import ROOT


def test_what_forge_refuses_ends_with_its_code() -> None:
    done = subprocess.run(
        [ROOT / "scripts" / "forge.sh", "test", "--no-such-flag"], check=False, capture_output=True, cwd=ROOT
    )
    assert done.returncode == 2


def test_no_script_goes_by_the_wrapper_that_ends_with_nothing() -> None:
    named = [path for path in (ROOT / "scripts").glob("*.sh") if path.name != "forge.sh"]
    assert [path.name for path in (*named, ROOT / "Makefile") if ".bin/forge" in path.read_text()] == []
