"""Work on a debt, step by step: what may be done next about one service of an account, from which day, and why not.

Pure. The steps follow ПП 354, п. 117–120: a notice, so many days from its delivery, restriction, so many days, and
suspension; a reminder before, a claim beside. Whatever the executor did stands in the journal with its proof; a step
is never planned on something that the journal does not hold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from billing.debt.balance import LineDebt
from billing.debt.penalty import Pause, PauseKind
from billing.debt.work_rules import WorkRule, WorkRules
from contracts.wire.ids import Period, Service, SupplierId

IsWorking = Callable[[date], bool]
Pauses = Mapping[tuple[Period, Service | None, SupplierId], Sequence[Pause]]
"""Disputes and instalment agreements by line, as the balance's books know them."""


class Step(StrEnum):
    """What is done about a debt. ``DELIVERED`` says when a notice reached the debtor."""

    REMINDER = "reminder"
    NOTICE = "notice"
    DELIVERED = "delivered"
    RESTRICTION = "restriction"
    SUSPENSION = "suspension"
    RESUMPTION = "resumption"
    CLAIM = "claim"


@dataclass(frozen=True, slots=True)
class Done:
    """An entry of the journal: what was done on which day, about how much, by which channel, and how it is proved.

    ``about`` is the number of the entry that it speaks of: the notice that was delivered.
    """

    number: int
    step: Step
    day: date
    service: Service | None
    supplier: SupplierId
    amount_kopecks: int
    channel: str
    proof: str
    content: str = ""
    about: int | None = None


@dataclass(frozen=True, slots=True)
class ServiceDebt:
    """What an account owes one supplier for one service and is late with, as of a day.

    ``disputed_kopecks`` and ``agreed_kopecks`` are open too, but wait for a dispute or an agreement; ``waited_until``
    is the last day of such waiting that is over. ``norm_kopecks`` is a month's charge at norm, None where the service
    has none.
    """

    service: Service
    supplier: SupplierId
    overdue_kopecks: int
    oldest_due: date
    disputed_kopecks: int = 0
    agreed_kopecks: int = 0
    norm_kopecks: int | None = None
    waited_until: date | None = None

    def is_incomplete(self, rule: WorkRule) -> bool:
        """Whether it is an incomplete payment in the sense of п. 118: above two monthly charges at norm."""
        return self.norm_kopecks is not None and self.overdue_kopecks > rule.months_at_norm * self.norm_kopecks


@dataclass(frozen=True, slots=True)
class Planned:
    """A step that may be taken from ``on``; None where it may not be, for the reason ``why`` and by ``act``."""

    step: Step
    service: Service
    supplier: SupplierId
    on: date | None
    why: str
    act: str
    amount_kopecks: int = 0

    def is_due(self, at: date) -> bool:
        """Whether it may be taken on a day."""
        return self.on is not None and self.on <= at


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What the steps depend on besides the debt: working days, whether it is a flat of a block, and which services
    can be restricted technically; the others are suspended at once."""

    is_working: IsWorking
    in_flat: bool = True
    restrictable: frozenset[Service] = frozenset()


def service_debts(
    debts: Iterable[LineDebt], pauses: Pauses, norms: Mapping[Service, int], at: date
) -> list[ServiceDebt]:
    """Overdue debts by service and supplier as of ``at``; lines whose service was erased are nobody's to act on."""
    found: dict[tuple[Service, SupplierId], list[LineDebt]] = {}
    for debt in debts:
        if debt.service is not None and debt.due < at and debt.open_kopecks and not debt.is_penalty:
            found.setdefault((debt.service, debt.supplier), []).append(debt)
    out = []
    for (service, supplier), lines in sorted(found.items()):
        waits = {line: _waits(line, pauses, at) for line in lines}
        sums = {kind: sum(line.open_kopecks for line in lines if waits[line] is kind) for kind in (None, *PauseKind)}
        oldest = min((line.due for line in lines if waits[line] is None), default=min(line.due for line in lines))
        disputed, agreed = sums[PauseKind.DISPUTE], sums[PauseKind.INSTALMENT]
        waited = max((end for line in lines for end in _ends(line, pauses, at)), default=None)
        out.append(ServiceDebt(service, supplier, sums[None], oldest, disputed, agreed, norms.get(service), waited))
    return out


def _waits(line: LineDebt, pauses: Pauses, at: date) -> PauseKind | None:
    mine = pauses.get((line.period, line.service, line.supplier), ())
    kinds = {pause.kind for pause in mine if pause.covers(at) and pause.kind is not PauseKind.MORATORIUM}
    return PauseKind.DISPUTE if PauseKind.DISPUTE in kinds else next(iter(kinds), None)


def _ends(line: LineDebt, pauses: Pauses, at: date) -> list[date]:
    mine = pauses.get((line.period, line.service, line.supplier), ())
    return [p.last for p in mine if p.kind is not PauseKind.MORATORIUM and p.last is not None and p.last < at]


def plan(debt: ServiceDebt, rules: WorkRules, journal: Sequence[Done], at: date, around: Circumstances) -> Planned:
    """The next step about a debt, seen on ``at``. Raises Missing where no order is in force."""
    mine = tuple(done for done in journal if (done.service, done.supplier) == (debt.service, debt.supplier))
    return _Planner(debt, rules, rules.rule_on(at), mine, at, around).next()


