"""An untampered town gives no alarm, and what was checked is what there is."""

from __future__ import annotations

from pathlib import Path

from tests.audit.conftest import Laid


def test_a_town_as_it_was_played_is_sound(played: Laid, tmp_path: Path) -> None:
    found = played.audit(tmp_path / "state")
    assert [str(finding) for finding in found.findings] == []
    assert found.is_sound
    checked = found.findings.checked
    assert checked["bills"] == checked["bills worked out again"] >= 11
    assert checked["signatures of orders"] == 3
    assert checked["grants applied"] == 2
    assert checked["refunds"] == 1
    assert checked["volumes derived from readings"] > 20
    assert found.findings.closed["erased"] == 3


def test_an_audit_goes_on_from_where_it_was(played: Laid, tmp_path: Path) -> None:
    first = played.audit(tmp_path / "state")
    again = played.audit(tmp_path / "state")
    assert (first.resumed_from, again.resumed_from) == (None, first.height)
    assert again.findings.checked == first.findings.checked
