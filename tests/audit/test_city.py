"""The town that the audit is timed on, made small: sound by one process and by two, and found out where altered."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.audit.audit import Result, audit
from scripts.audit.bundle import Bundle
from scripts.audit.node import Node
from scripts.bench.audit import Answers
from scripts.bench.million.town import AuditTown, town_of

BILLS = 300


def audited(town: AuditTown, processes: int, opens: bool = True) -> Result:
    bundle = Bundle(town.bundle, opens)
    return audit(bundle, Node(Answers(town.answers), bundle.deployment), town.state, processes)


@pytest.mark.slow
def test_a_generated_town_is_sound_and_a_kopeck_off_it_is_found(tmp_path: Path) -> None:
    town = town_of(BILLS, tmp_path)
    made = (town.folder / "answers.json").stat().st_mtime_ns
    for processes in (1, 2):
        found = audited(town, processes)
        assert [str(finding) for finding in found.findings] == []
        checked = found.findings.checked
        assert checked["bills"] == checked["receipts"] == checked["bills worked out again"] == BILLS
        assert checked["signatures of orders"] == BILLS // 10
        assert found.findings.closed.keys() == {"opened"}
        assert found.resumed_from == found.height
    sealed = audited(town, 2, opens=False)
    assert (sealed.is_sound, sealed.is_open, sealed.findings.checked["bills worked out again"]) == (True, False, 0)
    path = sorted((town.bundle / "lines").iterdir())[0]
    rows = path.read_bytes().split(b"\n")
    rows[3] = rows[3].replace(b'{"blob":"0x00', b'{"blob":"0x01', 1)
    path.write_bytes(b"\n".join(rows))
    (finding,) = audited(town, 2, opens=False).findings
    assert (finding.slug, finding.record) == ("leaf-altered", f"leaf 2 of lines/{path.name}")
    town_of(BILLS, tmp_path)
    assert (town.folder / "answers.json").stat().st_mtime_ns == made
