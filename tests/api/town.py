"""A small town for tests of the door and the pages: what the ledger and billing's read door would say of it.

People, sessions, throttle and inbox are the real ones, on SQLite; only the chain's side is told here.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any, cast

from argon2 import PasswordHasher

from api.balance import Balances
from api.books import LedgerBooks
from api.context import Context
from api.house import HousePages
from api.orders import Network
from api.outlook import Outlooks
from api.papers import AGENT as PAYEE
from api.papers import Documents, Payees
from api.people import Contact, People, Role
from api.requests import Requests
from api.sessions import Sessions
from api.store import open_database
from api.supplier_desk import SupplierDesk
from api.throttle import Throttle
from api.webhooks import Webhooks
from billing.debt.allocation import Allocation, Claim, OpenLine, Rank, allocate
from billing.debt.balance import Age, LineDebt, Move, Turnover, ageing
from billing.debt.books import AccountBook, Overdue
from billing.debt.cases import Case
from billing.debt.disputes import Dispute
from billing.debt.instalments import Agreement, Instalment, Standing
from billing.debt.penalty import Paid, Scale, penalty_table
from billing.debt.penalty_rules import Rules, shipped_rules
from billing.debt.summary import AccountBalance
from billing.domain.calendar import month_span
from billing.domain.charge import ChargedLine, Part
from billing.domain.usage import Method
from billing.fund import FundEntry, FundKind, FundMonth, FundStatement, Share
from billing.house_month import HouseMonth, ResourceMonth
from billing.inbox import Inbox
from billing.outlook.bill import Foreseen, ForeseenBill
from billing.paper.desk import Papers
from billing.paper.gis.directory import read_directory
from billing.paper.person import Requisites
from billing.read import CaseSummary, MonthAhead, NotForeseeable
from billing.store import open_database as open_billing
from contracts.wire.ids import (
    Address,
    BillKey,
    BillState,
    GrantBatchId,
    Hash,
    Period,
    Reference,
    RunId,
    Service,
    SupplierId,
)
from contracts.wire.leaf import BillKind
from contracts.wire.structs import SupplierTotal
from contracts.wire.typed_data import rouble_domain
from ledger.models import EntryKind
from ledger.queries import Ledger
from ledger.queries.supplier_views import Payout, ReceiptSource, SupplierReceipt, SupplierStatement
from ledger.queries.supplier_views import Turnover as SupplierTurnover
from ledger.queries.views import (
    BillView,
    GrantBatchView,
    GrantView,
    Head,
    LegView,
    LineView,
    ReceiptKind,
    ReceiptView,
    RunState,
    RunView,
    StatementRow,
    SupplierView,
)

PASSWORD = "correct horse"
CHAIN_ID = 31337
NOW = 1_772_300_000
"""28 February 2026, 17:33 UTC."""
AGENT, WELFARE, ROUBLE, SETTLEMENT, CHARGE_BOOK = (Address(bytes([n]) * 20) for n in range(0xA1, 0xA6))
WALLETS = {number: Address(bytes([number]) * 20) for number in (1, 2, 5)}
NAMES = {1: "Горэнергосбыт", 2: "Водоканал", 5: "Чистый город"}
REQUISITES = Requisites(
    "Платёжный агент", "0000000018", "40821810400000000001", "Банк Демогорода", "049999999", "30101810300000000999"
)
JANUARY = Period(2026, 1)
MINE, PAID, OTHERS, VETOED = (BillKey(RunId(n), i) for n, i in ((1, 0), (1, 1), (1, 2), (2, 0)))
ACCOUNT, OTHER_ACCOUNT = "10000012", "10000013"
GROUND = "Воды <не> было"


def hash_of(number: int) -> Hash:
    """A hash that is easy to tell from others."""
    return Hash(bytes([number]) * 32)


def line_document() -> dict[str, Any]:
    """The explanation of an electricity line as billing writes it."""
    version = {
        "version": 3,
        "document": "0x" + "7a" * 32,
        "name": "krasnoyarsk-electricity",
        "kind": "tariff",
        "act": "Приказ Минтарифполитики № 42-э",
    }
    reading = {
        "root": "0x" + "5b" * 32,
        "leaf": 7,
        "meter": "c4" * 16,
        "register": 1,
        "at": 1_769_878_800,
        "value": 12_345_678,
        "quality": "measured",
        "source": "concentrator",
    }
    return {
        "line": 0,
        "service": "electricity",
        "supplier": 1,
        "method": "meter",
        "quantity": 114_500,
        "unit": "Wh",
        "amount_kopecks": 37_213,
        "rounding": "half up to the kopeck, each part once",
        "parts": [
            {
                "formula": "P = V · T",
                "act": "ПП РФ от 06.05.2011 № 354, приложение 2, ф. 1",
                "inputs": [
                    {"symbol": "V", "value": "114.5", "unit": "kWh"},
                    {"symbol": "T", "value": "3.25", "unit": "RUB/kWh"},
                ],
                "from": "2026-01-01",
                "to": "2026-02-01",
                "zone": "single",
                "tariff_versions": [3],
                "amount_kopecks": 37_213,
            }
        ],
        "readings": [reading | {"leaf": leaf} for leaf in range(6)],
        "tariffs": [version],
    }


def line(number: int, supplier: int, charged: int, paid: int = 0, granted: int = 0) -> LineView:
    """A line with what moved on it."""
    return LineView(number, SupplierId(supplier), charged, paid, granted, 0, 0, 0, charged - paid - granted)


def bill(
    key: BillKey, lines: tuple[LineView, ...], state: BillState, run_state: RunState = RunState.ACTIVE
) -> BillView:
    """A bill of January."""
    return BillView(
        key=key,
        kind=BillKind.BILL,
        state=state,
        period=JANUARY,
        run_state=run_state,
        lines=lines,
        blob=hash_of(0xC0 + key.index) + b"\x00",
        leaf=hash_of(0xB0 + key.index),
        credits=(),
        original=None,
        notes=(),
        superseded_by=None,
        bill_id=None,
        salt=None,
        document=None,
        closed=None,
        is_final=True,
    )


def receipt(kind: ReceiptKind, key: BillKey, payer: Address, legs: tuple[tuple[int, int, int], ...]) -> ReceiptView:
    """A receipt; legs are (line, supplier, kopecks)."""
    return ReceiptView(
        kind=kind,
        bill=key,
        tx_hash=hash_of(0xD1),
        block_number=1204,
        block_hash=hash_of(0xD2),
        timestamp=NOW - 600,
        log_index=3,
        payer=payer,
        reference=Reference(hash_of(0xD3)) if kind is ReceiptKind.PAYMENT else None,
        legs=tuple(LegView(at, SupplierId(s), WALLETS[s], amount) for at, s, amount in legs),
        is_final=kind is ReceiptKind.GRANT,
    )


@dataclass
class TownLedger:
    """What the ledger's queries answer."""

    found: dict[BillKey, BillView] = field(default_factory=dict)
    moved: dict[BillKey, list[ReceiptView]] = field(default_factory=dict)
    granted: list[GrantView] = field(default_factory=list)
    head_at: int = NOW
    suspended: set[int] = field(default_factory=set)

    def head(self) -> Head:
        return Head(1210, hash_of(0xE1), self.head_at)

    def finalized_height(self) -> int:
        return 1198

    def tariff_version(self) -> int:
        return 3

    def bills(self, keys: list[BillKey]) -> list[BillView]:
        return [self.found[key] for key in keys if key in self.found]

    def bill(self, key: BillKey) -> BillView | None:
        return self.found.get(key)

    def receipts(self, key: BillKey) -> list[ReceiptView]:
        return self.moved.get(key, [])

    def grants(self, key: BillKey) -> list[GrantView]:
        return [grant for grant in self.granted if grant.bill == key]

    def grant_batches(self) -> list[GrantBatchView]:
        return [
            GrantBatchView(GrantBatchId(1), WELFARE, hash_of(0xF1), 1, 10_000, 10_000, False, hash_of(0xF2), True, True)
        ]

    def suppliers(self) -> list[SupplierView]:
        return [SupplierView(SupplierId(s), w, w, s not in self.suspended, hash_of(s)) for s, w in WALLETS.items()]

    def runs(self) -> list[RunView]:
        return [self._run(RunId(1), RunState.ACTIVE), self._run(RunId(2), RunState.VETOED)]

    def run(self, run: RunId) -> RunView:
        return self.runs()[run - 1]

    def proof(self, _key: BillKey) -> list[Hash]:
        return [hash_of(0x91), hash_of(0x92)]

    def batch(self, _agent: Address, _reference: Reference) -> None:
        return None

    def statement(self, supplier: SupplierId, first_ts: int, last_ts: int) -> list[StatementRow]:
        row = StatementRow(
            EntryKind.PAYMENT, NOW - 600, 1204, 3, hash_of(0xD1), PAID, 0, AGENT, 5_000, supplier == SupplierId(1)
        )
        return [row] if first_ts <= row.timestamp <= last_ts else []

    def supplier_statement(self, supplier: SupplierId, first_ts: int, last_ts: int) -> SupplierStatement:
        place = NOW - 600, 1204, hash_of(0x11), 3, hash_of(0xD1)
        row = SupplierReceipt(ReceiptSource.AGENT, *place, PAID, 0, AGENT, 5_000)
        rows = (row,) if first_ts <= row.timestamp <= last_ts else ()
        before = SupplierTurnover(charged=5_000, agent=0 if rows else 5_000 * (last_ts > row.timestamp))
        turned = SupplierTurnover(agent=sum(row.amount_kopecks for row in rows))
        payout = Payout(WALLETS[int(supplier)], 1, 0)
        return SupplierStatement(
            supplier, first_ts, last_ts, 1204, hash_of(0x12), (payout,), before, turned, (), (), rows
        )

    def receipts_between(self, supplier: SupplierId, after: int, height: int) -> list[SupplierReceipt]:
        rows = self.supplier_statement(supplier, 0, NOW).receipts
        return [row for row in rows if after < row.block_number <= height]

    def balance(self, _wallet: Address) -> int:
        return 777_700

    def _run(self, run: RunId, state: RunState) -> RunView:
        totals = tuple(SupplierTotal(SupplierId(s), 21, 987_654, hash_of(0x60 + s)) for s in WALLETS)
        return RunView(
            run, state, JANUARY, 3, hash_of(0x50), 3, hash_of(0x51), Hash(bytes(32)), NOW - 9000, AGENT, totals, (),
            hash_of(0x52), 1100, True, True,
        )  # fmt: skip


