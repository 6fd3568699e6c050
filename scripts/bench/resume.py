"""How soon indexer, sender and collector are at work again after a kill, over a kill at every one of their steps.

A small town on a real chain, billed, its payers waiting. Each life is a fork of this process, so that the clock runs
from the end of the imports: of the indexer until it stands at the head with every file, of the sender until the node
has all that was signed, of the collector to the end of its first round. What each comes to afterwards is held against
a life that nothing disturbed, byte for byte.
"""

from __future__ import annotations

import secrets
import shutil
import statistics
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path

from sqlalchemy import create_engine

from billing.collect import Collector
from billing.office import AGENT, BILLER, RELAY, WELFARE, Office
from billing.requests import AgentPayment, PayOrder, Prepayment
from contracts.client.deployments import Deployment
from contracts.client.files import FileStore, FirstOf
from contracts.client.keyring import KeyRing
from contracts.client.reader import Reader
from contracts.client.rpc import Rpc
from contracts.client.sender import Sender
from contracts.client.signer import open_signer
from contracts.wire.ids import Address, BillKey, Period, SupplierId
from contracts.wire.typed_data import Purpose, SplitAuthorization, sign_digest
from ledger.digest import digest
from ledger.follow import Follower
from ledger.ingest import Ingestor
from ledger.main import run as run_indexer
from ledger.process import Setting
from ledger.store import database_url, open_database
from scripts.bench import Result
from scripts.bench.killing import Ended, Steps, UntilIdle, lead
from scripts.cli.console import Steps as Progress
from scripts.cli.console import err
from scripts.home import Home
from scripts.town.plan import Habit, plan_town
from scripts.town.play import SERVICES, Play
from scripts.town.running import FILLING_BLOCK_S, Running, choose_ports
from scripts.town.stage import Stage

ACCOUNTS = 12
PERIOD = Period(2026, 1)
BAR_S = 1.0
INTENTS = 3
_FINAL_BLOCKS = 13
_MOST_ROUNDS = 40
_EVER = 1 << 40
_TARGET = Address(b"\x42" * 20)


class NotTheSame(AssertionError):
    """After a kill something else came about than without."""

    def __init__(self, who: str, kill_at: int) -> None:
        super().__init__(f"the {who} killed at step {kill_at} came to another state than one that was not")


@dataclass(frozen=True)
class Scene:
    """A town in a folder, and its chain, which makes a block when it is told to."""

    base: Path
    ledger_before: Path
    """The ledger as it was before the month was billed."""
    url: str
    deployment: Deployment
    items: tuple[int, ...]
    bills: tuple[BillKey, ...]

    @contextmanager
    def copied(self) -> Iterator[Path]:
        """A copy of the folder, to be spoilt."""
        copy = self.base.with_name("copy")
        shutil.copytree(self.base, copy)
        try:
            yield copy
        finally:
            shutil.rmtree(copy)


def measure() -> list[Result]:
    """resume.collector_s, resume.indexer_s, resume.sender_s: the worst over all kills, each with the median beside."""
    town = plan_town(ACCOUNTS, PERIOD, 1, 7)
    with tempfile.TemporaryDirectory(prefix="kopeck-bench-") as folder:
        home = Home(Path(folder) / "town")
        with Running(home, choose_ports(None), keep_state=False) as running:
            running.start_chain(town.starts_at, FILLING_BLOCK_S)
            running.ensure_deployed()
            scene = _billed(Stage.of(town, running), Path(folder))
            collector = _collector(scene)
            indexer = _indexer(scene)
            running.pace(FILLING_BLOCK_S)
            sender = _sender(scene, Path(folder) / "sender.db")
    return [_result("collector", collector), _result("indexer", indexer), _result("sender", sender)]


def _result(who: str, resumed: Sequence[Ended]) -> Result:
    beside = {
        "kills": float(len(resumed)),
        "median_ms": round(1_000 * statistics.median(one.resumed_s for one in resumed)),
        "processor_ms": round(1_000 * max(one.cpu_s for one in resumed)),
    }
    return Result(f"resume.{who}_s", round(max(one.resumed_s for one in resumed), 3), "s", "lower", BAR_S, beside)


