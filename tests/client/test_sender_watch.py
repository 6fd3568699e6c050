"""The sender before a node that answers at two heights: no alarm without cause, and none missed."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from contracts.client.rpc import NodeBehind, Rpc
from contracts.client.sender import KeyUsedElsewhere, Sender
from contracts.wire.ids import Address
from tests.client.chain import CHAIN_ID, Node, anvil
from tests.client.conftest import open_engine
from tests.client.two_heights import Height, TwoHeights

TARGET = Address(b"\x42" * 20)
SEEDS = range(12)
ROUNDS = 40


@pytest.fixture(scope="module")
def manual() -> Iterator[Node]:
    with anvil() as running:
        yield running


def key_of(kind: int, seed: int) -> bytes:
    return bytes([kind, seed + 1]) * 16


def submit(to: Sender, name: str) -> None:
    to.submit(name, TARGET, name.encode(), 60_000)


def carried_out(node: Node, address: Address) -> Counter[bytes]:
    head = int(node.rpc.call("eth_blockNumber"), 16)
    blocks = node.rpc.batch([("eth_getBlockByNumber", [hex(number), True]) for number in range(head + 1)])
    own = [tx for block in blocks for tx in block["transactions"] if tx["from"] == "0x" + address.hex()]
    return Counter(bytes.fromhex(tx["input"][2:]) for tx in own)


def advance_often(sender: Sender) -> None:
    for _ in range(ROUNDS):
        sender.advance()


@pytest.mark.parametrize("seed", SEEDS)
def test_two_heights_of_one_node_are_no_alarm(manual: Node, tmp_path: Path, seed: int) -> None:
    draw = random.Random(seed)
    node = TwoHeights(manual.url, draw)
    ours = Sender(open_engine(tmp_path / "ours.db"), node, CHAIN_ID, key_of(1, seed))
    names: list[str] = []
    for _ in range(ROUNDS):
        if draw.random() < 0.4:
            names.append(f"{seed}-{len(names)}")
            submit(ours, names[-1])
        if draw.random() < 0.5:
            manual.mine()
        with suppress(NodeBehind):
            ours.advance()
    assert node.seen == set(Height)
    node.is_steady = True
    ours.advance()
    manual.mine()
    ours.advance()
    assert all(ours.outcome(name) is not None for name in names)
    assert carried_out(manual, ours.address) == {name.encode(): 1 for name in names}


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("blocks_after", [0, 2])
def test_a_nonce_that_another_used_is_told_at_whichever_height(
    manual: Node, tmp_path: Path, seed: int, blocks_after: int
) -> None:
    node = TwoHeights(manual.url, random.Random(seed))
    key = key_of(2 + blocks_after, seed)
    ours = Sender(open_engine(tmp_path / "ours.db"), node, CHAIN_ID, key)
    theirs = Sender(open_engine(tmp_path / "theirs.db"), Rpc(manual.url), CHAIN_ID, key)
    for each in (ours, theirs):
        each.advance()
        submit(each, "ours" if each is ours else "theirs")
    theirs.advance()
    ours.advance()  # signed for the same nonce; the node has theirs already
    manual.mine(1 + blocks_after)
    with pytest.raises(KeyUsedElsewhere) as caught:
        advance_often(ours)
    assert (caught.value.address, caught.value.nonce) == (ours.address, 0)
    assert carried_out(manual, ours.address) == {b"theirs": 1}
