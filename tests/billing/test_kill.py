"""The collector killed with SIGKILL at each numbered step, with orders and an agent's batch under way: the next one
pays each exactly once, and town and inbox are what they are where nothing was killed."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest

from billing.requests import AgentPayment, PayOrder, Prepayment
from contracts.client.deployments import Deployment
from contracts.client.files import FileStore
from contracts.client.keyring import KeyRing
from contracts.client.reader import Reader
from contracts.client.rpc import Rpc
from contracts.wire.ids import BillKey
from contracts.wire.typed_data import Purpose
from scripts.bench.killing import Ended, Steps, lead
from tests.billing.scenes import ALL, JANUARY, billed
from tests.billing.stage import Stage
from tests.ledger.indexed import Indexed
from tests.ledger.town import Town

pytestmark = pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")

ACCOUNTS = 5
ROUNDS = 40


@dataclass
class Scene:
    """A town whose bills are posted and whose payers have asked, as it lies in a folder and on a chain."""

    folder: Path
    url: str
    deployment: Deployment
    suppliers: dict[str, int]
    bills: dict[str, BillKey]
    items: list[int]
    snapshot: str

    def led(self, kill_at: int | None = None) -> tuple[Ended, Ended]:
        """A collector that may be killed at a step and the one after it, in a copy of the folder, from the same
        moment of the chain."""
        rpc = Rpc(self.url)
        rpc.call("evm_revert", self.snapshot)
        self.snapshot = rpc.call("evm_snapshot")
        rpc.close()
        copy = self.folder.with_name("copy")
        shutil.copytree(self.folder, copy)
        try:
            return lead(lambda steps: self._life(copy, steps), kill_at), lead(lambda steps: self._life(copy, steps))
        finally:
            shutil.rmtree(copy)

    def _life(self, folder: Path, steps: Steps) -> dict[str, object]:
        """Rounds of a new collector until all that was asked for is over for good; between them the chain and the
        ledger go on, which are others' processes."""
        with steps.apart():
            rpc = Rpc(self.url)
            town = Town(rpc, Reader(rpc, self.deployment), FileStore(folder / "served"), KeyRing(folder / "keyring.db"))
            indexed = Indexed(town, folder)
            indexed.sync()
        stage = Stage(town, indexed, folder)
        for _ in range(ROUNDS):
            stage.collector.step()
            with steps.apart():
                found = stage.inbox.get_many(self.items)
                if all(item.is_settled for item in found):
                    break
                stage.settle() if all(item.is_over for item in found) else indexed.sync()
        with steps.apart():
            return self._facts(stage)

    def _facts(self, stage: Stage) -> dict[str, object]:
        """What must not depend on where anything was killed: blocks, transactions and references are left out."""
        items = stage.inbox.get_many(self.items)
        ledger = stage.indexed.ledger
        return {
            "items": {i.client_key: [i.state.value, i.slug, (i.result or {}).get("paid_kopecks")] for i in items},
            "balances": {name: stage.balance(name) for name in (*self.suppliers, "agent", "resident")},
            "receipts": {
                account: sorted(
                    [leg.line, leg.amount_kopecks] for receipt in ledger.receipts(key) for leg in receipt.legs
                )
                for account, key in self.bills.items()
            },
            "states": {account: int(stage.view(key).state) for account, key in self.bills.items()},
        }


@pytest.fixture(scope="module")
def scene(built: Town, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """Two orders of a resident, one of them in parts; three payments through the agent, of which two go in one batch
    and the third, on the same bill as the first, in another; and a prepayment."""
    before = built.rpc.call("evm_snapshot")
    folder = tmp_path_factory.mktemp("kills") / "base"
    folder.mkdir()
    town = Town(built.rpc, built.reader, FileStore(folder / "served"), KeyRing(folder / "keyring.db"))
    stage = Stage(town, Indexed(town, folder), folder)
    billed(stage, ACCOUNTS)
    stage.mint("resident", 10**8)
    bills = {str(number): stage.bill(str(number), JANUARY).key for number in range(1, ACCOUNTS + 1)}
    stage.settle()
    orders = [(bills["1"], ALL), (bills["2"], 20_000)]
    asked = {
        f"order {nonce}": PayOrder(*stage.sign("resident", Purpose("pay", int(key.run), key.index), maximum, nonce))
        for nonce, (key, maximum) in enumerate(orders, start=1)
    } | {
        "first": AgentPayment(bills["3"], 5_000),
        "other": AgentPayment(bills["4"], ALL),
        "second": AgentPayment(bills["3"], ALL),
        "ahead": Prepayment("5", stage.suppliers["heat"], 7_000),
    }
    items = [stage.ask(key, request).id for key, request in asked.items()]
    stage.office.engine.dispose()
    stage.indexed.engine.dispose()
    url, deployment = built.rpc.url, built.reader.deployment
    suppliers = {name: int(number) for name, number in stage.suppliers.items()}
    yield Scene(folder, url, deployment, suppliers, bills, items, built.rpc.call("evm_snapshot"))
    built.rpc.call("evm_revert", before)


@pytest.mark.parametrize("stride", [41, pytest.param(7, marks=pytest.mark.slow)])
def test_killed_at_a_step_the_next_collector_pays_each_once(scene: Scene, stride: int) -> None:
    """A few steps in each run, a seventh of all in ``make check``, and every one in ``kopeck bench resume``."""
    _, undisturbed = scene.led()
    assert {fate[0] for fate in undisturbed.value["items"].values()} == {"done"}
    kills = 0
    for kill_at in count(1, stride):
        killed, after = scene.led(kill_at)
        assert after.value == undisturbed.value, f"killed at step {kill_at}"
        if not killed.was_killed:
            break
        kills += 1
    assert kills * stride > 100, "claims, intents, commits, requests and their answers"
