"""A look at a run before it is asked for: sums by service, and what differs from the month before enough to be read.

Nothing is kept or sent. The same accounts, readings and tariffs give the same bills when the run is made.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from importlib.resources import files

from billing.domain.charge import ChargedLine
from billing.domain.household import AccountMonth
from billing.domain.usage import Method
from billing.prepare import Worked
from billing.run import Runs, RunStage
from contracts.wire.ids import Period
from contracts.wire.leaf import BillKind

PERCENT = 100
MEASURED = frozenset({Method.METER, Method.PROFILE})


class Look(StrEnum):
    """Why a line is worth a look."""

    ROSE = "rose"
    FELL = "fell"
    NEW = "new"
    GONE = "gone"
    NEW_ESTIMATE = "new_estimate"
    MISSING_READING = "missing_reading"
    BY_NORM = "by_norm"
    ZERO_USE = "zero_use"
    NOBODY_REGISTERED = "nobody_registered"


@dataclass(frozen=True, slots=True)
class Thresholds:
    """From what on a difference is worth a look: a share of the line of the month before, and kopecks at least."""

    rise_percent: int
    fall_percent: int
    least_change_kopecks: int

    @classmethod
    def from_json(cls, value: Mapping[str, object]) -> Thresholds:
        """The thresholds that a document holds. Raises ValueError naming the field."""
        numbers = []
        for name in ("rise_percent", "fall_percent", "least_change_kopecks"):
            number = value.get(name)
            if not isinstance(number, int) or isinstance(number, bool) or number < 0:
                raise ValueError(f"thresholds: {name} is {number!r}; give a whole number from zero")
            numbers.append(number)
        return cls(*numbers)

    @classmethod
    def shipped(cls) -> Thresholds:
        """Those that come with billing."""
        return cls.from_json(json.loads((files("billing") / "data" / "preview" / "thresholds.json").read_text()))


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of one account that somebody should look at; sums in kopecks."""

    account: str
    service: str
    look: Look
    was_kopecks: int | None
    now_kopecks: int | None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class ServiceSum:
    """All lines of a service; ``was_kopecks`` those of the same accounts a month before."""

    service: str
    lines: int
    amount_kopecks: int
    was_kopecks: int


@dataclass(frozen=True, slots=True)
class Preview:
    """What a run would bill."""

    period: Period
    bills: int
    billed_already: int
    tariff_version: int
    services: tuple[ServiceSum, ...]
    findings: tuple[Finding, ...]
    problems: Mapping[str, str]

    @property
    def total_kopecks(self) -> int:
        """Sum of all bills."""
        return sum(service.amount_kopecks for service in self.services)

    def to_json(self) -> dict[str, object]:
        """Plain values."""
        return {
            "period": str(self.period),
            "bills": self.bills,
            "billed_already": self.billed_already,
            "tariff_version": self.tariff_version,
            "total_kopecks": self.total_kopecks,
            "was_kopecks": sum(service.was_kopecks for service in self.services),
            "services": [asdict(service) for service in self.services],
            "findings": [asdict(finding) for finding in self.findings],
            "problems": dict(self.problems),
        }


@dataclass(frozen=True, slots=True)
class _LastLine:
    amount_kopecks: int
    method: str


def preview_of(worked: Worked, runs: Runs, thresholds: Thresholds) -> Preview:
    """The preview of what was worked out, against the bills in force of the month before."""
    names = sorted(draft.account for draft in worked.drafts)
    last = _last_month(runs, names, worked.period.previous())
    findings: list[Finding] = []
    sums: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    for name in names:
        lines, before = worked.charges.lines[name], last.get(name, {})
        findings += look_at(worked.charges.months[name], lines, before, thresholds)
        for line in lines:
            row = sums[line.service.name.lower()]
            row[0] += 1
            row[1] += line.amount_kopecks
        for service, was in before.items():
            sums[service][2] += was.amount_kopecks
    services = tuple(ServiceSum(service, *row) for service, row in sorted(sums.items()))
    return Preview(
        worked.period, len(names), worked.billed, worked.version, services, tuple(findings), worked.charges.problems
    )


def look_at(
    month: AccountMonth, lines: Sequence[ChargedLine], before: Mapping[str, _LastLine], thresholds: Thresholds
) -> Iterator[Finding]:
    """What of an account's month is worth a look."""
    for line in lines:
        name, now = line.service.name.lower(), line.amount_kopecks
        was = before.get(name)
        last = None if was is None else was.amount_kopecks
        for look, detail in _of_line(month, line, was):
            yield Finding(month.account, name, look, last, now, detail)
        if last is None and before:
            yield Finding(month.account, name, Look.NEW, None, now)
        elif last is not None and abs(now - last) >= max(1, thresholds.least_change_kopecks):
            if (now - last) * PERCENT >= thresholds.rise_percent * last:
                yield Finding(month.account, name, Look.ROSE, last, now)
            elif (last - now) * PERCENT >= thresholds.fall_percent * last:
                yield Finding(month.account, name, Look.FELL, last, now)
    here = {line.service.name.lower() for line in lines}
    for name in sorted(set(before) - here):
        yield Finding(month.account, name, Look.GONE, before[name].amount_kopecks, None)


def _of_line(month: AccountMonth, line: ChargedLine, was: _LastLine | None) -> Iterator[tuple[Look, str]]:
    meters = month.meters.get(line.service, ())
    if meters and line.method not in MEASURED:
        names = ", ".join(meter.binding.meter.hex() for meter in meters)
        yield Look.MISSING_READING, f"no usable reading of {names}; charged by {line.method.value}"
        if was is not None and was.method in MEASURED:
            yield Look.NEW_ESTIMATE, f"charged by meter the month before, by {line.method.value} now"
    if line.method is Method.NORM and _counts_persons(line):
        yield Look.BY_NORM, "charged by norm"
        if not month.household.registered_on(month.span.first):
            yield Look.NOBODY_REGISTERED, f"nobody is registered; charged for {month.household.owners} owners"
    if meters and line.method in MEASURED and line.quantity == 0:
        yield Look.ZERO_USE, "the meter counted nothing"


def _counts_persons(line: ChargedLine) -> bool:
    """Whether a line by norm is of persons: the norms of heating and of waste by area need no meter."""
    return any(i.symbol == "n" or i.symbol.startswith("n_") for part in line.parts for i in part.inputs)


def _last_month(runs: Runs, accounts: Sequence[str], period: Period) -> dict[str, dict[str, _LastLine]]:
    """Lines by account and service of the latest bill of a month; erased and failed ones are left out."""
    out: dict[str, dict[str, _LastLine]] = {}
    for account, leaves in runs.of_accounts(accounts, period).items():
        documents = [
            stored.document
            for _, stored, run in leaves
            if stored.kind is BillKind.BILL and run.stage is not RunStage.WAITING and stored.document
        ]
        if documents:
            out[account] = _lines_of(json.loads(documents[-1])["lines"])
    return out


def _lines_of(rows: Iterable[Mapping[str, object]]) -> dict[str, _LastLine]:
    out: dict[str, _LastLine] = {}
    for row in rows:
        known = out.get(str(row["service"]))
        amount = int(str(row["amount_kopecks"])) + (known.amount_kopecks if known else 0)
        out[str(row["service"])] = _LastLine(amount, str(row["method"]))
    return out
