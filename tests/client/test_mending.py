"""A database restored from yesterday, and a key used from elsewhere: told apart, and gone past with nothing done twice.

The judge is the chain: how often each call data of the key stands on it.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from contracts.client.deployments import WrongChain
from contracts.client.mending import Mender, NotFinalYet, NotInTheBlocks, Plan
from contracts.client.sender import KeyUsedElsewhere, Sender, UnknownIntent
from contracts.wire.ids import Address
from tests.client.chain import CHAIN_ID, Node, anvil
from tests.client.conftest import open_engine
from tests.client.test_sender import KEY, TARGET, mined, on_chain, sender, submit

FINALITY = 13
"""Blocks after which Anvil, with epochs of six slots, calls a block final."""


@pytest.fixture
def manual() -> Iterator[Node]:
    with anvil() as running:
        yield running


def mender(path: Path, node: Node, address: Address) -> Mender:
    return Mender(open_engine(path), node.rpc, CHAIN_ID, address)


def settle(node: Node, ours: Sender, *names: str) -> None:
    """Sends intents and lets them become final."""
    submit(ours, *names)
    ours.advance()
    node.mine(FINALITY)
    ours.advance()


def mend(path: Path, node: Node, address: Address) -> Plan:
    ours = mender(path, node, address)
    plan = ours.plan()
    ours.mend(plan)
    return plan


def test_what_the_lost_day_carried_out_is_taken_over_and_the_rest_is_sent_once(manual: Node, tmp_path: Path) -> None:
    path, backup = tmp_path / "sender.db", tmp_path / "backup.db"
    ours = sender(open_engine(path), manual)
    settle(manual, ours, "before")
    submit(ours, "signed")
    ours.advance()  # its bytes are in the backup
    submit(ours, "asked")  # only the intent is
    shutil.copy(path, backup)
    settle(manual, ours, "after 1", "after 2")

    restored = sender(open_engine(backup), manual)
    with pytest.raises(KeyUsedElsewhere, match="kopeck sender mend"):
        restored.advance()
    standing = mender(backup, manual, ours.address).standing()
    assert standing is not None
    assert (standing.books, standing.final, standing.unknown) == (2, 5, 3)

    plan = mend(backup, manual, ours.address)
    # "signed" had its bytes in the backup: the round that met the foreign nonces found their receipt by itself.
    assert [intent for intent, _ in plan.adopted] == ["asked"]
    assert [tx.data for tx in plan.strangers] == [b"after 1", b"after 2"]
    restored = sender(open_engine(backup), manual)
    submit(restored, "new")
    restored.advance()
    manual.mine(FINALITY)
    restored.advance()
    for name in ("before", "signed", "asked", "new"):
        assert mined(restored, name).success
    assert mined(restored, "asked").final
    assert on_chain(manual, ours.address) == dict.fromkeys(
        (b"before", b"signed", b"asked", b"after 1", b"after 2", b"new"), 1
    )
    assert mender(backup, manual, ours.address).standing().unknown == 0  # type: ignore[union-attr]


def test_a_key_that_somebody_else_sends_with_is_gone_past(manual: Node, tmp_path: Path) -> None:
    ours = sender(open_engine(tmp_path / "ours.db"), manual)
    theirs = sender(open_engine(tmp_path / "theirs.db"), manual)
    ours.advance()
    theirs.advance()
    submit(ours, "mine")
    submit(theirs, "foreign 1", "foreign 2")
    theirs.advance()
    ours.advance()  # the same nonce: the node holds theirs and takes ours for an underpriced replacement
    manual.mine()
    with pytest.raises(KeyUsedElsewhere):
        ours.advance()
    with pytest.raises(NotFinalYet, match="2 transactions"):
        mender(tmp_path / "ours.db", manual, ours.address).plan()
    manual.mine(FINALITY)
    plan = mend(tmp_path / "ours.db", manual, ours.address)
    assert plan.restarted == ("mine",)
    assert [tx.data for tx in plan.strangers] == [b"foreign 1", b"foreign 2"]
    again = sender(open_engine(tmp_path / "ours.db"), manual)
    again.advance()
    manual.mine()
    again.advance()
    assert mined(again, "mine").success
    assert on_chain(manual, ours.address) == {b"foreign 1": 1, b"foreign 2": 1, b"mine": 1}


@pytest.mark.parametrize("seed", range(6))
def test_a_backup_of_any_moment_doubles_and_loses_nothing(manual: Node, tmp_path: Path, seed: int) -> None:
    """Equal data under several names too: as many as the chain has are taken over, as many as it lacks are sent."""
    rng = Random(seed)
    path, backup = tmp_path / "sender.db", tmp_path / "backup.db"
    ours = sender(open_engine(path), manual)
    asked: list[tuple[str, bytes]] = []
    taken_at = rng.randrange(12)
    for step in range(14):
        for number in range(rng.randrange(3)):
            asked.append((f"{step}.{number}", rng.choice([b"rent", b"water", bytes((step, number))])))
            ours.submit(asked[-1][0], TARGET, asked[-1][1], 60_000)
        if rng.random() < 0.7:
            ours.advance()
        if rng.random() < 0.5:
            manual.mine(rng.choice([1, FINALITY]))
        if step == taken_at:
            shutil.copy(path, backup)
    ours.advance()
    manual.mine(FINALITY)
    ours.advance()
    before = on_chain(manual, ours.address)
    mend(backup, manual, ours.address)
    restored = sender(open_engine(backup), manual)
    for name, data in asked:
        try:
            restored.outcome(name)
        except UnknownIntent:
            continue
        restored.submit(name, TARGET, data, 60_000)
    restored.advance()
    manual.mine(FINALITY)
    restored.advance()
    assert on_chain(manual, ours.address) == before, "every intent of the backup had been carried out already"
    for name, _ in asked:
        try:
            assert mined(restored, name).success
        except UnknownIntent:
            continue


def test_a_chain_of_another_number_and_a_node_that_hides_blocks_are_refused(
    manual: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, backup = tmp_path / "sender.db", tmp_path / "backup.db"
    ours = sender(open_engine(path), manual, KEY)
    settle(manual, ours, "one")
    shutil.copy(path, backup)
    settle(manual, ours, "two")
    with pytest.raises(WrongChain):
        Mender(open_engine(backup), manual.rpc, 1, ours.address).plan()
    hiding = mender(backup, manual, ours.address)
    honest = manual.rpc.batch

    def without_transactions(calls):  # type: ignore[no-untyped-def]
        found = honest(calls)
        return [b | {"transactions": []} if isinstance(b, dict) and "transactions" in b else b for b in found]

    monkeypatch.setattr(manual.rpc, "batch", without_transactions)
    with pytest.raises(NotInTheBlocks, match="1 more transactions"):
        hiding.plan()
    assert mender(tmp_path / "none.db", manual, Address(b"\x01" * 20)).standing() is None