@dataclass
class TownRegister:
    """What billing's read door says."""

    documents: dict[BillKey, bytes] = field(default_factory=dict)

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


def printed_document(account: str, amounts: dict[str, tuple[int, int]]) -> dict[str, Any]:
    """A whole document as billing writes it: (supplier, kopecks) by service, each worded like electricity."""
    lines = []
    for place, (service, (supplier, amount)) in enumerate(amounts.items()):
        line = line_document() | {"line": place, "service": service, "supplier": supplier, "amount_kopecks": amount}
        line["parts"] = [line["parts"][0] | {"amount_kopecks": amount}]
        lines.append(line)
    premises = {
        "house": "house-1",
        "zone": "Asia/Krasnoyarsk",
        "area_dm2": 5_430,
        "rooms": 2,
        "owners": 1,
        "residents": [{"since": "2020-01-01", "number": 2}],
        "plan": "single",
        "house_area_dm2": 562_080,
    }
    return {"kind": "bill", "account": account, "period": str(JANUARY), "premises": premises, "lines": lines}


@dataclass
class TownPrints:
    """What the printing desk reads besides the ledger: whole documents, and what is owed besides."""

    debts: list[LineDebt] = field(default_factory=list)
    erased: set[BillKey] = field(default_factory=set)

    @property
    def rules(self) -> Rules:
        return shipped_rules()

    def account_of(self, bill: BillKey) -> str | None:
        return TownRegister().account_of(bill)

    def document_of(self, bill: BillKey) -> bytes | None:
        account = self.account_of(bill)
        if account is None or bill in self.erased:
            return None
        big = {"electricity": (1, 37_213), "cold_water": (2, 60_432), "solid_waste": (5, 12_651)}
        small = {"electricity": (1, 5_000), "cold_water": (2, 4_000), "solid_waste": (5, 1_000)}
        return json.dumps(printed_document(account, small if bill == PAID else big)).encode()

    def book_of(self, account: str) -> AccountBook:
        return AccountBook(account, (), (), (), tuple(self.debts) if account == ACCOUNT else ())

    def cases_of(self, _account: str) -> tuple[()]:
        return ()


