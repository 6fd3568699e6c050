"""A sender killed with SIGKILL at each numbered step, and restarted: every intent is on the chain exactly once."""

from __future__ import annotations

from collections import Counter
from functools import partial
from pathlib import Path

import pytest

from contracts.client.rpc import Rpc
from contracts.client.sender import Sender
from contracts.wire.ids import Address
from scripts.bench.killing import Steps, lead
from tests.client.chain import CHAIN_ID, Node
from tests.client.conftest import open_engine

KEY = b"\x77" * 32
TARGET = Address(b"\x42" * 20)
INTENTS = 3


def send(path: Path, url: str, name: str, _steps: Steps) -> None:
    """Submits the intents of ``name`` and waits for all of them."""
    sender = Sender(open_engine(path), Rpc(url), CHAIN_ID, KEY)
    for number in range(INTENTS):
        sender.submit(f"{name}-{number}", TARGET, f"{name}-{number}".encode(), gas=60_000)
    for number in range(INTENTS):
        sender.wait(f"{name}-{number}", timeout_s=20)


def sent_data(node: Node, sender: str) -> Counter[bytes]:
    """How often each call data stands on the chain."""
    head = int(node.rpc.call("eth_blockNumber"), 16)
    blocks = node.rpc.batch([("eth_getBlockByNumber", [hex(number), True]) for number in range(head + 1)])
    return Counter(
        bytes.fromhex(tx["input"][2:]) for block in blocks for tx in block["transactions"] if tx["from"] == sender
    )


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_killed_at_each_step_and_restarted_every_intent_is_carried_out_once(node: Node, tmp_path: Path) -> None:
    path = tmp_path / "sender.db"
    killed = 0
    names = []
    for kill_at in range(1, 200):
        name = f"kill-{kill_at}"
        names.append(name)
        life = partial(send, path, node.url, name)
        was_killed = lead(life, kill_at).was_killed
        lead(life)
        killed += was_killed
        if not was_killed:
            break
    assert killed >= 12, "a run has at least as many steps: claim, submit, sign, send, receipts"
    address = "0x" + Sender(open_engine(path), node.rpc, CHAIN_ID, KEY).address.hex()
    expected = {f"{name}-{number}".encode(): 1 for name in names for number in range(INTENTS)}
    assert sent_data(node, address) == expected
