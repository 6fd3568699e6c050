"""Works out what a run will claim: bills of a period, or what a correction changes. Nothing is sent here."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from itertools import chain

import structlog
from sqlalchemy import Engine, select

from billing.accounts import Account, Accounts
from billing.charges import ERASED, Charges, charge_months, credits_for
from billing.checks import Checks
from billing.corrections import Standing, differences, standing_of
from billing.documents import Draft, Title, draft_bill, draft_note
from billing.domain.calendar import month_span
from billing.domain.charge import ChargedLine
from billing.domain.household import AccountMonth
from billing.leaves import Leaf, ordered
from billing.months import Months
from billing.policy import NO_POLICY, Policy
from billing.requests import CorrectionRequest, RunRequest
from billing.run import Basis, Runs, RunStage
from billing.schema import credits, prepayments, runs
from billing.tariffs import Tariffs
from billing.vector.city import Books, bill_city
from billing.vector.stretch import City
from contracts.client.keyring import KeyRing
from contracts.wire.ids import BillKey, BillState, Hash, Period
from contracts.wire.leaf import Credit
from contracts.wire.structs import UsedHead
from ledger.queries import Ledger

_log = structlog.get_logger()


class NothingToBill(Exception):
    """A run would have no leaf; ``problems`` says which accounts could not be billed, and why."""

    def __init__(self, period: Period, problems: Mapping[str, str]) -> None:
        names = ", ".join(sorted(problems)[:20]) + (" and others" if len(problems) > 20 else "")
        detail = f"; `kopeck bill problems` says why for {names}" if names else ""
        super().__init__(f"nothing to bill for {period}{detail}")
        self.period, self.problems = period, dict(problems)


class ProblemsFound(Exception):
    """Some accounts can't be billed for a period, and nobody said to go on without them."""

    def __init__(self, period: Period, problems: Mapping[str, str]) -> None:
        names = ", ".join(sorted(problems)[:20]) + (" and others" if len(problems) > 20 else "")
        super().__init__(
            f"{len(problems)} can't be billed for {period}: {names}; nothing was billed. `kopeck bill problems` says "
            "what to do for each; mend them and ask again, or ask to leave them out"
        )
        self.period, self.problems = period, dict(problems)


class MonthNotBegun(Exception):
    """A month is to be billed before it began where the houses stand."""

    def __init__(self, period: Period, zone: str) -> None:
        first = month_span(period, zone).first
        super().__init__(
            f"{period} has not begun yet; ask for its run from {first} on by the clock of {zone}, once it is read"
        )
        self.period, self.first = period, first


class MonthNotOver(Exception):
    """A month is to be billed before it is over where the houses stand, and nobody said to bill what is read so far."""

    def __init__(self, period: Period, zone: str) -> None:
        end = month_span(period, zone).end
        super().__init__(
            f"{period} is not over by the clock of {zone}: the readings of its end are not there yet; ask for its run "
            f"from {end} on, or with --before-end to bill what is read so far and correct it later"
        )
        self.period, self.end = period, end


@dataclass(frozen=True, slots=True)
class Worked:
    """What a run would hold: its drafts, what they stand on, and how many accounts have a bill for it already."""

    period: Period
    heads: tuple[UsedHead, ...]
    version: int
    charges: Charges
    drafts: Sequence[Draft]
    billed: int


