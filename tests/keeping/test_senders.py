"""``kopeck sender`` on a home of its own and a real chain: a restored billing database is named, and mended."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

import billing.store
from contracts.client.deployments import Deployment
from contracts.client.sender import Sender
from contracts.wire.calls import encode_set_supplier_active
from contracts.wire.ids import Address, SupplierId
from scripts.cli.main import cli
from scripts.deploy import Settings, deploy
from scripts.home import Home
from scripts.keeping.senders import RunUnknownHere, Senders
from scripts.town.running import deploy_keys
from tests.client.chain import CHAIN_ID, Node, anvil

FINALITY = 13
TARGET = Address(b"\x42" * 20)


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Node, Home]]:
    with anvil(block_time_s=0.05) as node:
        home = Home(tmp_path_factory.mktemp("deployed"))
        deploy(node.url, deploy_keys(home), Settings()).save(home.deployment)
        yield node, home


@pytest.fixture
def town(deployed: tuple[Node, Home], tmp_path: Path) -> tuple[Node, Home]:
    node, built = deployed
    shutil.copytree(built.root, tmp_path / "town")
    return node, Home(tmp_path / "town")


def sender_of(town: tuple[Node, Home], party: str) -> Sender:
    node, home = town
    home.folder("billing")
    engine = billing.store.open_database(billing.store.database_url(home.root)).execution_options(writes=True)
    return Sender(engine, node.rpc, CHAIN_ID, home.key(party))


def settle(town: tuple[Node, Home], ours: Sender, *names: str) -> None:
    node, _ = town
    for name in names:
        ours.submit(name, TARGET, name.encode(), 60_000)
        ours.wait(name)
    node.mine(FINALITY)
    ours.advance()


def restored(town: tuple[Node, Home], party: str, *lost: str) -> None:
    """A home whose billing database is from before ``lost`` was sent."""
    _, home = town
    ours = sender_of(town, party)
    settle(town, ours, f"{party} before")
    path = home.root / "billing" / "billing.db"
    ours._store._engine.dispose()
    shutil.copy(path, path.with_suffix(".yesterday"))
    settle(town, sender_of(town, party), *lost)
    sender_of(town, party)._store._engine.dispose()
    for tail in ("-wal", "-shm"):
        Path(f"{path}{tail}").unlink(missing_ok=True)
    shutil.move(path.with_suffix(".yesterday"), path)


def run(town: tuple[Node, Home], *words: str) -> tuple[int, object]:
    node, home = town
    found = CliRunner().invoke(cli, [*words, "--home", str(home.root), "--rpc", node.url, "--json"])
    if found.exception is not None and not isinstance(found.exception, SystemExit):
        raise found.exception
    return found.exit_code, json.loads(found.stdout)


def test_a_restored_database_is_named_and_mended(town: tuple[Node, Home]) -> None:
    restored(town, "relay", "lost 1", "lost 2")
    code, listed = run(town, "sender", "list")
    assert code == 1
    assert [row["state"][:26] for row in listed if row["party"] == "relay"] == ["the chain has 2 transactions"[:26]]
    code, planned = run(town, "sender", "mend", "relay", "--dry-run")
    assert (code, planned["changed"], len(planned["found"])) == (0, False, 2)
    assert {row["intent_or_call"] for row in planned["found"]} == {"a call to a stranger's contract"}
    assert run(town, "sender", "list")[0] == 1, "a dry run changes nothing"
    assert run(town, "sender", "mend", "relay")[0] == 0
    code, listed = run(town, "sender", "list")
    assert code == 0
    assert {row["state"] for row in listed} == {"in step"}
    settle(town, sender_of(town, "relay"), "new")


def test_a_run_that_the_books_lack_is_not_gone_past_without_a_word(town: tuple[Node, Home], monkeypatch) -> None:  # type: ignore[no-untyped-def]
    node, home = town
    restored(town, "biller", "lost run")
    senders = Senders(home, node.rpc, Deployment.load(home.deployment))
    plan = senders.mender("biller").plan()
    assert len(plan.strangers) == 1
    senders.require_known_runs(plan)
    monkeypatch.setattr(Senders, "call_of", lambda *_: "ChargeBook.propose")
    with pytest.raises(RunUnknownHere, match="restore a backup from after them"):
        run(town, "sender", "mend", "biller")
    assert run(town, "sender", "list")[0] == 1
    assert run(town, "sender", "mend", "biller", "--even-so")[0] == 0


def test_calls_are_named_by_contract_and_function(town: tuple[Node, Home]) -> None:
    node, home = town
    operator = sender_of(town, "operator")
    registry = Deployment.load(home.deployment).addresses["Registry"]
    operator.submit("resume", registry, encode_set_supplier_active(SupplierId(1), True), 200_000)
    operator.wait("resume")
    node.mine(FINALITY)
    (home.folder("parties") / "operator.db").touch()
    senders = Senders(home, node.rpc, Deployment.load(home.deployment))
    plan = senders.mender("operator").plan()
    assert [senders.call_of(tx) for tx in plan.strangers][-1] == "Registry.setSupplierActive"
