"""Two ways of reading a chain's history, each run as a process of its own, so that its peak of memory is its own
(with that of the process that reads ahead for it).

    python -m scripts.bench.reading ledger|web3 URL HOME [DATABASE]

Its last line says events, seconds, the peak in megabytes and the ledger's digest, as JSON.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

from eth_typing import BlockNumber

from contracts.client import abi
from contracts.client.deployments import Deployment
from contracts.client.reader import Reader
from contracts.client.rpc import Rpc
from contracts.wire.events import event_layouts
from contracts.wire.ids import address_text
from ledger.digest import digest
from ledger.follow import Follower
from ledger.fsck import check_against_chain
from ledger.store import open_database
from scripts.chain import ROOT

RPC_S = 60
_WEB3_BLOCKS = 20


class WrongLedger(AssertionError):
    """What was read is not what the chain holds."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What one way of reading did; ``digest`` is the ledger's, empty where none was filled."""

    events: int
    seconds: float
    peak_mb: float
    digest: str = ""

    @property
    def per_s(self) -> float:
        """Events a second."""
        return self.events / self.seconds


def read_apart(*arguments: str) -> Reading:
    """Runs this module, and gives what it printed. Raises WrongLedger with its last words where it failed."""
    argv = [sys.executable, "-m", "scripts.bench.reading", *arguments]
    done = subprocess.run(argv, check=False, capture_output=True, text=True, cwd=ROOT)
    if done.returncode:
        raise WrongLedger(f"{' '.join(argv)} failed:\n{done.stderr[-2000:]}")
    return Reading(**json.loads(done.stdout.splitlines()[-1]))


def index(url: str, home: Path, database: str) -> Reading:
    """Fills a fresh ledger to the head, and holds it against the contracts."""
    reader = Reader(Rpc(url, RPC_S), Deployment.load(home / "deployment.json"))
    engine = open_database(database)
    follower = Follower(engine, reader, reader.deployment.first_block, reads_ahead=True)
    events, beside_mb, started = 0, 0.0, time.perf_counter()
    while True:
        step = follower.step()
        events += step.events
        beside_mb = max(beside_mb, sum(map(_peak_mb, _children())))
        if step.is_caught_up:
            break
    seconds = time.perf_counter() - started
    peak_mb = _peak_mb() + beside_mb
    wrong = check_against_chain(engine, reader)
    if wrong:
        raise WrongLedger(f"the ledger of {events} events differs from the contracts: {wrong[0]}")
    with engine.connect() as connection:
        return Reading(events, seconds, peak_mb, digest(connection).hex())


def read_with_web3(url: str, home: Path) -> Reading:
    """The same events by web3.py: logs fetched by ``get_logs``, put together by transaction as receipts have them, and
    read by ``process_receipt`` of each event that stands in them; kept nowhere."""
    from web3 import Web3  # not at the top: its memory is no part of the other way of reading
    from web3.logs import DISCARD

    deployment = Deployment.load(home / "deployment.json")
    node = Web3(Web3.HTTPProvider(url, request_kwargs={"timeout": RPC_S}))
    readers = {}
    for topic, (event, name, _) in event_layouts().items():
        address = Web3.to_checksum_address(address_text(deployment.addresses[name]))
        contract = node.eth.contract(address=address, abi=abi.artifact(name)["abi"])
        readers[address, topic] = getattr(contract.events, event.__name__)().process_receipt
    addresses = sorted({address for address, _ in readers})
    events, started = 0, time.perf_counter()
    head = node.eth.block_number
    for first in range(deployment.first_block, head + 1, _WEB3_BLOCKS):
        last = BlockNumber(min(first + _WEB3_BLOCKS - 1, head))
        logs = node.eth.get_logs({"fromBlock": BlockNumber(first), "toBlock": last, "address": addresses})
        for _, of_transaction in groupby(logs, itemgetter("transactionHash")):
            receipt: Any = {"logs": list(of_transaction)}
            for place in {(log["address"], log["topics"][0].to_0x_hex()) for log in receipt["logs"]} & readers.keys():
                events += len(readers[place](receipt, DISCARD))
    return Reading(events, time.perf_counter() - started, _peak_mb())


def _children() -> Iterator[str]:
    for tasks in Path("/proc/self/task").glob("*/children"):
        yield from tasks.read_text().split()


def _peak_mb(process: str = "self") -> float:
    """The kernel's own high-water mark of a process."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:"))


if __name__ == "__main__":
    _way, _url, _home, *_database = sys.argv[1:]
    _found = index(_url, Path(_home), *_database) if _way == "ledger" else read_with_web3(_url, Path(_home))
    sys.stdout.write(json.dumps(asdict(_found)) + "\n")