@dataclass(frozen=True, slots=True)
class _Planner:
    """One debt with its own part of the journal."""

    debt: ServiceDebt
    rules: WorkRules
    rule: WorkRule
    mine: tuple[Done, ...]
    at: date
    around: Circumstances

    def next(self) -> Planned:
        state, barred = self._cut_off(), self._barred()
        if state is not None and (not self.debt.overdue_kopecks or self.rules.moratorium_on(self.at)):
            why = f"{barred or 'долга больше нет'}: возобновить в течение {self.rule.resume_days} дней"
            return self._planned(Step.RESUMPTION, self.at, why, "п. 120")
        if state is Step.SUSPENSION:
            return self._planned(Step.SUSPENSION, None, "услуга приостановлена", "п. 119")
        if barred:
            return self._before_notice(barred)
        if state is Step.RESTRICTION:
            return self._suspension()
        return self._restriction()

    def _barred(self) -> str:
        """Why nothing may be restricted on the day; empty where it may."""
        debt, rule = self.debt, self.rule
        if debt.service not in rule.may_restrict:
            return "услугу нельзя ограничить"
        if not self._can_restrict and not rule.may_suspend(debt.service, self.around.in_flat):
            return "ограничить нет технической возможности, а приостановить нельзя"
        if debt.agreed_kopecks:
            return "действует соглашение о погашении задолженности"
        if not debt.is_incomplete(rule):
            return "долг не больше двух месячных размеров платы по нормативу"
        moratorium = self.rules.moratorium_on(self.at)
        return f"мораторий: {moratorium.act}" if moratorium else ""

    @property
    def _can_restrict(self) -> bool:
        return self.debt.service in self.around.restrictable

    def _before_notice(self, barred: str) -> Planned:
        """The reminder, which needs no law; after it, why nothing more may be done."""
        debt = self.debt
        told = (Step.REMINDER, Step.NOTICE)
        reminded = any(done.step in told and done.day >= debt.oldest_due for done in self.mine)
        if debt.overdue_kopecks and not debt.agreed_kopecks and not reminded:
            on = debt.oldest_due + timedelta(days=self.rule.reminder_after_days)
            act = "порядок исполнителя"
            return Planned(Step.REMINDER, debt.service, debt.supplier, on, "просрочка", act, debt.overdue_kopecks)
        return self._planned(Step.NOTICE, None, barred, "п. 117–119")

    def _restriction(self) -> Planned:
        notice = self._standing_notice()
        if notice is None:
            return self._planned(Step.NOTICE, self.at, "долг больше двух месячных размеров платы", "п. 119 а")
        delivered = min(
            (d.day for d in self.mine if d.step is Step.DELIVERED and d.about == notice.number), default=None
        )
        if delivered is None:
            return self._planned(Step.DELIVERED, None, f"предупреждение № {notice.number} ещё не вручено", "п. 119 а")
        step, point = (Step.RESTRICTION, "п. 119 б") if self._can_restrict else (Step.SUSPENSION, "п. 119 в")
        days = self.rule.notice_days
        why = f"предупреждение вручено {delivered:%d.%m.%Y}, {days} дней на оплату"
        return self._planned(step, self._working(delivered + timedelta(days=days + 1)), why, point)

    def _suspension(self) -> Planned:
        if not self.rule.may_suspend(self.debt.service, self.around.in_flat):
            return self._planned(Step.SUSPENSION, None, "эту услугу нельзя приостановить", "п. 119 в")
        restricted = max(done.day for done in self.mine if done.step is Step.RESTRICTION)
        days = self.rule.restriction_days
        why = f"ограничено {restricted:%d.%m.%Y}, {days} дней ограничения"
        return self._planned(Step.SUSPENSION, self._working(restricted + timedelta(days=days + 1)), why, "п. 119 в")

    def _planned(self, step: Step, on: date | None, why: str, point: str) -> Planned:
        debt = self.debt
        return Planned(step, debt.service, debt.supplier, on, why, f"{self.rule.act}; {point}", debt.overdue_kopecks)

    def _cut_off(self) -> Step | None:
        """Whether supply is restricted or suspended now, by the journal."""
        cuts = [done for done in self.mine if done.step in (Step.RESTRICTION, Step.SUSPENSION, Step.RESUMPTION)]
        last = max(cuts, key=lambda done: done.number, default=None)
        return None if last is None or last.step is Step.RESUMPTION else last.step

    def _standing_notice(self) -> Done | None:
        """The last notice that still speaks of this debt. What came after it and asks for a new one: that all was paid,
        an agreement or a dispute, a resumption, a moratorium."""
        notices = [done for done in self.mine if done.step is Step.NOTICE]
        last = max(notices, key=lambda done: done.number, default=None)
        if last is None or last.day <= self.debt.oldest_due or self.rules.moratorium_on(last.day):
            return None
        if self.debt.waited_until is not None and self.debt.waited_until >= last.day:
            return None
        resumed = any(done.step is Step.RESUMPTION and done.number > last.number for done in self.mine)
        return None if resumed else last

    def _working(self, day: date) -> date:
        while self.rule.on_working_days_only and not self.around.is_working(day):
            day += timedelta(days=1)
        return day


def is_waiting(debt: LineDebt, pauses: Pauses, at: date) -> bool:
    """Whether a line waits for a dispute or an agreement on a day."""
    return _waits(debt, pauses, at) is not None


def claimable(debts: Iterable[LineDebt], pauses: Pauses, rule: WorkRule, at: date) -> list[LineDebt]:
    """The lines that a claim may be made for: late for as long as the order says, in no dispute and no agreement."""
    late = timedelta(days=rule.claim_after_days)
    return [
        debt
        for debt in debts
        if debt.open_kopecks and not debt.is_penalty and debt.due + late < at and not is_waiting(debt, pauses, at)
    ]
