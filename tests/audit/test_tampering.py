"""Whatever is altered is found, and the right record is named."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from scripts.audit.finding import CannotAudit
from tests.audit.conftest import Laid, copy_of
from tests.audit.tampering import TAMPERINGS, Expected

QUICK = 2 * len(TAMPERINGS)


def assert_named(laid: Laid, expected: Expected) -> None:
    refused = None
    try:
        found = laid.audit()
    except CannotAudit as error:
        refused = error
    if refused is not None:
        assert refused.slug in expected.slugs, str(refused)
        assert any(record in refused.reason for record in expected.records), str(refused)
        return
    findings = list(found.findings)
    assert not found.is_sound
    named = [f for f in findings if f.record in expected.records and f.slug in expected.slugs]
    assert named, (expected, [str(finding) for finding in findings[:5]])
    assert named[0].place.block == findings[0].place.block, (expected, str(findings[0]))


def tamper(played: Laid, folder: Path, seed: int) -> None:
    chance = random.Random(seed)
    laid = copy_of(played, folder)
    assert_named(laid, TAMPERINGS[seed % len(TAMPERINGS)](laid, chance))


@pytest.mark.parametrize("seed", range(QUICK))
def test_a_tampering_is_found_and_named(played: Laid, tmp_path: Path, seed: int) -> None:
    tamper(played, tmp_path / "copy", seed)


@pytest.mark.slow
@pytest.mark.parametrize("hundred", range(10))
def test_a_thousand_tamperings_are_found_and_named(played: Laid, tmp_path: Path, hundred: int) -> None:
    for seed in range(100 * hundred, 100 * (hundred + 1)):
        tamper(played, tmp_path / str(seed), QUICK + seed)
