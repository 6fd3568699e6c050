"""Payment documents of the demo's data: bills worked out by the rules themselves, with what moved on them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

from billing.documents import Title, draft_bill
from billing.domain.household import AccountMonth
from billing.domain.services import charge_account
from billing.paper.assemble import payment_document
from billing.paper.epd import Owed, PaymentDocument, Recalculation
from billing.paper.person import GisNumbers, Person
from contracts.wire.ids import BillKey, BillState, Hash, KeyId, RunId, Service
from contracts.wire.leaf import BillKind
from ledger.queries.views import BillView, LineView, RunState
from tests.billing.builders import JANUARY, counters, household, month_of, register
from tests.billing.paper.test_person import DEMO

KEY = BillKey(RunId(7), 3)
SUPPLIERS = {1: "Водоканал", 2: "Теплосеть", 3: "Горэнергосбыт", 4: "Чистый город", 5: "Фонд капитального ремонта"}
GIS = GisNumbers("11111111-2222-4333-8444-555555555555", "70AA123456", "70AA123456-01")
PERSON = Person("Житель 17", "Демогород, дом 1, кв. 17", DEMO, SUPPLIERS, GIS)
START, END = 1_767_200_400, 1_769_878_800
"""The first seconds of January and of February 2026 in Krasnoyarsk."""


def metered_month(**changes: Any) -> AccountMonth:
    """January by cold and hot water meters and a two-zone electricity meter."""
    meters = {
        Service.COLD_WATER: (
            counters(Service.COLD_WATER, [register(START, 100_000, meter=1), register(END, 107_000, meter=1)], meter=1),
        ),
        Service.HOT_WATER: (
            counters(Service.HOT_WATER, [register(START, 50_000, meter=2), register(END, 54_000, meter=2)], meter=2),
        ),
        Service.ELECTRICITY: (
            counters(
                Service.ELECTRICITY,
                [register(at, value, meter=3, name=name) for name, rows in
                 ((1, ((START, 1_000_000), (END, 1_160_000))), (2, ((START, 400_000), (END, 460_000))))
                 for at, value in rows],
                meter=3, zones={1: "day", 2: "night"},
            ),
        ),
    }  # fmt: skip
    return month_of(flat=household(plan="two"), meters=meters, **changes)


def document_of(month: AccountMonth) -> dict[str, Any]:
    """The bill's own document, as its commitment holds it."""
    title = Title(month.account, month.period, 0, KeyId(b"\x01" * 16), b"\x02" * 32)
    return dict(json.loads(draft_bill(title, month, charge_account(month), ()).document))


def view_of(
    document: Mapping[str, Any], state: BillState = BillState.OPEN, moved: Mapping[int, Mapping[str, int]] | None = None
) -> BillView:
    """What the ledger says of the bill; ``moved`` are kopecks by line and kind."""
    lines = []
    for row in sorted((row for row in document["lines"] if row["line"] is not None), key=lambda row: row["line"]):
        on_line = dict((moved or {}).get(row["line"], {}))
        taken = sum(on_line.values())
        names = ("paid", "granted", "netted", "written_off", "refunded")
        amounts = [on_line.get(name, 0) for name in names]
        lines.append(LineView(row["line"], row["supplier"], row["amount_kopecks"], *amounts,
                              row["amount_kopecks"] - taken))  # fmt: skip
    zero = Hash(bytes(32))
    return BillView(
        KEY, BillKind.BILL, state, JANUARY, RunState.ACTIVE, tuple(lines), b"", zero, (), None, (), None, None, None,
        None, None, True,
    )  # fmt: skip


def epd(
    month: AccountMonth | None = None,
    *,
    person: Person = PERSON,
    owed: Sequence[Owed] = (),
    noted: Sequence[Recalculation] = (),
    moved: Mapping[int, Mapping[str, int]] | None = None,
    state: BillState = BillState.OPEN,
    **more: Any,
) -> PaymentDocument:
    """A payment document of January."""
    document = document_of(month or metered_month())
    return payment_document(
        view_of(document, state, moved), document, person, printed_on=date(2026, 2, 3), due=date(2026, 2, 10),
        owed=owed, noted=noted, **more,
    )  # fmt: skip


def by_norm() -> AccountMonth:
    """January without a meter: norms with the raising coefficient."""
    return month_of(flat=household())


def named(person: Person = PERSON, **changes: Any) -> Person:
    """The person with other values."""
    return replace(person, **changes)
