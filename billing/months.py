"""Gathers what the rules need for many accounts at once: readings from the ledger, the months before from our own."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Engine, select

from billing.accounts import Account, Accounts
from billing.domain.calendar import month_span
from billing.domain.house import HouseEntries, house_uses
from billing.domain.house_use import HouseUse
from billing.domain.household import AccountMonth
from billing.domain.readings import MeterBinding, MeterKind, MeterMonth, ProfileRow, RegisterRow
from billing.domain.tariff import TariffSet
from billing.domain.usage import DAY_S, Method, PastMonth
from billing.events import EventBook
from billing.houses import Houses
from billing.leaves import usage_place
from billing.schema import runs, usage
from billing.store import load
from contracts.client.keyring import KeyRing
from contracts.wire.ids import KeyId, MeterId, Period, Service
from contracts.wire.sealed import unseal
from contracts.wire.structs import UsedHead
from ledger.queries import Ledger

LOOK_BACK_S = 200 * DAY_S
"""How far before a month its first counter may lie: more than the six months of п. 59."""
HISTORY_MONTHS = 12
FAILED = "failed"
FEW = 500
"""Accounts that are named in a query; of more all are read."""
_Used = tuple[Method, dict[str, int], dict[str, int], int, int]
"""How a month was charged, for how much by zone, what it is owed back, the kopecks carried over and those charged."""


@dataclass(frozen=True, slots=True)
class _Readings:
    registers: Mapping[MeterId, list[RegisterRow]]
    profiles: Mapping[MeterId, list[ProfileRow]]

    def month_of(self, binding: MeterBinding) -> MeterMonth:
        """A meter with its rows; those outside the binding's own time belong to somebody else's account."""
        end = binding.until
        registers = tuple(
            row
            for row in self.registers.get(binding.meter, ())
            if row.taken_at >= binding.since and (end is None or row.taken_at <= end)
        )
        return MeterMonth(binding, registers, tuple(self.profiles.get(binding.meter, ())))

    def by_service(self, bindings: Iterable[MeterBinding]) -> dict[Service, tuple[MeterMonth, ...]]:
        """Meters with their rows, by service."""
        out: defaultdict[Service, list[MeterMonth]] = defaultdict(list)
        for binding in bindings:
            out[binding.service].append(self.month_of(binding))
        return {service: tuple(months) for service, months in out.items()}


def _uses(
    months: Iterable[AccountMonth], entries: Mapping[str, Mapping[Service, HouseEntries]]
) -> dict[str, dict[Service, HouseUse]]:
    by_house: defaultdict[str, list[AccountMonth]] = defaultdict(list)
    for month in months:
        by_house[month.house.code].append(month)
    return {code: house_uses(together, entries.get(code)) for code, together in by_house.items()}


class Months:
    """Builds the months of accounts. Reads finalised rows only, through the ledger's door."""

    def __init__(self, engine: Engine, register: Accounts, keyring: KeyRing, ledger: Ledger) -> None:
        self._engine = engine
        self._keyring = keyring
        self._accounts = register
        self._ledger = ledger
        self._events = EventBook(engine, keyring)
        self._houses = Houses(engine, keyring)

    def of(
        self,
        period: Period,
        accounts: Sequence[Account],
        tariffs: TariffSet,
        upto: Sequence[UsedHead],
        *,
        alone: bool = False,
    ) -> Iterator[AccountMonth]:
        """The month of each account, in the order given, from readings up to the heads ``upto`` and no others.

        A house with common property or with meters of its own is worked out over all its accounts first, whichever
        of them are asked for; not so ``alone``, where whoever asks knows the use of the houses.
        """
        used = {account.house for account in accounts}
        if not used:
            return
        houses = self._accounts.houses(used)
        spans = {code: month_span(period, houses[code].zone) for code in used}
        start = min(span.start_ts for span in spans.values())
        end = max(span.end_ts for span in spans.values())
        _, by_house = self._accounts.bindings(start, end, (), used)
        whole = {code for code in used if code in by_house or houses[code].terms_on(spans[code].first) is not None}
        entries = {} if alone else self._houses.entries(used, period)
        whole = set() if alone else whole | set(entries)
        asked = {account.account for account in accounts}
        others = [a for a in self._accounts.accounts_of(whole) if a.account not in asked and a.is_open_in(period)]
        everyone = [*accounts, *others]
        by_account, _ = self._accounts.bindings(start, end, {account.account for account in everyone}, ())
        wanted = [b for account in everyone for b in by_account.get(account.account, ())]
        wanted += [b for code in used for b in by_house.get(code, ())]
        readings = self._readings(wanted, (start, end), upto)
        history = self._history(period, {account.account for account in everyone})
        suppliers = {code: self._accounts.suppliers(code, spans[code].first) for code in used}
        house_meters = {code: readings.by_service(by_house.get(code, ())) for code in used}
        events = self._events.standing(account.account for account in everyone)

        def month_of(account: Account) -> AccountMonth:
            house = houses[account.house]
            return AccountMonth(
                account.account,
                period,
                spans[house.code],
                house,
                account.household,
                suppliers[house.code],
                tariffs,
                readings.by_service(by_account.get(account.account, ())),
                self._past(history.get(account.account, {}), house.zone),
                house_meters[house.code],
                events=events.get(account.account, ()),
                opened=account.opened,
                closed=account.closed,
            )

        uses = _uses((month_of(account) for account in everyone if account.house in whole), entries)
        for code in self._with_erased(everyone, whole):
            uses[code] |= self._houses.of_month(code, period)  # as it was counted while their readings could be read
        for account in accounts:
            yield replace(month_of(account), house_use=uses.get(account.house, {}))

    def _with_erased(self, accounts: Sequence[Account], whole: Container[str]) -> set[str]:
        among = [account for account in accounts if account.house in whole]
        keys = self._keyring.secrets(account.key_id for account in among)
        return {account.house for account in among if keys.get(account.key_id) is None}

    # --- readings ---

    def _readings(self, bindings: Iterable[MeterBinding], span: tuple[int, int], upto: Sequence[UsedHead]) -> _Readings:
        """Intervals of the month; counters of the month and the last before it, however long ago."""
        bindings = list(bindings)
        start, end = span
        meters = sorted({b.meter for b in bindings})
        by_interval = sorted({b.meter for b in bindings if b.kind is MeterKind.PROFILE})
        counters = self._register_rows(meters, (start - DAY_S, end + 1), upto)
        unopened = [m for m in meters if all(row.taken_at > start for row in counters.get(m, ()))]
        for meter, rows in self._register_rows(unopened, (start - LOOK_BACK_S, start - DAY_S), upto).items():
            counters[meter] = rows + counters.get(meter, [])
        profiles: defaultdict[MeterId, list[ProfileRow]] = defaultdict(list)
        for row in self._ledger.profiles(by_interval, start, end, upto) if by_interval else ():
            profiles[row.meter].append(
                ProfileRow(
                    row.meter, row.register, row.start, row.step_s, row.values, row.qualities, row.source_class,
                    row.place.root, row.place.index,
                )
            )  # fmt: skip
        return _Readings(counters, profiles)

    def _register_rows(
        self, meters: Sequence[MeterId], span: tuple[int, int], upto: Sequence[UsedHead]
    ) -> dict[MeterId, list[RegisterRow]]:
        out: defaultdict[MeterId, list[RegisterRow]] = defaultdict(list)
        if meters:
            for row in self._ledger.registers(meters, *span, upto):
                out[row.meter].append(
                    RegisterRow(
                        row.meter, row.register, row.taken_at, row.value, row.quality, row.flags, row.source_class,
                        row.place.root, row.place.index,
                    )
                )  # fmt: skip
        return dict(out)

    # --- history ---

    def _history(self, period: Period, wanted: Collection[str]) -> dict[str, dict[Service, dict[int, _Used]]]:
        """What the months before were charged for; of several runs for one month the last that did not fail."""
        first = period
        for _ in range(HISTORY_MONTHS):
            first = first.previous()
        query = (
            select(usage)
            .join(runs, runs.c.id == usage.c.run)
            .where(usage.c.period >= first.number, usage.c.period < period.number, runs.c.state != FAILED)
            .order_by(usage.c.run)
        )
        if len(wanted) <= FEW:
            query = query.where(usage.c.account.in_(wanted))
        with self._engine.connect() as connection:
            rows = [row for row in connection.execute(query) if row.account in wanted]
        keys = self._keyring.secrets(KeyId(bytes(row.key_id)) for row in rows)
        out: defaultdict[str, dict[Service, dict[int, _Used]]] = defaultdict(dict)
        for row in rows:
            secret = keys.get(KeyId(bytes(row.key_id)))
            if secret is None:  # erased: the months to come start anew
                continue
            used = load(unseal(secret, usage_place(row.run, row.account), bytes(row.sealed)).decode())
            for service, (method, by_zone, owed_back, *kopecks) in used.items():
                months = out[row.account].setdefault(Service(int(service)), {})
                carried, charged = (*kopecks, 0, 0)[:2]
                months[row.period] = (Method(method), by_zone, owed_back, carried, charged)
        return out

    @staticmethod
    def _past(rows: Mapping[Service, Mapping[int, _Used]], zone: str) -> dict[Service, tuple[PastMonth, ...]]:
        return {
            service: tuple(
                PastMonth(
                    method, by_zone, month_span(Period.from_number(number), zone).start_ts, owed_back, carried, charged
                )
                for number, (method, by_zone, owed_back, carried, charged) in sorted(months.items(), reverse=True)
            )
            for service, months in rows.items()
        }
