"""One stretch of houses: the bills of the accounts that columns know, and by the rules those of all others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import structlog
from numpy.typing import NDArray

from billing.accounts import Account, Accounts
from billing.charges import ERASED, charge_months, credits_for
from billing.checks import Checks
from billing.documents import Title, draft_bill
from billing.domain.calendar import month_span
from billing.domain.charge import ChargedLine
from billing.domain.house_use import HouseUse
from billing.domain.household import AccountMonth
from billing.domain.tariff import TariffSet
from billing.houses import Houses as HouseBooks
from billing.leaves import Leaf, leaf_of, usage_json
from billing.months import Months
from billing.store import dump
from billing.vector.bills import Frame, PlainBill, Premises, blob_tails
from billing.vector.columns import Columns, GroupOf, Key, KindsOf
from billing.vector.exact import FormulaError
from billing.vector.houses import HousePass, pass_houses
from billing.vector.plain import Houses
from billing.vector.rows import RowReader
from billing.vector.shapes import Filled, LineShape, NoShape
from billing.vector.template import MarkMissing
from contracts.wire.ids import Hash, Period, Service
from contracts.wire.leaf import Credit
from contracts.wire.structs import UsedHead

_log = structlog.get_logger()
UNFIT = (NoShape, FormulaError, MarkMissing, ZeroDivisionError, OverflowError)
"""Why a group is left to the rules, found while its shape is made or filled."""
AT_ONCE = 400
"""Accounts of one question to the registers, by the rules."""
DIFFERS = "columns differ from the rules"
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class City:
    """What a run knows before its first house. ``prepaid`` is what accounts have paid ahead, by account."""

    period: Period
    heads: tuple[UsedHead, ...]
    tariffs: TariffSet
    billed: frozenset[str] = frozenset()
    prepaid: Mapping[str, list[Credit]] = field(default_factory=dict)
    revisions: Mapping[str, int] = field(default_factory=dict)
    passports: frozenset[Hash] | None = None


@dataclass(slots=True)
class Stretched:
    """The leaves of a stretch in no order, the accounts that could not be billed, and what was left to the rules."""

    leaves: list[Leaf] = field(default_factory=list)
    problems: dict[str, str] = field(default_factory=dict)
    houses: dict[str, Mapping[Service, HouseUse]] = field(default_factory=dict)
    by_rules: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Unfit:
    """Why the accounts of a group are left to the rules."""

    reason: str


Shape = LineShape | Unfit | None
"""None where accounts have no line of a service."""


class StretchEngine:
    """Bills stretches of houses one after another; the shapes of one serve the next."""

    def __init__(self, city: City, reader: RowReader, register: Accounts, months: Months, entries: HouseBooks) -> None:
        self._city = city
        self._reader = reader
        self._register = register
        self._months = months
        self._checks = Checks(city.passports)
        self._frame = Frame(city.period)
        self._entries = entries
        self._kinds = KindsOf()
        self._shapes: dict[tuple[Service, Key], Shape] = {}

    def bill(self, codes: Sequence[str]) -> Stretched:
        """The bills of all accounts of some houses that are open in the period and not billed yet."""
        city = self._city
        houses = self._register.houses(codes)
        spans = {code: month_span(city.period, house.zone) for code, house in houses.items()}
        if not spans:
            return Stretched()
        span = min(s.start_ts for s in spans.values()), max(s.end_ts for s in spans.values())
        suppliers = {code: self._register.suppliers(code, spans[code].first) for code in houses}
        rows = self._reader.read(suppliers, span, city.billed, city.passports)
        stretch = Houses(city.period, houses, suppliers, spans)
        columns = Columns(rows, stretch, city.tariffs, self._reader.batches, self._kinds)
        columns.leave(city.prepaid, "paid ahead")
        out = Stretched()
        entries = self._entries.entries(columns.whole, city.period) if columns.whole else {}
        passed = pass_houses(columns, entries, self._alone, self._checks)
        out.houses |= passed.uses
        self._bill_by_columns(columns, passed, out)
        odd = [account for account in rows.accounts if account.account in columns.odd]
        out.by_rules.update(columns.odd[account.account] for account in odd)
        for known in (True, False):
            rest = [account for account in odd if (account.house in passed.uses) is known]
            for start in range(0, len(rest), AT_ONCE):
                self._bill_by_rules(rest[start : start + AT_ONCE], passed if known else None, out)
        return out

    def _alone(self, accounts: Sequence[Account]) -> dict[str, AccountMonth]:
        """Months without the use of their houses."""
        city = self._city
        months: dict[str, AccountMonth] = {}
        for start in range(0, len(accounts), AT_ONCE):
            here = accounts[start : start + AT_ONCE]
            found = self._months.of(city.period, here, city.tariffs, city.heads, alone=True)
            months |= {month.account: month for month in found}
        return months

    def _with_houses(self, accounts: Sequence[Account], passed: HousePass) -> list[AccountMonth]:
        months = self._alone(accounts)
        return [replace(months[a.account], house_use=passed.uses.get(a.house, {})) for a in accounts]

    # --- by the rules ---

    def _bill_by_rules(self, accounts: Sequence[Account], passed: HousePass | None, out: Stretched) -> None:
        """``passed`` knows the use of the accounts' houses; without it that is worked out here."""
        city = self._city
        if passed is None:
            charges = charge_months(self._months.of(city.period, accounts, city.tariffs, city.heads), self._checks)
        else:
            charges = charge_months(self._with_houses(accounts, passed), self._checks)
        out.problems |= charges.problems
        out.houses |= charges.houses
        for account in accounts:
            title = self._title(account)
            if title is None:
                out.problems[account.account] = ERASED
            elif account.account in charges.lines:
                lines = charges.lines[account.account]
                credits = credits_for(lines, city.prepaid.get(account.account, []))
                out.leaves.append(leaf_of(draft_bill(title, charges.months[account.account], lines, credits)))

    def _title(self, account: Account) -> Title | None:
        secret = self._reader.secret(account.key_id)
        revision = self._city.revisions.get(account.account, 0)
        return None if secret is None else Title(account.account, self._city.period, revision, account.key_id, secret)

    # --- by columns ---

    def _bill_by_columns(self, columns: Columns, passed: HousePass, out: Stretched) -> None:
        groups = list(columns.groups(passed))
        witnesses = self._witness(columns, groups, passed)
        filled = [(group, shape) for group in groups if (shape := self._fill(columns, group)) is not None]
        bills = self._put_together(columns, filled)
        for name, draft in witnesses.items():
            bill = bills.get(name)
            if bill is not None and (bill.document, bill.tail, bill.usage) != draft:
                self._distrust(columns, groups, name)
        alive = [bill for bill in bills.values() if bill.premises.account.account not in columns.odd]
        out.leaves += self._frame.leaves(alive)

    def _witness(
        self, columns: Columns, groups: Sequence[GroupOf], passed: HousePass
    ) -> dict[str, tuple[bytes, bytes, bytes]]:
        """Makes the shapes that are new here, of what the rules give for a group's first account; and what they give
        for it and for the last: the document, the blob behind the commitment, the usage."""
        fresh = [group for group in groups if (group.service, group.key) not in self._shapes]
        places = sorted({int(place) for group in fresh for place in (group.places[0], group.places[-1])})
        accounts = [columns.accounts[place] for place in places]
        charges = charge_months(self._with_houses(accounts, passed), self._checks)
        columns.leave(charges.problems, "what the rules can't charge")
        for group in fresh:
            name = columns.accounts[group.places[0]].account
            self._shapes[group.service, group.key] = self._shape(columns, group, charges.lines.get(name))
        out = {}
        for account in accounts:
            lines, title = charges.lines.get(account.account), self._title(account)
            if lines and title is not None:
                draft = draft_bill(title, charges.months[account.account], lines, [])
                out[account.account] = draft.document, draft.blob[32:], usage_json(lines)
        return out

    def _shape(self, columns: Columns, group: GroupOf, lines: Sequence[ChargedLine] | None) -> Shape:
        if lines is None:
            return Unfit("its first account can't be charged")
        line = next((line for line in lines if line.service is group.service), None)
        if line is None:
            return None
        span = columns.spans[columns.accounts[group.places[0]].house]
        try:
            return LineShape(line, group.columns, span)
        except UNFIT as error:
            _log.info("vector.left_to_rules", service=group.service.name.lower(), reason=str(error))
            return Unfit(str(error))

    def _fill(self, columns: Columns, group: GroupOf) -> Filled | None:
        """A group's lines; None where its accounts have no such line, or are left to the rules."""
        shape = self._shapes[group.service, group.key]
        if isinstance(shape, LineShape):
            try:
                return shape.fill(group.columns)
            except UNFIT as error:
                shape = self._shapes[group.service, group.key] = Unfit(str(error))
        if shape is not None:
            columns.leave_places(group.places, shape.reason)
        return None

    def _distrust(self, columns: Columns, groups: Sequence[GroupOf], name: str) -> None:
        """An account came out otherwise than by the rules: every group that it is of is left to them."""
        _log.error("vector.differs", period=str(self._city.period), account=name)
        for group in groups:
            if any(columns.accounts[place].account == name for place in group.places.tolist()):
                self._shapes[group.service, group.key] = Unfit(DIFFERS)
                columns.leave_places(group.places, DIFFERS)

    def _put_together(self, columns: Columns, filled: Sequence[tuple[GroupOf, Filled]]) -> dict[str, PlainBill]:
        """The bills of all accounts that are not odd."""
        if not filled:
            return {}
        services = sorted({group.service for group, _ in filled})
        row_of = {service: row for row, service in enumerate(services)}
        shape = len(services), len(columns.accounts)
        is_there, amounts = np.zeros(shape, bool), np.zeros(shape, np.int64)
        usages: list[list[bytes]] = [[b""] * shape[1] for _ in services]
        for group, lines in filled:
            row = row_of[group.service]
            is_there[row, group.places], amounts[row, group.places] = True, lines.amounts
            own = usages[row]
            for place, usage in zip(group.places.tolist(), lines.usage, strict=True):
                own[place] = usage
        shown = is_there & (amounts > 0)
        nothing = ~shown.any(axis=0) & is_there.any(axis=0)
        shown[is_there.argmax(axis=0)[nothing], np.flatnonzero(nothing)] = True
        number = np.where(shown, np.cumsum(shown, axis=0), 0)
        texts: list[list[bytes]] = [[b""] * shape[1] for _ in services]
        for group, lines in filled:
            row = row_of[group.service]
            own = texts[row]
            told = lines.texts([_PLACES[n] for n in number[row, group.places].tolist()])
            for place, text in zip(group.places.tolist(), told, strict=True):
                own[place] = text
        return self._bills(columns, services, (texts, usages), (shown, amounts))

    def _bills(
        self,
        columns: Columns,
        services: Sequence[Service],
        words: tuple[list[list[bytes]], list[list[bytes]]],
        numbers: tuple[NDArray[np.bool_], Ints],
    ) -> dict[str, PlainBill]:
        texts, usages = words
        shown, amounts = numbers
        premises, lines, kept = [], [], []
        names = [dump({str(int(service)): 0}).encode()[1:-2] for service in services]
        alive = np.ones(len(columns.accounts), bool)
        for place, account in enumerate(columns.accounts):
            own = [row for row in range(len(services)) if texts[row][place]]
            secret = self._reader.secret(account.key_id)
            if not own or secret is None:
                columns.leave([account.account], "no line at all" if secret else "an erased account")
            if account.account in columns.odd or secret is None:
                alive[place] = False
                continue
            house, revision = columns.houses[account.house], self._city.revisions.get(account.account, 0)
            premises.append(Premises(account, house, secret, revision))
            lines.append(b",".join([texts[row][place] for row in own]))
            kept.append(b"{" + b",".join([names[row] + usages[row][place] for row in own]) + b"}")
        shown, amounts = shown[:, alive].T, amounts[:, alive].T
        totals = np.where(shown, amounts, 0).sum(axis=1).tolist()
        tails = blob_tails(self._suppliers(columns, services)[alive], amounts, shown)
        documents = self._frame.documents(premises, lines, totals)
        return {
            who.account.account: PlainBill(who, *rest)
            for who, *rest in zip(premises, documents, tails, kept, strict=True)
        }

    @staticmethod
    def _suppliers(columns: Columns, services: Sequence[Service]) -> Ints:
        """The number of each account's supplier of each service, 0 for none."""
        of_house = {
            code: [int(suppliers.get(service, 0)) for service in services]
            for code, suppliers in columns.suppliers.items()
        }
        return np.array([of_house[account.house] for account in columns.accounts], dtype=np.int64)


_PLACES = [b"null", *(str(place).encode() for place in range(64))]
