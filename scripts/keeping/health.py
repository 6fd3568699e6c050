"""What a machine or its chain can be short of, told apart and named, each with what to do: disk, clock, chain, node.

Billing decides by the chain's time alone; the machine's clock matters to logins, tokens and intake. An hour off is a
fault by itself, as is a chain whose last block is old: the two look alike, and one question to the system that sets
the clock tells them apart.
"""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import ledger.store
from contracts.client.attach import check_node
from contracts.client.deployments import Deployment, NotDeployed, WrongChain
from contracts.client.rpc import NodeError, Rpc
from scripts.keeping.senders import Senders

LEAST_FREE_BYTES = 2 << 30
MOST_SKEW_S = 60
"""How far the last block may be from the machine's clock: blocks come every second or few."""
MOST_LAG_BLOCKS = 300
"""How far the ledger may be behind the node before somebody should look."""


class Kind(StrEnum):
    """A fault's name; runbooks are by these."""

    DISK = "disk-full"
    CLOCK = "clock-off"
    STALLED = "chain-stalled"
    NODE = "node-away"
    OTHER_CHAIN = "other-chain"
    BOOKS = "books-behind"
    LEDGER = "ledger-behind"


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong, in words that say what to do."""

    kind: Kind
    told: str


def look(home: Path, rpc: Rpc, deployment: Deployment, senders: Senders) -> list[Fault]:
    """Every fault there is. An empty list is all well: every look was taken."""
    faults = list(disk_faults(home))
    try:
        check_node(rpc, deployment)
        faults += clock_faults(last_block_time(rpc))
        faults += ledger_faults(home, rpc)
        for sender in senders.standings():
            if sender.standing.unknown:
                faults.append(Fault(Kind.BOOKS, f"{sender.party}: {sender.told}"))
    except (WrongChain, NotDeployed) as error:
        faults.append(Fault(Kind.OTHER_CHAIN, str(error)))
    except NodeError as error:
        faults.append(Fault(Kind.NODE, f"{error}; start it, or point --rpc to another node of the network"))
    return faults


def disk_faults(home: Path, least_bytes: int = LEAST_FREE_BYTES) -> Iterator[Fault]:
    """Whether the disk under the home has little left. A service on a full disk stops, and loses nothing."""
    free = shutil.disk_usage(home).free
    if free < least_bytes:
        yield Fault(
            Kind.DISK,
            f"{free >> 20} MiB are free under {home}, and {least_bytes >> 20} are the least; make room (old "
            "replaced/ and logs/ first), then start the services again: they go on from where they stood",
        )


def clock_faults(
    block_time: int, now: Callable[[], float] = time.time, is_synchronised: Callable[[], bool | None] | None = None
) -> Iterator[Fault]:
    """Whether the machine's clock and the last block's time are apart, and which of the two is at fault.

    A block from the future shows the clock to be behind: validators take none that is ahead of theirs. An old block is
    a stalled chain where the system says that its clock is set by time servers, else it may be either.
    """
    apart = now() - block_time
    if abs(apart) <= MOST_SKEW_S:
        return
    if apart < 0:
        yield Fault(
            Kind.CLOCK,
            f"this machine's clock is {-apart:.0f} s behind the chain's last block; set it by time servers "
            "(`timedatectl set-ntp true`), then start the services again",
        )
        return
    synchronised = (is_synchronised or _is_synchronised)()
    if synchronised:
        yield Fault(Kind.STALLED, f"the last block is {apart:.0f} s old and this clock is set by time servers: the "
                    "chain makes no blocks; see that more than two thirds of the validators run")  # fmt: skip
    else:
        yield Fault(
            Kind.CLOCK,
            f"the last block is {apart:.0f} s old by a clock that no time server sets: the clock is ahead, or the "
            "chain stands; run `timedatectl set-ntp true` first, then look again",
        )


def ledger_faults(home: Path, rpc: Rpc) -> Iterator[Fault]:
    """Whether the ledger is far behind its node, as after a restore; it catches up by itself."""
    with ledger.store.open_database(ledger.store.database_url(home)).connect() as connection:
        position = ledger.store.read_position(connection)
    head = int(rpc.call("eth_blockNumber"), 16)
    behind = head - (position.number if position else 0)
    if behind > MOST_LAG_BLOCKS:
        yield Fault(
            Kind.LEDGER,
            f"the ledger is {behind} blocks behind the node: it catches up by itself while ledger.main runs; where the "
            "number does not fall, read that process's log",
        )


def last_block_time(rpc: Rpc) -> int:
    """Seconds UTC. Raises NodeError."""
    return int(rpc.call("eth_getBlockByNumber", "latest", False)["timestamp"], 16)


def _is_synchronised() -> bool | None:
    """Whether systemd says that a time server sets the clock; None where nobody can say."""
    try:
        found = subprocess.run(
            ["timedatectl", "show", "--property=NTPSynchronized", "--value"],
            capture_output=True,
            text=True,
            check=True,
            timeout=5,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return found.stdout.strip() == "yes"
