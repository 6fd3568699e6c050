"""Billing's side of the small town: what its read door would say of accounts, debts, months and houses."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

from billing.debt.allocation import Allocation, Claim, OpenLine, Rank, allocate
from billing.debt.balance import Age, LineDebt, Move, Turnover, ageing
from billing.debt.books import Overdue
from billing.debt.cases import Case
from billing.debt.disputes import Dispute
from billing.debt.instalments import Agreement, Instalment, Standing
from billing.debt.penalty import Paid, Scale, penalty_table
from billing.debt.penalty_rules import shipped_rules
from billing.debt.summary import AccountBalance
from billing.debt.waiting import DisputeCase
from billing.domain.calendar import month_span
from billing.domain.charge import ChargedLine, Part
from billing.domain.usage import Method
from billing.fund import FundEntry, FundKind, FundMonth, FundStatement, Share
from billing.house_month import HouseMonth, ResourceMonth
from billing.outlook.bill import Foreseen, ForeseenBill
from billing.read import CaseSummary, MonthAhead, NotForeseeable
from contracts.wire.ids import (
    BillKey,
    Period,
    Service,
    SupplierId,
)
from tests.api.town_ledger import (
    ACCOUNT,
    JANUARY,
    MINE,
    OTHER_ACCOUNT,
    OTHERS,
    PAID,
    VETOED,
)

GROUND = "Воды <не> было"


@dataclass
class TownRegister:
    """What billing's read door says."""

    documents: dict[BillKey, bytes] = field(default_factory=dict)
    staff_cases: list[DisputeCase] = field(default_factory=lambda: [_waiting(), _decided()])

    def zone_of(self, account: str) -> str | None:
        return "Asia/Krasnoyarsk" if account in (ACCOUNT, OTHER_ACCOUNT) else None

    def bills_of(self, account: str) -> list[BillKey]:
        return [MINE, PAID, VETOED] if account == ACCOUNT else [OTHERS]

    def account_of(self, bill: BillKey) -> str | None:
        return {MINE: ACCOUNT, PAID: ACCOUNT, VETOED: ACCOUNT, OTHERS: OTHER_ACCOUNT}.get(bill)

    def document_of(self, bill: BillKey) -> bytes | None:
        return self.documents.get(bill)

    def disputed_of(self, account: str, _ledger: object) -> dict[BillKey, int]:
        """Water of January, which nobody has set apart yet."""
        return {MINE: 60_432} if account == ACCOUNT else {}

    def debts_of(self, account: str, ledger: object) -> tuple[tuple[LineDebt, ...], tuple[Case, ...]]:
        """The debts of its balance, and one that nobody disputes."""
        found = self.balance_of(account, ledger)
        assert found is not None
        power = LineDebt(MINE, 0, Service.ELECTRICITY, SupplierId(1), JANUARY, date(2026, 2, 10), 37_213)
        return (*found.debts, power), found.cases

    def balance_of(self, account: str, _ledger: object) -> AccountBalance | None:
        """604.32 roubles for January with 100 paid late, seen in July: five months and a half after the due date."""
        due, at = date(2026, 2, 10), date(2026, 7, 20)
        debt = LineDebt(
            MINE, 1, Service.COLD_WATER, SupplierId(2), JANUARY, due, 60_432, (Paid(date(2026, 3, 20), 10_000),)
        )
        rules = shipped_rules()
        table = penalty_table(debt.debt, rules.terms(Scale.UTILITIES, due, at), at)
        months = (
            Turnover(JANUARY, debt.service, debt.supplier, 0, {Move.CHARGED: 60_432}),
            Turnover(Period(2026, 3), debt.service, debt.supplier, 60_432, {Move.PAID: 10_000}, 155),
        )
        ages = ageing([debt], at, 3)
        assert ages[Age.TO_180] == 50_432
        disputed = Dispute(JANUARY, Service.COLD_WATER, SupplierId(2), date(2026, 7, 1), GROUND, "обращение № 3")
        agreed = Agreement(date(2026, 7, 2), (JANUARY,), (Instalment(date(2026, 8, 1), 20_000),), "соглашение № 4")
        cases = (Case(1, 1, account, disputed), Case(2, 2, account, agreed)) if account == ACCOUNT else ()
        standings = {case.id: Standing.KEPT for case in cases if case.matter is agreed}
        return AccountBalance(
            account, at, months, (debt,), (Overdue(debt, table),), ages, {SupplierId(5): 7_000}, cases, standings
        )

    def outlook_of(self, account: str, months: int, _ledger: object) -> list[MonthAhead]:
        """Water alone; nothing is known of the other account."""
        if account != ACCOUNT:
            raise NotForeseeable(f"no history of account {account}; a forecast needs one month of readings at least")
        water = Foreseen({"single": 6_971}, {"single": 3_523}, {"single": 10_420}, {"single": 7_015}, False)
        part = Part("P = V · T", "ПП 354, приложение 2, ф. 1", (), (), month_span(JANUARY.next(), "UTC"), 30_373)
        line = ChargedLine(Service.COLD_WATER, SupplierId(2), Method.METER, 6_971, "litre", (part,))
        bill = ForeseenBill((line,), 15_350, 45_400, 30_564)
        periods = [Period(2026, 2 + place) for place in range(months)]
        return [MonthAhead(period, {Service.COLD_WATER: water}, bill) for period in periods]

    def disputes(self, _ledger: object, *, is_open: bool) -> list[DisputeCase]:
        """Case 3 waits; case 1 was decided by somebody who is not here any more."""
        return [case for case in self.staff_cases if case.matter.is_open == is_open]

    def dispute(self, case: int, _ledger: object) -> DisputeCase | None:
        return next((found for found in self.staff_cases if found.id == case), None)

    def division_of(self, account: str, amount_kopecks: int | None, _ledger: object) -> Allocation:
        """300 roubles of January, then 100 of February; 50 of March wait."""
        if account != ACCOUNT:
            return allocate(amount_kopecks or 0, ())
        power = Service.ELECTRICITY, SupplierId(1)
        claims = [
            Claim(leaf, Period(2026, month), Rank.PRINCIPAL, (OpenLine(0, *power, kopecks),), waits=month == 3)
            for leaf, month, kopecks in ((MINE, 1, 30_000), (PAID, 2, 10_000), (OTHERS, 3, 5_000))
        ]
        return allocate(40_000 if amount_kopecks is None else amount_kopecks, claims)

    def houses(self) -> list[str]:
        return ["house-1"]

    def house_code_of(self, account: str) -> str | None:
        return "house-1" if account in (ACCOUNT, OTHER_ACCOUNT) else None

    def house_month(self, house: str, period: Period | None, own: str | None) -> HouseMonth | None:
        """January: 120 m³ of water, 90 of it by 20 flats, 12 to a shop."""
        if period not in (None, JANUARY):
            return None
        water = ResourceMonth(
            Service.COLD_WATER, "litre", 120_000, False, 90_000, 12_000, 0, 18_000, 15_000,
            5_250 if own == ACCOUNT else None, 4_500,
        )  # fmt: skip
        heat = ResourceMonth(Service.HEATING, "ucal")
        return HouseMonth(house, JANUARY, 20, (water, heat), (JANUARY,))

    def fund_of(self, house: str, _ledger: object) -> FundStatement:
        """1,000 roubles charged, 800 of them paid, 300 spent on a roof that 500 are owed for."""
        roof = date(2026, 1, 20), 50_000, "акт № 5", "Ремонт <кровли>", "Кровельщик"
        works = (
            FundEntry(house, FundKind.ACCEPTED, *roof),
            FundEntry(house, FundKind.SPENT, date(2026, 2, 3), 30_000, "п/п № 9", "Ремонт <кровли>", "Кровельщик"),
        )
        month = FundMonth(Period(2026, 2), 80_000, spent=30_000)
        shares = (Share(ACCOUNT, 60_000, 50_000), Share(OTHER_ACCOUNT, 40_000, 30_000))
        return FundStatement(house, Period(2026, 2), Period(2026, 2), (month,), works, shares)

    def welfare_cases(self, _ledger: object) -> list[CaseSummary]:
        return [CaseSummary(ACCOUNT, "С-5", "subsidy", JANUARY, Period(2026, 6), 2, 1, 191_100, 1_500)]


def _waiting() -> DisputeCase:
    matter = Dispute(JANUARY, Service.COLD_WATER, SupplierId(2), date(2026, 2, 20), GROUND, "обращение № 3")
    return DisputeCase(3, ACCOUNT, matter, MINE, 60_432)


def _decided() -> DisputeCase:
    matter = Dispute(JANUARY, Service.SOLID_WASTE, SupplierId(5), date(2026, 2, 12), "Меня не было", "обращение № 1")
    ended = matter.decide(upheld=False, on=date(2026, 2, 19), act="решение № 1", by="somebody")
    return DisputeCase(1, OTHER_ACCOUNT, ended, OTHERS, 0)
