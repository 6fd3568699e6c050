"""The sender on a real Anvil: idempotence, faults of the node, reorganisations, replacement, a key used twice."""

from __future__ import annotations

import random
import shutil
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from contracts.client.deployments import Deployment, WrongChain
from contracts.client.rpc import NodeBehind, NodeError, NodeUnreachable, Rpc
from contracts.client.sender import (
    AnotherSender,
    ChainWentBack,
    IntentConflict,
    KeyUsedElsewhere,
    NotMinedYet,
    Outcome,
    Sender,
    TransactionRefused,
    UnknownIntent,
)
from contracts.wire.calls import encode_mint, encode_transfer
from contracts.wire.errors import RoubleBalanceTooLow
from contracts.wire.ids import Address, Hash
from scripts.processes import free_port
from tests.client.chain import CHAIN_ID, Node, anvil
from tests.client.conftest import KEYS, open_engine
from tests.client.faulty_proxy import Fault, faulty_proxy

KEY = b"\x55" * 32
TARGET = Address(b"\x42" * 20)


@pytest.fixture
def manual() -> Iterator[Node]:
    """An Anvil that mines when it is told to."""
    with anvil() as running:
        yield running


def sender(engine: Engine, node: Node, key: bytes = KEY) -> Sender:
    return Sender(engine, Rpc(node.url), CHAIN_ID, key)


def submit(to: Sender, *names: str) -> None:
    to.submit_many([(name, TARGET, name.encode(), 60_000) for name in names])


def on_chain(node: Node, address: Address) -> Counter[bytes]:
    """How often each call data of an account stands on the chain."""
    head = int(node.rpc.call("eth_blockNumber"), 16)
    blocks = node.rpc.batch([("eth_getBlockByNumber", [hex(number), True]) for number in range(head + 1)])
    sender_text = "0x" + address.hex()
    return Counter(
        bytes.fromhex(tx["input"][2:]) for block in blocks for tx in block["transactions"] if tx["from"] == sender_text
    )


def mined(of: Sender, intent: str) -> Outcome:
    outcome = of.outcome(intent)
    assert outcome is not None
    return outcome


# --- intents ---