@dataclass
class Town:
    """The town and what tests change in it."""

    context: Context
    ledger: TownLedger
    inbox: Inbox
    prints: TownPrints
    payees: Payees
    directory: Path

    def owe(self, service: Service, supplier: int, kopecks: int) -> None:
        """Leaves a debt of December."""
        december = BillKey(RunId(0), 0)
        self.prints.debts.append(
            LineDebt(december, 0, service, SupplierId(supplier), Period(2025, 12), date(2026, 1, 12), kopecks)
        )

    def close(self, key: BillKey) -> None:
        """Pays a bill in full behind everybody's back."""
        view = self.ledger.found[key]
        lines = tuple(replace(row, paid_kopecks=row.charged_kopecks, open_kopecks=0) for row in view.lines)
        self.ledger.found[key] = replace(view, lines=lines, state=BillState.PAID)


def make_town(folder: Path) -> Town:
    """The town, its stores under ``folder``."""
    ledger = _ledger()
    engine = open_database(f"sqlite:///{folder / 'api.db'}")
    people = People(engine, PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    _populate(people)
    names = ((1, "cold_water"), (2, "solid_waste"), (None, "heating"))
    lines = [line_document(), *({"line": place, "service": service} for place, service in names)]
    register = TownRegister({key: json.dumps({"lines": lines}).encode() for key in (MINE, PAID, OTHERS)})
    inbox = Inbox(
        open_billing(f"sqlite:///{folder / 'billing.db'}"), rouble_domain(CHAIN_ID, ROUBLE), bytes(SETTLEMENT)
    )
    prints, payees, directory = TownPrints(), Payees(engine), folder / "gis-directory.json"
    payees.set_payee(PAYEE, REQUISITES)
    desk = Papers(cast(Ledger, ledger), prints, prints, lambda: read_directory(directory))
    network = Network(CHAIN_ID, ROUBLE, SETTLEMENT, CHARGE_BOOK)
    books = LedgerBooks(cast(Ledger, ledger), register, people, network)
    context = Context(
        people=people,
        sessions=Sessions(engine, "a secret of the tests"),
        throttle=Throttle(engine),
        books=books,
        balances=Balances(cast(Ledger, ledger), register, people),
        outlooks=Outlooks(cast(Ledger, ledger), register),
        houses=HousePages(cast(Ledger, ledger), register),
        documents=Documents(desk, people, payees),
        supplier_desk=SupplierDesk(cast(Ledger, ledger), books, payees, Webhooks(engine)),
        requests=Requests(inbox),
        network=network,
        files=folder / "files",
    )
    return Town(context, ledger, inbox, prints, payees, directory)


def _ledger() -> TownLedger:
    mine = (line(0, 1, 37_213, granted=10_000), line(1, 2, 60_432), line(2, 5, 12_651))
    paid = (line(0, 1, 5_000, paid=5_000), line(1, 2, 4_000, paid=4_000), line(2, 5, 1_000, paid=1_000))
    return TownLedger(
        found={
            MINE: bill(MINE, mine, BillState.PARTIAL),
            PAID: bill(PAID, paid, BillState.PAID),
            OTHERS: bill(OTHERS, mine, BillState.OPEN),
            VETOED: bill(VETOED, mine, BillState.OPEN, RunState.VETOED),
        },
        moved={
            MINE: [receipt(ReceiptKind.GRANT, MINE, WELFARE, ((0, 1, 10_000),))],
            PAID: [receipt(ReceiptKind.PAYMENT, PAID, AGENT, ((0, 1, 5_000), (1, 2, 4_000), (2, 5, 1_000)))],
        },
        granted=[
            GrantView(GrantBatchId(1), 0, MINE, 0, 10_000, NOW + 86_400, b"", WELFARE, 10_000, False),
            GrantView(GrantBatchId(1), 1, MINE, 1, 5_000, NOW + 86_400, b"", WELFARE, None, False),
        ],
    )


def _populate(people: People) -> None:
    people.add_person("resident12", PASSWORD, Role.RESIDENT, "Житель 12", accounts=[ACCOUNT])
    people.add_person("resident13", PASSWORD, Role.RESIDENT, "Житель 13", accounts=[OTHER_ACCOUNT])
    people.add_person("supplier1", PASSWORD, Role.SUPPLIER, "Горэнергосбыт", supplier=1)
    people.add_person("welfare", PASSWORD, Role.WELFARE, "Соцзащита")
    people.add_person("regulator", PASSWORD, Role.REGULATOR, "Регулятор")
    people.set_contact(ACCOUNT, Contact("Житель 12", "ул. Примерная, д. 1, кв. 12"))
    for number, name in NAMES.items():
        people.name_supplier(number, name)
    people.name_wallet(AGENT, "agent")
