"""What a played town comes to: the ledger's totals beside what the chain itself says, and a rebuild that must agree."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from contracts.client.files import FileStore, FirstOf
from contracts.wire.ids import SupplierId
from ledger.fsck import check_against_chain, rebuild
from ledger.store import database_url, open_database
from scripts.cli.console import err
from scripts.town.stage import Stage

CUSTODY_FREE = ("Settlement", "ChargeBook", "SubsidyBook")


def report(stage: Stage, seconds: Mapping[str, float]) -> dict[str, Any]:
    """The demo's JSON. What suppliers received is the balances of their wallets, asked of the chain."""
    totals = stage.ledger.totals()
    received = {supplier.number: received_by(stage, supplier.number) for supplier in stage.town.suppliers}
    charged = {row.supplier: row.charged_kopecks for row in totals.suppliers}
    custody = {name: balance(stage, stage.deployment.addresses[name]) for name in CUSTODY_FREE}
    moved = totals.paid_kopecks + totals.granted_kopecks + totals.prepaid_kopecks - totals.refunded_kopecks
    return {
        "accounts": len(stage.town.flats),
        "months": [str(month) for month in stage.town.months],
        "seed": stage.town.seed,
        "readings": totals.readings,
        "batches": totals.batches,
        "runs": totals.runs,
        "bills": totals.bills,
        "charged_kopecks": totals.charged_kopecks,
        "granted_kopecks": totals.granted_kopecks,
        "paid_kopecks": totals.paid_kopecks,
        "prepaid_kopecks": totals.prepaid_kopecks,
        "refunded_kopecks": totals.refunded_kopecks,
        "netted_kopecks": totals.netted_kopecks,
        "written_off_kopecks": totals.written_off_kopecks,
        "suppliers": [
            {
                "id": int(supplier.number),
                "name": supplier.name,
                "charged_kopecks": charged.get(supplier.number, 0),
                "received_kopecks": received[supplier.number],
            }
            for supplier in stage.town.suppliers
        ],
        "contract_balances_kopecks": sum(custody.values()),
        "conservation": totals.is_conserved and sum(received.values()) == moved and _supply_is_whole(stage),
        "rebuilt_equal": rebuilt_equal(stage),
        "blocks": stage.reader.head().number,
        "restarts": dict(stage.running.supervisor.restarts),
        "seconds": dict(seconds),
    }


def received_by(stage: Stage, supplier: SupplierId) -> int:
    """Kopecks on a supplier's wallet."""
    payout, _active = stage.reader.view("Registry", "payoutOf", supplier)
    return balance(stage, payout)


def balance(stage: Stage, account: bytes) -> int:
    """Kopecks of an account, as the token has it."""
    return int(stage.reader.view("Rouble", "balanceOf", account))


def rebuilt_equal(stage: Stage) -> bool:
    """Whether a ledger rebuilt from the chain and the files equals the ledger as it stands, and both the chain, with
    no alarm; what speaks against it goes to the error stream."""
    engine = open_database(database_url(stage.home.root))
    files = FirstOf([FileStore(stage.home.root / name / "files") for name in ("oracle", "billing", "ledger")])
    found = rebuild(engine, stage.reader, stage.deployment.first_block, files, stage.keyring)
    wrong = check_against_chain(engine, stage.reader)
    for line in (*map(str, found.differences), *wrong, *found.alarms):
        err.print(line, highlight=False, markup=False, soft_wrap=True)
    return found.is_sound and not wrong


def _supply_is_whole(stage: Stage) -> bool:
    """Σ balances = supply, over every wallet the ledger knows, each asked of the token."""
    wallets = stage.ledger.balances()
    held = sum(balance(stage, wallet) for wallet in wallets if any(wallet))
    return held == int(stage.reader.view("Rouble", "totalSupply"))