def test_a_hundred_clicks_are_one_transaction(node: Node, engine: Engine) -> None:
    ours = sender(engine, node, b"\x01" + KEY[1:])
    threads = [threading.Thread(target=submit, args=(ours, "click")) for _ in range(100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ours.wait("click")
    submit(ours, "click")
    ours.advance()
    assert on_chain(node, ours.address) == {b"click": 1}


def test_an_intent_of_the_same_name_with_other_content_is_refused(node: Node, engine: Engine) -> None:
    ours = sender(engine, node)
    ours.submit("rent", TARGET, b"one")
    ours.submit("rent", TARGET, b"one")
    for to, data in ((TARGET, b"two"), (ours.address, b"one"), (None, b"one")):
        with pytest.raises(IntentConflict, match="rent"):
            ours.submit("rent", to, data)
    with pytest.raises(IntentConflict, match="twice"):
        ours.submit_many([("twice", TARGET, b"one", None), ("twice", TARGET, b"two", None)])
    with pytest.raises(UnknownIntent, match="nobody"):
        ours.outcome("nobody")


def test_a_revert_is_an_outcome_with_the_contracts_own_error(
    node: Node, engine: Engine, deployment: Deployment
) -> None:
    ours = sender(engine, node, b"\x02" + KEY[1:])
    ours.submit("poor", deployment.addresses["Rouble"], encode_transfer(TARGET, 5))
    outcome = ours.wait("poor")
    assert not outcome.success
    assert isinstance(outcome.error, RoubleBalanceTooLow)
    assert (outcome.error.balance, outcome.error.needed) == (0, 5)
    with pytest.raises(RoubleBalanceTooLow):
        ours.wait("poor", check=True)


def test_gas_is_estimated_for_what_a_contract_does(node: Node, engine: Engine, deployment: Deployment) -> None:
    bank = sender(engine, node, KEYS["bank"])
    rouble = deployment.addresses["Rouble"]
    bank.submit("mint", rouble, encode_mint(TARGET, 500, Hash(b"\x01" * 32)))
    assert bank.wait("mint", check=True).success


def test_six_hundred_at_once_are_carried_out_in_order(node: Node, engine: Engine) -> None:
    ours = sender(engine, node, b"\x03" + KEY[1:])
    names = [f"n{number:04d}" for number in range(600)]
    submit(ours, *names)
    started = time.monotonic()
    ours.wait(names[-1], timeout_s=30)
    assert time.monotonic() - started < 15
    assert on_chain(node, ours.address) == {name.encode(): 1 for name in names}
    assert [ours.outcome(name) is not None for name in names] == [True] * 600


# --- the node ---


def test_a_wrong_chain_is_noticed_before_anything_is_signed(node: Node, engine: Engine) -> None:
    ours = Sender(engine, Rpc(node.url), 1, KEY)
    submit(ours, "a")
    with pytest.raises(WrongChain, match="31337"):
        ours.advance()
    assert ours.outcome("a") is None


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_whatever_the_line_loses_each_intent_is_carried_out_once(node: Node, engine: Engine, seed: int) -> None:
    draw = random.Random(seed)
    faults = list(Fault)

    def choose() -> Fault:
        return draw.choices(faults, weights=[5, 1, 1, 1, 1])[0]

    names = [f"s{seed}-{number}" for number in range(20)]
    with faulty_proxy(node.url, choose) as url:
        ours = Sender(engine, Rpc(url, timeout_s=2), CHAIN_ID, bytes([0x60 + seed]) * 32)
        end = time.monotonic() + 30
        waiting = list(names)
        while waiting or any(ours.outcome(name) is None for name in names):
            assert time.monotonic() < end
            if waiting and draw.random() < 0.5:
                submit(ours, waiting.pop(0))
                names_known = [name for name in names if name not in waiting]
            try:
                ours.advance()
            except (NodeError, NodeUnreachable):
                continue
            if not waiting and all(ours.outcome(name) for name in names_known):
                break
    assert on_chain(node, ours.address) == {name.encode(): 1 for name in names}


def test_a_node_that_is_down_is_waited_for(engine: Engine) -> None:
    port = free_port()
    ours = Sender(engine, Rpc(f"http://127.0.0.1:{port}", timeout_s=2), CHAIN_ID, KEY)
    submit(ours, "early")
    with pytest.raises(NodeUnreachable, match="start it"):
        ours.wait("early", timeout_s=0.2)
    with anvil(block_time_s=0.1, port=port):
        assert ours.wait("early", timeout_s=10).success


def test_a_transaction_that_the_node_forgot_is_sent_again(manual: Node, engine: Engine) -> None:
    ours = sender(engine, manual)
    submit(ours, "forgotten")
    ours.advance()
    manual.rpc.call("anvil_dropAllTransactions")
    manual.mine(3)
    assert on_chain(manual, ours.address) == {}
    ours.advance()
    manual.mine()
    ours.advance()
    assert mined(ours, "forgotten").success
    assert on_chain(manual, ours.address) == {b"forgotten": 1}


def test_what_the_node_refuses_is_named_with_its_reason(manual: Node, engine: Engine) -> None:
    manual.rpc.call("anvil_setNextBlockBaseFeePerGas", hex(10**9))
    manual.mine()
    ours = sender(engine, manual)
    submit(ours, "penniless")
    with pytest.raises(TransactionRefused, match="'penniless'"):
        ours.advance()
    manual.rpc.call("anvil_setBalance", "0x" + ours.address.hex(), hex(10**20))
    manual.mine(3)
    ours.advance()
    manual.mine()
    ours.advance()
    assert mined(ours, "penniless").success


def test_a_gas_limit_that_no_node_would_mine_is_raised(manual: Node, engine: Engine) -> None:
    ours = sender(engine, manual)
    ours.submit("thin", TARGET, b"data", gas=21_000)
    ours.advance()
    manual.mine()
    ours.advance()
    assert mined(ours, "thin").success


def test_waiting_ends_when_the_time_is_up(manual: Node, engine: Engine) -> None:
    ours = sender(engine, manual)
    submit(ours, "slow")
    with pytest.raises(NotMinedYet, match="goes on being sent"):
        ours.wait("slow", timeout_s=0.2)


# --- reorganisations and finality ---


@pytest.mark.parametrize("depth", [1, 2, 10])
def test_a_reorganisation_that_drops_it_has_the_same_bytes_mined_again(
    manual: Node, engine: Engine, depth: int
) -> None:
    ours = sender(engine, manual)
    manual.mine(5)
    submit(ours, "a", "b")
    ours.advance()
    manual.mine(depth)
    ours.advance()
    first = mined(ours, "a")
    manual.rpc.call("anvil_reorg", depth, [])
    manual.rpc.call("anvil_dropAllTransactions")
    ours.advance()
    assert ours.outcome("a") is None
    manual.mine()
    ours.advance()
    again = mined(ours, "a")
    assert again.tx_hash == first.tx_hash
    assert on_chain(manual, ours.address) == {b"a": 1, b"b": 1}


def test_only_finality_ends_the_watch(manual: Node, engine: Engine) -> None:
    ours = sender(engine, manual)
    submit(ours, "a")
    ours.advance()
    manual.mine()
    ours.advance()
    assert not mined(ours, "a").final
    manual.mine(12)
    ours.advance()
    assert mined(ours, "a").final


def test_a_node_behind_is_waited_for_and_a_chain_that_lost_what_was_final_halts_the_sender(engine: Engine) -> None:
    with anvil() as first:
        ours = sender(engine, first)
        submit(ours, "a")
        ours.advance()
        first.mine()
        ours.advance()
        first.mine(12)
        ours.advance()
        assert mined(ours, "a").final
    with anvil() as other:
        with pytest.raises(NodeBehind, match="at block 0, and block 1 is known already; wait until it has"):
            sender(engine, other).advance()
        other.mine(20)
        with pytest.raises(ChainWentBack, match=r"final at block 1, .* past that block.*restore the chain"):
            sender(engine, other).advance()


def test_a_node_killed_and_restarted_from_its_last_save_gets_again_what_it_lost(engine: Engine, tmp_path: Path) -> None:
    flags = ("--state", str(tmp_path / "state.json"), "--state-interval", "1")
    port = free_port()
    names = [f"n{number}" for number in range(6)]
    with anvil(*flags, block_time_s=0.3, port=port) as first:
        ours = sender(engine, first)
        for name in names:
            submit(ours, name)
            ours.wait(name)
        first.process.kill()  # what came after the last save is gone
    with anvil(*flags, block_time_s=0.3, port=port) as second:
        end = time.monotonic() + 15
        while any(ours.outcome(name) is None for name in names) or on_chain(second, ours.address) == {}:
            assert time.monotonic() < end
            ours.advance()
            time.sleep(0.1)
        submit(ours, "last")
        ours.wait("last")
        assert on_chain(second, ours.address) == {name.encode(): 1 for name in [*names, "last"]}


# --- replacement ---


def test_a_stuck_transaction_is_replaced_under_its_own_nonce(manual: Node, engine: Engine) -> None:
    ours = sender(engine, manual)
    manual.rpc.call("anvil_setBalance", "0x" + ours.address.hex(), hex(10**20))
    submit(ours, "stuck", "behind it")
    ours.advance()
    for _ in range(12):  # the base fee rises above what both can pay
        manual.rpc.call("anvil_setNextBlockBaseFeePerGas", hex(10**9))
        manual.mine()
        ours.advance()
    manual.rpc.call("anvil_setNextBlockBaseFeePerGas", hex(10**9))
    manual.mine()
    ours.advance()
    assert mined(ours, "stuck").success
    assert mined(ours, "behind it").success
    assert on_chain(manual, ours.address) == {b"stuck": 1, b"behind it": 1}


# --- one key, one process ---


def test_a_second_process_on_the_same_database_stops_the_first(node: Node, engine: Engine) -> None:
    first = sender(engine, node, b"\x04" + KEY[1:])
    submit(first, "a")
    first.wait("a")
    second = sender(engine, node, b"\x04" + KEY[1:])
    second.advance()
    submit(first, "b")
    with pytest.raises(AnotherSender, match="stop one of the two"):
        first.advance()
    second.wait("b")
    assert on_chain(node, second.address) == {b"a": 1, b"b": 1}


def test_a_restored_backup_finds_its_transactions_on_the_chain(node: Node, tmp_path: Path) -> None:
    path, backup = tmp_path / "sender.db", tmp_path / "backup.db"
    ours = sender(open_engine(path), node, b"\x05" + KEY[1:])
    submit(ours, "before")
    ours.wait("before")
    submit(ours, "during")
    shutil.copy(path, backup)
    ours.wait("during")
    submit(ours, "after")
    ours.wait("after")
    restored = sender(open_engine(backup), node, b"\x05" + KEY[1:])
    with pytest.raises(KeyUsedElsewhere):
        restored.advance()
    assert on_chain(node, ours.address) == {b"before": 1, b"during": 1, b"after": 1}
