"""A real Anvil for the tests of this folder, on a port of its own."""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from contracts.client.rpc import NodeUnreachable, Rpc
from scripts.chain import anvil_binary
from scripts.processes import free_port

CHAIN_ID = 31337


@dataclass
class Node:
    """A running Anvil."""

    url: str
    rpc: Rpc
    process: subprocess.Popen[bytes]

    def mine(self, blocks: int = 1) -> None:
        """Mines blocks at once."""
        self.rpc.call("anvil_mine", hex(blocks))


@contextmanager
def anvil(*flags: str, block_time_s: float | None = None, port: int | None = None) -> Iterator[Node]:
    """An Anvil with free gas; with no block time it mines when it is told to."""
    port = port or free_port()
    pace: Sequence[str] = ("--no-mining",) if block_time_s is None else ("--block-time", str(block_time_s))
    argv = [str(anvil_binary()), "--port", str(port), "--silent", "--chain-id", str(CHAIN_ID), *pace]
    argv += ["--slots-in-an-epoch", "6", "--gas-price", "0", "--block-base-fee-per-gas", "0"]
    argv += ["--disable-min-priority-fee", "--timestamp", "1767225600", *flags]
    # Killed, it would leave the states of every block in the home of whoever runs the tests: gigabytes a run.
    with tempfile.TemporaryDirectory(prefix="kopeck-anvil-", ignore_cleanup_errors=True) as states:
        argv += ["--cache-path", states]
        process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            rpc = Rpc(f"http://127.0.0.1:{port}")
            _wait_until_it_answers(rpc)
            yield Node(rpc.url, rpc, process)
            rpc.close()
        finally:
            process.kill()
            process.wait()


def _wait_until_it_answers(rpc: Rpc) -> None:
    for _ in range(200):
        try:
            rpc.call("eth_chainId")
            return
        except NodeUnreachable:
            time.sleep(0.05)
    raise TimeoutError("anvil did not start")
