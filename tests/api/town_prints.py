"""What documents of the small town say, and what the printing desk reads of it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from billing.debt.balance import LineDebt
from billing.debt.books import AccountBook
from billing.debt.penalty_rules import Rules, shipped_rules
from billing.paper.person import Requisites
from contracts.wire.ids import (
    BillKey,
)
from tests.api.town_ledger import (
    ACCOUNT,
    JANUARY,
    PAID,
)
from tests.api.town_register import TownRegister

REQUISITES = Requisites(
    "Платёжный агент", "0000000018", "40821810400000000001", "Банк Демогорода", "049999999", "30101810300000000999"
)


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