def _say(who: str, kill_at: int) -> None:
    if kill_at and kill_at % 25 == 0:
        err.print(f"    {who}: killed at {kill_at} steps so far", highlight=False)


# --- the town ---


def _billed(stage: Stage, folder: Path) -> Scene:
    """A month's bills posted, two orders, an agent's payments and a prepayment asked for; then all services end."""
    play, running = Play(stage, Progress(quiet=True)), stage.running
    play.open()
    play.send_readings()
    running.supervisor.stop("ledger")
    before = folder / "ledger before"
    shutil.copytree(stage.home.root / "ledger", before)
    running.start_services(("ledger",))
    play.bill(PERIOD)
    play.settle_down()
    for name in reversed(SERVICES):
        running.supervisor.stop(name)
    running.pace(None)
    items, bills = _ask(stage)
    base = folder / "base"
    others = ("logs", "run", "api", "archive", "chain", "concentrator-*", "parties", "town")
    shutil.copytree(stage.home.root, base, ignore=shutil.ignore_patterns(*others))
    return Scene(base, before, running.ports.rpc_url, stage.deployment, items, bills)


def _ask(stage: Stage) -> tuple[tuple[int, ...], tuple[BillKey, ...]]:
    """What payers ask for: items of the inbox, and the bills that they are about."""
    bills = stage.bills(PERIOD)
    wallets = [flat for flat in stage.town.flats if flat.habit is Habit.WALLET]
    others = [flat for flat in stage.town.flats if flat.habit is Habit.AGENT]
    items = []
    for nonce, flat in enumerate(wallets, start=1):
        bill = bills[flat.account]
        purpose = Purpose("pay", int(bill.key.run), bill.key.index)
        spender = stage.deployment.addresses["Settlement"]
        order = SplitAuthorization(
            stage.home.address(flat.wallet), spender, bill.open_kopecks // nonce, purpose, nonce, _EVER
        )
        signature = sign_digest(stage.home.key(flat.wallet), stage.domain.digest(order.struct_hash()))
        items.append(stage.ask(f"order {flat.account}", PayOrder(order, signature)).id)
    asked = [(f"pay {flat.account}", AgentPayment(bills[flat.account].key, 50_000)) for flat in others]
    # A second payment on one bill goes with a batch of its own.
    asked.append(("the rest", AgentPayment(bills[others[0].account].key, 1 << 40)))
    items += [stage.ask(key, payment).id for key, payment in asked]
    items.append(stage.ask("ahead", Prepayment(others[0].account, SupplierId(1), 7_000)).id)
    return tuple(items), tuple(bill.key for bill in bills.values())


# --- the collector ---


def _collector(scene: Scene) -> list[Ended]:
    """Kills at each step, always from the same moment of chain and books."""
    rpc = Rpc(scene.url)
    snapshot = rpc.call("evm_snapshot")
    undisturbed: Ended | None = None
    resumed = []
    for kill_at in count():  # at no step, and from the first one on
        _say("collector", kill_at)
        rpc.call("evm_revert", snapshot)
        snapshot = rpc.call("evm_snapshot")
        with scene.copied() as home:
            killed = lead(partial(_collect, scene, home), kill_at)
            after = lead(partial(_collect, scene, home))
        undisturbed = undisturbed or killed
        if after.value != undisturbed.value:
            raise NotTheSame("collector", kill_at)
        if kill_at and not killed.was_killed:
            break
        resumed += [after] if kill_at else []
    rpc.close()
    return resumed


