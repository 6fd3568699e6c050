"""A proposed tariff on real history: past months charged again by the readings that their runs claimed, side by side.

Old and new are both worked out by the rules as they stand, from the same readings; the proposed document holds for the
whole time asked about, whatever its own dates. Nothing is stored.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, TypeVar

from sqlalchemy import Engine

from billing.accounts import Account, Accounts
from billing.domain.charge import ChargedLine
from billing.domain.services import charge_account
from billing.domain.tariff import NoTariff, TariffError, TariffSet, Version, parse_document
from billing.domain.usage import DecreasingRegister
from billing.months import Months
from billing.run import Run, Runs, RunStage
from billing.tariffs import Tariffs
from contracts.client.keyring import KeyRing
from contracts.wire.canonical import canonical_json, content_hash
from contracts.wire.ids import Period, Service
from contracts.wire.leaf import BillKind
from ledger.queries import Ledger

K = TypeVar("K")


class NothingBilled(LookupError):
    """No run billed any account in the time asked about."""

    def __init__(self, first: Period, last: Period) -> None:
        super().__init__(f"nothing was billed from {first} to {last}; `kopeck bill runs` lists the months that were")
        self.first, self.last = first, last


@dataclass(frozen=True, slots=True)
class Difference:
    """One service of one account in one month, kopecks by the tariffs in force and with the proposed document."""

    account: str
    period: Period
    service: Service
    old_kopecks: int
    new_kopecks: int


@dataclass(frozen=True, slots=True)
class WhatIf:
    """The differences, and the accounts that could not be charged (by month) with the reason."""

    document: str
    differences: tuple[Difference, ...]
    problems: Mapping[str, str]

    def by_service(self) -> dict[Service, tuple[int, int]]:
        """Old and new sums of each service."""
        return _sums((d.service, d) for d in self.differences)

    def by_account(self) -> dict[str, tuple[int, int]]:
        """Old and new sums of each account."""
        return _sums((d.account, d) for d in self.differences)

    def total(self) -> tuple[int, int]:
        """Old and new sums of everything."""
        return sum(d.old_kopecks for d in self.differences), sum(d.new_kopecks for d in self.differences)


def _sums(rows: Iterable[tuple[K, Difference]]) -> dict[K, tuple[int, int]]:
    out: dict[K, tuple[int, int]] = {}
    for key, row in rows:
        old, new = out.get(key, (0, 0))
        out[key] = old + row.old_kopecks, new + row.new_kopecks
    return out


class WhatIfs:
    """Answers what a tariff would have cost."""

    def __init__(self, engine: Engine, register: Accounts, keyring: KeyRing, tariffs: Tariffs, ledger: Ledger) -> None:
        self._accounts = register
        self._tariffs = tariffs
        self._ledger = ledger
        self._runs = Runs(engine, keyring)
        self._months = Months(engine, register, keyring, ledger)

    def compare(self, value: Mapping[str, Any], first: Period, last: Period) -> WhatIf:
        """The months ``first`` through ``last`` of every account billed in them. Raises TariffError, NothingBilled."""
        old = self._tariffs.published(self._ledger)
        new = with_proposed(old, value, first, last)
        accounts = {account.account: account for account in self._accounts.accounts()}
        out: list[Difference] = []
        problems: dict[str, str] = {}
        for run in self._billed(first, last):
            names = [b.account for b in self._runs.bills(run.id) if b.kind is BillKind.BILL]
            here = [accounts[name] for name in names if name in accounts]
            before, after = (self._charged(run, here, tariffs, problems) for tariffs in (old, new))
            for name in before.keys() & after.keys():
                out += _differences(name, run.period, before[name], after[name])
        if not out and not problems:
            raise NothingBilled(first, last)
        out.sort(key=lambda row: (row.period, row.account, row.service))
        return WhatIf(parse_document(value).name, tuple(out), problems)

    def _billed(self, first: Period, last: Period) -> Iterator[Run]:
        """The regular runs of the months: corrections bill the same months again."""
        for run in self._runs.at(RunStage.ACTIVE):
            if run.kind == "regular" and first <= run.period <= last:
                yield run

    def _charged(
        self, run: Run, accounts: Sequence[Account], tariffs: TariffSet, problems: dict[str, str]
    ) -> dict[str, list[ChargedLine]]:
        out = {}
        for month in self._months.of(run.period, accounts, tariffs, run.proposal.heads):
            try:
                out[month.account] = charge_account(month)
            except (DecreasingRegister, NoTariff, TariffError) as error:
                problems[f"{month.account} {run.period}"] = str(error)
        return out


def with_proposed(tariffs: TariffSet, value: Mapping[str, Any], first: Period, last: Period) -> TariffSet:
    """The set with a document that holds from ``first`` through ``last`` over what it would replace there.

    Raises TariffError.
    """
    document = parse_document(value)
    start, after = date(first.year, first.month, 1), last.next()
    document = replace(document, effective_from=start, effective_to=date(after.year, after.month, 1))
    version = Version(tariffs.number + 1, content_hash(canonical_json(dict(value))), document)
    return TariffSet([*tariffs.versions, version])


def _differences(
    account: str, period: Period, old: Sequence[ChargedLine], new: Sequence[ChargedLine]
) -> list[Difference]:
    """By service, whatever stands on one side alone being nothing on the other."""
    before, after = _by_service(old), _by_service(new)
    return [
        Difference(account, period, service, before.get(service, 0), after.get(service, 0))
        for service in sorted({*before, *after})
    ]


def _by_service(lines: Sequence[ChargedLine]) -> dict[Service, int]:
    out: dict[Service, int] = {}
    for line in lines:
        out[line.service] = out.get(line.service, 0) + line.amount_kopecks
    return out
