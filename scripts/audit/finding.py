"""What an audit finds: one record that is not as it should be, with both values, where they stand, and what to do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

LATE = 1 << 62
"""The block of a finding that no block bears: it stands after those that have one."""
_KEPT = 10_000
"""Findings that are kept whole; of more only their number is, so that a rotten bundle does not fill the memory."""


class CannotAudit(Exception):
    """The audit could not be made: nothing was found right or wrong. ``slug`` tells the causes apart."""

    def __init__(self, slug: str, reason: str, remedy: str) -> None:
        super().__init__(f"{reason}. {remedy}")
        self.slug, self.reason, self.remedy = slug, reason, remedy


@dataclass(frozen=True, slots=True)
class Place:
    """Where on the chain the record stands, or is named: the order in which findings are told."""

    block: int = LATE
    log: int = 0
    tx: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """A record that is not as it should be.

    ``expected`` is what the chain, the rules or a signature demand, ``found`` what there is; ``invariant`` is the
    design's, by number, where one is broken; ``evidence`` names files, lines, hashes and transactions.
    """

    check: str
    slug: str
    record: str
    expected: str
    found: str
    remedy: str
    place: Place = Place()
    invariant: int | None = None
    evidence: Mapping[str, object] = field(default_factory=dict)

    def value(self) -> dict[str, object]:
        """The finding as JSON holds it."""
        out: dict[str, object] = {
            "check": self.check, "slug": self.slug, "record": self.record, "expected": self.expected,
            "found": self.found, "remedy": self.remedy, "evidence": dict(self.evidence),
        }  # fmt: skip
        if self.place.block != LATE:
            out["block"], out["log"] = self.place.block, self.place.log
        if self.place.tx:
            out["transaction"] = self.place.tx
        if self.invariant is not None:
            out["invariant"] = self.invariant
        return out

    def __str__(self) -> str:
        return f"{self.record}: {self.slug}: expected {self.expected}, found {self.found}. {self.remedy}"


class Findings:
    """The findings of one audit, and how much was checked."""

    def __init__(self) -> None:
        self._found: list[Finding] = []
        self.number = 0
        self.checked: Counter[str] = Counter()
        """How many records of each kind were held against something: a report says what it stands on."""
        self.closed: Counter[str] = Counter()
        """Leaves by what became of their content: erased, locked, opened."""

    def add(self, finding: Finding) -> None:
        """One more."""
        self.number += 1
        if len(self._found) < _KEPT:
            self._found.append(finding)

    def merge(self, part: Findings) -> None:
        """Takes over what another process, or a part of the work, found and counted."""
        self._found += part._found[: _KEPT - len(self._found)]
        self.number += part.number
        self.checked.update(part.checked)
        self.closed.update(part.closed)

    def count(self, what: str, number: int = 1) -> None:
        """So many more records of a kind were checked."""
        self.checked[what] += number

    def __iter__(self) -> Iterator[Finding]:
        """The findings, the earliest on the chain first."""
        return iter(sorted(self._found, key=lambda f: (f.place.block, f.place.log, f.check, f.record)))

    def __len__(self) -> int:
        return self.number