def _collect(scene: Scene, home: Path, steps: Steps) -> dict[str, object]:
    """Rounds of a collector until what was asked for is over for good, with chain and ledger going on in between."""
    rpc = Rpc(scene.url)
    signers = {name: open_signer(home, name) for name in (BILLER, RELAY, AGENT, WELFARE)}
    office = Office.open(home, rpc, scene.deployment, signers)
    collector = Collector(office)
    for _ in range(_MOST_ROUNDS):
        collector.step()
        steps.resumed()
        with steps.apart():
            found = office.inbox.get_many(scene.items)
            if all(item.is_settled for item in found):
                break
            rpc.call("anvil_mine", hex(_FINAL_BLOCKS if all(item.is_over for item in found) else 1))
            _follow(scene, home)
    with steps.apart():
        receipts = {str(bill): office.ledger.receipts(bill) for bill in scene.bills}
        return {
            "items": {i.client_key: [i.state.value, i.slug, (i.result or {}).get("paid_kopecks")] for i in found},
            "paid": {bill: sorted([leg.line, leg.amount_kopecks] for r in of for leg in r.legs)
                     for bill, of in receipts.items()},
            "balances": {"0x" + wallet.hex(): kopecks for wallet, kopecks in office.ledger.balances().items()},
        }  # fmt: skip


def _follow(scene: Scene, home: Path) -> None:
    """The ledger's part between two rounds."""
    engine = open_database(database_url(home))
    Follower(engine, Reader(Rpc(scene.url), scene.deployment), scene.deployment.first_block).catch_up()
    files = FirstOf([FileStore(home / name / "files") for name in ("oracle", "billing")])
    Ingestor(engine, FileStore(home / "ledger" / "files"), files, KeyRing(home / "keyring.db")).run()
    engine.dispose()


# --- the indexer ---


def _indexer(scene: Scene) -> list[Ended]:
    """Kills at each step on the way from before the month's bills to the head."""
    undisturbed: Ended | None = None
    resumed = []
    for kill_at in count():
        _say("indexer", kill_at)
        with scene.copied() as home:
            shutil.rmtree(home / "ledger")
            shutil.copytree(scene.ledger_before, home / "ledger")
            killed = lead(partial(_index, scene, home), kill_at)
            after = lead(partial(_index, scene, home))
        undisturbed = undisturbed or killed
        if after.value != undisturbed.value:
            raise NotTheSame("indexer", kill_at)
        if kill_at and not killed.was_killed:
            break
        resumed += [after] if kill_at else []
    return resumed


def _index(scene: Scene, home: Path, steps: Steps) -> str:
    """The service itself, until there is nothing left to do; what its tables come to."""
    files = FirstOf([FileStore(home / name / "files") for name in ("oracle", "billing")])
    run_indexer(Setting(home, Reader(Rpc(scene.url), scene.deployment), files, UntilIdle(steps)))
    with steps.apart(), open_database(database_url(home)).connect() as connection:
        return digest(connection).hex()


# --- the sender ---


def _sender(scene: Scene, path: Path) -> list[Ended]:
    """Kills at each step of three intents' way; in the end the chain has each of all of them once."""
    key = secrets.token_bytes(32)
    resumed: list[Ended] = []
    rpc = Rpc(scene.url)
    for kill_at in count(1):
        _say("sender", kill_at)
        life = partial(_send, scene, path, key, f"kill {kill_at}")
        killed = lead(life, kill_at)
        after = lead(life)
        carried_out = int(rpc.call("eth_getTransactionCount", "0x" + str(after.value), "latest"), 16)
        if carried_out != kill_at * INTENTS:
            raise NotTheSame("sender", kill_at)
        if not killed.was_killed:
            rpc.close()
            return resumed
        resumed.append(after)
    raise AssertionError


def _send(scene: Scene, path: Path, key: bytes, name: str, steps: Steps) -> str:
    """Submits intents and sees them through; whose they are."""
    engine = create_engine(f"sqlite:///{path}", connect_args={"timeout": 10})
    sender = Sender(engine, Rpc(scene.url), scene.deployment.chain_id, key)
    for number in range(INTENTS):
        sender.submit(f"{name} {number}", _TARGET, f"{name} {number}".encode(), gas=60_000)
    sender.advance()
    steps.resumed()
    for number in range(INTENTS):
        sender.wait(f"{name} {number}")
    return sender.address.hex()