class Preparer:
    """Prepares runs out of the register, the ledger and the tariffs in force."""

    def __init__(self, engine: Engine, register: Accounts, keyring: KeyRing, tariffs: Tariffs, ledger: Ledger) -> None:
        self._engine = engine
        self._accounts = register
        self._keyring = keyring
        self._tariffs = tariffs
        self._ledger = ledger
        self._runs = Runs(engine, keyring)
        self._months = Months(engine, register, keyring, ledger)

    # --- a period's bills ---

    def bill_period(self, request: RunRequest, item: int, policy: Policy = NO_POLICY) -> int:
        """Prepares the bills of every account that has none for the period; by a ``policy`` of four eyes they wait.

        Where an account can't be billed, nothing is prepared unless the request leaves such accounts out, or another
        hand is to look at the list. Raises MonthNotBegun, MonthNotOver, ProblemsFound, NothingToBill, UnknownDocument
        and DecisionsOutstanding.
        """
        self._check_clock(request)
        if request.accounts is None:
            return self._bill_city(request, item, policy)
        work = self._work_out(request.period, request.accounts, policy)
        _refuse(request, policy, work.charges.blocking)
        basis = Basis(
            request.period, "regular", item, work.version, work.heads, (), work.charges.problems, work.charges.houses
        )
        return self._store(basis, ordered(work.drafts), _stage(policy))

    def _check_clock(self, request: RunRequest) -> None:
        """Raises MonthNotBegun and MonthNotOver where some house is not that far, by the ledger's last block."""
        head, period = self._ledger.head(), request.period
        for zone in sorted({house.zone for house in self._accounts.houses().values()}):
            span = month_span(period, zone)
            if head is not None and head.timestamp < span.start_ts:
                raise MonthNotBegun(period, zone)
            if head is not None and head.timestamp < span.end_ts and not request.before_end:
                raise MonthNotOver(period, zone)

    def _bill_city(self, request: RunRequest, item: int, policy: Policy) -> int:
        """The same for all accounts, by columns."""
        period, passports = request.period, self._ledger.meter_passports() if policy.needs_passports else None
        city = City(
            period,
            tuple(self._ledger.heads_to_bill()),
            self._tariffs.published(self._ledger),
            frozenset(self._runs.billed(period)),
            self._prepaid(),
            self._runs.revisions_after(period),
            passports,
        )
        with bill_city(Books(self._engine, self._keyring, self._ledger), city) as found:
            _refuse(request, policy, Charges(problems=found.problems).blocking)
            number = city.tariffs.number
            basis = Basis(period, "regular", item, number, city.heads, (), found.problems, found.houses)
            return self._store(basis, found.leaves(), _stage(policy), found.counters)

    def preview(self, period: Period, accounts: Sequence[str] | None = None, policy: Policy = NO_POLICY) -> Worked:
        """What a run would bill if it were asked for now; nothing is kept or sent. Raises UnknownDocument and
        DecisionsOutstanding."""
        return self._work_out(period, accounts, policy)

    def _work_out(self, period: Period, named: Sequence[str] | None, policy: Policy) -> Worked:
        heads = tuple(self._ledger.heads_to_bill())
        found = self._accounts.accounts(named)
        billed = self._runs.billed(period)
        accounts = [a for a in found if a.is_open_in(period) and a.account not in billed]
        charges, version = self._charge(period, accounts, heads, self._checks(policy))
        if named is not None:
            charges.problems |= _not_to_bill(period, named, found, billed)
        netting = self._prepaid([a.account for a in accounts])
        revisions = self._runs.next_revisions((a.account for a in accounts), period)
        drafts = []
        for account in accounts:
            lines = charges.lines.get(account.account)
            title = self._title(account, period, revisions[account.account], charges)
            if lines and title is not None:
                credited = credits_for(lines, netting.get(account.account, []))
                drafts.append(draft_bill(title, charges.months[account.account], lines, credited))
        return Worked(period, heads, version, charges, drafts, len(billed))

    def _checks(self, policy: Policy) -> Checks:
        return Checks(self._ledger.meter_passports() if policy.needs_passports else None)

    def _charge(
        self, period: Period, accounts: Sequence[Account], heads: Sequence[UsedHead], checks: Checks | None = None
    ) -> tuple[Charges, int]:
        """Charges accounts by the readings up to ``heads``, which the run then claims."""
        tariffs, checks = self._tariffs.published(self._ledger), checks or Checks()
        return charge_months(self._months.of(period, accounts, tariffs, heads), checks), tariffs.number

    def _title(self, account: Account, period: Period, revision: int, charges: Charges) -> Title | None:
        secret = self._keyring.secret(account.key_id)
        if secret is None:
            charges.problems[account.account] = ERASED
            return None
        return Title(account.account, period, revision, account.key_id, secret)

    def _store(
        self,
        basis: Basis,
        leaves: Iterable[Leaf],
        stage: RunStage = RunStage.PREPARED,
        counters: Executor | None = None,
    ) -> int:
        rest = iter(leaves)
        first = next(rest, None)
        if first is None:
            raise NothingToBill(basis.period, basis.problems)
        run = self._runs.write(basis, chain([first], rest), stage, counters)
        _log.info(
            "run.prepared",
            run=run,
            kind=basis.kind,
            period=str(basis.period),
            leaves=self._runs.get(run).proposal.count,
            problems=len(basis.problems),
        )
        return run

    # --- prepayments ---

    def _prepaid(self, accounts: Sequence[str] | None = None) -> dict[str, list[Credit]]:
        """What each account, or each of those named, has paid ahead and no bill has named yet: ``line`` holds the
        supplier here."""
        wanted = None if accounts is None else set(accounts)
        with self._engine.connect() as connection:
            made = [row for row in connection.execute(select(prepayments)) if wanted is None or row.account in wanted]
            named = connection.execute(
                select(credits, runs.c.chain_run)
                .join(runs, runs.c.id == credits.c.run)
                .where(runs.c.state != RunStage.FAILED.value)
            ).all()
        taken: dict[bytes, int] = {}
        for row in named:
            key = None if row.chain_run is None else BillKey(row.chain_run, row.bill_index)
            amount = row.amount if key is None else self._taken(key, row.line, row.amount)
            taken[bytes(row.prepayment)] = taken.get(bytes(row.prepayment), 0) + amount
        out: dict[str, list[Credit]] = {}
        for row in made:
            view = self._ledger.prepayment(Hash(bytes(row.prepayment)))
            if view is None or not view.is_final:
                continue
            left = view.amount_kopecks - taken.get(bytes(row.prepayment), 0)
            if left > 0:
                out.setdefault(row.account, []).append(Credit(int(view.supplier), left, view.prepayment))
        return out

    def _taken(self, key: BillKey, line: int, named: int) -> int:
        """What a bill has netted of a prepayment it names, or may still net."""
        view = self._ledger.bill(key)
        if view is None:
            return named
        netted = view.lines[line].netted_kopecks
        return netted if netted or view.state in (BillState.PAID, BillState.SUPERSEDED) else named

    # --- corrections ---

    def correct(self, request: CorrectionRequest, item: int, policy: Policy = NO_POLICY) -> int:
        """Prepares what differs from the bills as they stand now; by a ``policy`` of four eyes it waits. Raises
        NothingToBill, UnknownDocument and DecisionsOutstanding.

        A bill on which nothing has moved is replaced; to any other a debit or a credit note is added.
        """
        heads = tuple(self._ledger.heads_to_bill())
        found = self._accounts.accounts(request.accounts)
        known = {a.account for a in found}
        keys = self._keyring.secrets(a.key_id for a in found)
        accounts = [a for a in found if keys.get(a.key_id) is not None]
        problems = {name: "no such account; open it first" for name in request.accounts if name not in known}
        charges, version = self._charge(request.period, accounts, heads)
        problems |= {a.account: ERASED for a in found if keys.get(a.key_id) is None} | charges.problems
        leaves = self._runs.of_accounts([a.account for a in accounts], request.period)
        revisions = self._runs.next_revisions((a.account for a in accounts), request.period)
        drafts: list[Draft] = []
        superseded: list[BillKey] = []
        for account in accounts:
            lines = charges.lines.get(account.account)
            standing = standing_of(self._ledger, leaves.get(account.account, []))
            if standing is None:
                problems[account.account] = f"it has no active bill for {request.period}; bill the period first"
            if lines is None or standing is None:
                continue
            title = self._title(account, request.period, revisions[account.account], charges)
            if title is not None:
                more, replaced = self._correct_one(title, charges.months[account.account], lines, standing, request.act)
                drafts += more
                superseded += replaced
        basis = Basis(
            request.period, "correction", item, version, heads, tuple(sorted(superseded)), problems, charges.houses
        )
        return self._store(basis, ordered(drafts), _stage(policy))

    def _correct_one(
        self, title: Title, month: AccountMonth, lines: Sequence[ChargedLine], standing: Standing, act: str
    ) -> tuple[list[Draft], list[BillKey]]:
        if not standing.has_moved:
            if standing.says(lines):
                return [], []
            netting = self._prepaid([title.account]).get(title.account, []) + list(standing.credits)
            return [draft_bill(title, month, lines, credits_for(lines, netting))], [standing.original.key]
        difference = differences(standing, lines)
        drafts: list[Draft] = []
        for kind, original, note_lines in difference.notes:
            note = draft_note(title, kind, original, act, note_lines)
            # The month's usage as now known goes with the first note: later averages and differences start from it.
            drafts.append(note if drafts else replace(note, charged=tuple(lines)))
            title = Title(title.account, title.period, title.revision + 1, title.key_id, title.secret)
        return drafts, list(difference.superseded)


def _refuse(request: RunRequest, policy: Policy, blocking: Mapping[str, str]) -> None:
    """Raises ProblemsFound where a run is not to go on without the accounts that can't be billed."""
    if blocking and not (request.leaves_out_problems or policy.four_eyes):
        raise ProblemsFound(request.period, blocking)


def _stage(policy: Policy) -> RunStage:
    return RunStage.WAITING if policy.four_eyes else RunStage.PREPARED


def _not_to_bill(
    period: Period, named: Sequence[str], found: Sequence[Account], billed: Container[str]
) -> dict[str, str]:
    """Why accounts that were asked for by name have nothing to be billed."""
    known = {account.account: account for account in found}
    out: dict[str, str] = {}
    for name in named:
        if name not in known:
            out[name] = "no such account; open it first"
        elif name in billed:
            out[name] = f"it has a bill for {period} already; correct that one"
        elif not known[name].is_open_in(period):
            out[name] = f"it is not open in {period}; bill a month in which it is"
    return out
