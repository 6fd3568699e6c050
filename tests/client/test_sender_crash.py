"""A sender killed with SIGKILL at each numbered step, and restarted: every intent is on the chain exactly once.

A step is any moment at which something outside the process changes or is asked: just before a commit, just before
a request to the node, just after the node's answer.
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from pathlib import Path

import pytest
from sqlalchemy import event

from contracts.client.rpc import Rpc
from contracts.client.sender import Sender
from contracts.wire.ids import Address
from tests.client.chain import CHAIN_ID, Node
from tests.client.conftest import open_engine

KEY = b"\x77" * 32
TARGET = Address(b"\x42" * 20)
INTENTS = 3


class Steps:
    """Counts steps, and kills this process at one of them."""

    def __init__(self, kill_at: int | None) -> None:
        self.count = 0
        self._kill_at = kill_at

    def __call__(self, *_: object) -> None:
        self.count += 1
        if self.count == self._kill_at:
            os.kill(os.getpid(), signal.SIGKILL)


def run(path: Path, url: str, name: str, kill_at: int | None) -> int:
    """Submits the intents of ``name`` and waits for all of them; returns how many steps it took."""
    steps = Steps(kill_at)
    engine = open_engine(path)
    event.listen(engine, "commit", steps)
    rpc = Rpc(url)
    rpc._http.event_hooks = {"request": [steps], "response": [steps]}
    sender = Sender(engine, rpc, CHAIN_ID, KEY)
    for number in range(INTENTS):
        sender.submit(f"{name}-{number}", TARGET, f"{name}-{number}".encode(), gas=60_000)
    for number in range(INTENTS):
        sender.wait(f"{name}-{number}", timeout_s=20)
    return steps.count


def killed_child(path: Path, url: str, name: str, kill_at: int) -> bool:
    """Runs in a child that is killed at a step; False where it ended before."""
    child = os.fork()
    if child == 0:
        try:
            run(path, url, name, kill_at)
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL


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
        was_killed = killed_child(path, node.url, name, kill_at)
        run(path, node.url, name, None)
        killed += was_killed
        if not was_killed:
            break
    assert killed >= 12, "a run has at least as many steps: claim, submit, sign, send, receipts"
    address = "0x" + Sender(open_engine(path), node.rpc, CHAIN_ID, KEY).address.hex()
    expected = {f"{name}-{number}".encode(): 1 for name in names for number in range(INTENTS)}
    assert sent_data(node, address) == expected
