"""Requisites and numbers of the demo town: formally valid, and nobody's.

No tax office has the code 00, no region's banks the code 99, and ГИС ЖКХ gives no GUID by name.
"""

from __future__ import annotations

import json
from dataclasses import replace
from uuid import UUID, uuid5

from sqlalchemy import Engine

from api.papers import AGENT, Payees
from billing.paper.desk import DIRECTORY
from billing.paper.gis.directory import FORMAT
from billing.paper.person import GisNumbers, Requisites, account_is_valid, inn_is_valid
from contracts.wire.ids import Service
from scripts.home import Home
from scripts.town.plan import Town

PAYEE = Requisites(
    name="Платёжный агент Демогорода",
    inn="0000000018",
    kpp="000001001",
    account="40821810400000000001",
    bank="Банк Демогорода",
    bic="049999999",
    correspondent="30101810300000000999",
    contacts="Расчётный центр Демогорода, реквизиты вымышлены: по ним нельзя заплатить",
)
DEMO = UUID("0e6c8f3a-1d52-5f0b-8f6e-6b6f7065636b")
"""Under this the demo's GUIDs are drawn by name."""


def enrol_payees(town: Town, home: Home, engine: Engine) -> None:
    """Enters who is paid, and how ГИС ЖКХ would know the town; the same again changes nothing."""
    payees = Payees(engine)
    payees.set_payee(AGENT, PAYEE)
    for supplier in town.suppliers:
        payees.set_payee(str(supplier.number), _requisites(int(supplier.number), supplier.name))
    for flat in town.flats:
        unified = f"00AA{int(flat.account) % 1_000_000:06d}"
        payees.set_gis_numbers(flat.account, GisNumbers(_guid("account", flat.account), unified, unified + "-01"))
    path = home.folder("billing") / DIRECTORY
    path.write_text(json.dumps(_directory(town), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def _requisites(number: int, name: str) -> Requisites:
    """A supplier's: numbered, with the check digits that make them of their form."""
    inns = (f"00000001{number % 10}{digit}" for digit in range(10))
    accounts = (f"40702810{digit}{number:011d}" for digit in range(10))
    return replace(
        PAYEE,
        name=name,
        inn=next(inn for inn in inns if inn_is_valid(inn)),
        account=next(account for account in accounts if account_is_valid(account, PAYEE.bic)),
        contacts="",
    )


def _directory(town: Town) -> dict[str, object]:
    services = {s.name.lower(): {"code": str(int(s)), "guid": _guid("service", s.name)} for s in Service}
    return {
        "format": FORMAT,
        "services": services,
        "resources": {name: entry | {"guid": _guid("resource", name)} for name, entry in services.items()},
        "penalties": {"code": "1", "guid": _guid("penalties"), "name": "Пени"},
        "suppliers": {str(s.number): _guid("supplier", s.number) for s in town.suppliers},
    }


def _guid(*names: object) -> str:
    return str(uuid5(DEMO, "/".join(map(str, names))))
