"""What the chain names: files to be read, who may erase, and where in the history which blocks lie."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from contracts.client.deployments import Deployment
from contracts.wire import events as chain
from contracts.wire.events import event_layouts
from contracts.wire.ids import Address, Hash
from scripts.audit.case import Moment
from scripts.audit.history import History
from scripts.audit.leaves import NamedFile
from scripts.audit.node import contract_names, decode
from scripts.audit.registry import OPERATOR

_WANTED = (chain.RoleGranted, chain.Anchored, chain.RunProposed, chain.GrantsPosted)
_RANGE_BYTES = 8_000_000


@dataclass(frozen=True, slots=True)
class NamedRun:
    """A run as it was proposed: the file of its bills, and the one of each supplier's lines."""

    event: chain.RunProposed
    bills: NamedFile
    lines: tuple[NamedFile, ...]


@dataclass
class Index:
    """Read off the history before any check."""

    operators: set[Address] = field(default_factory=set)
    """Who ever held the operator's role."""
    roots: dict[Hash, str] = field(default_factory=dict)
    """Every root on the chain with the path of its file."""
    readings: list[NamedFile] = field(default_factory=list)
    runs: list[NamedRun] = field(default_factory=list)
    ranges: list[tuple[int, int]] = field(default_factory=list)
    """Stretches of the history, in bytes from and to: together they are all of it."""


def index_of(history: History, height: int, deployment: Deployment) -> Index:
    """Goes through the history once, and decodes only blocks that hold what is looked for."""
    found, names = Index(), contract_names(deployment)
    topics = [topic.encode() for topic, (event, _, _) in event_layouts().items() if event in _WANTED]
    start = end = 0
    for start_of_line, line in history.lines(height):
        if start_of_line - start >= _RANGE_BYTES:
            found.ranges.append((start, start_of_line))
            start = start_of_line
        end = start_of_line + len(line)
        if any(topic in line for topic in topics):
            _take(found, line, names)
    if end > start:
        found.ranges.append((start, end))
    return found


def _take(found: Index, line: bytes, names: Mapping[str, str]) -> None:
    block = History.block_of(line)
    for transaction in block.transactions:
        at = Moment(block.number, block.timestamp, transaction)
        for event in decode(transaction, names, _WANTED):
            if isinstance(event, chain.RoleGranted) and event.role_id == OPERATOR:
                found.operators.add(event.account)
            elif isinstance(event, chain.Anchored):
                found.readings.append(NamedFile("readings", event.root, event.count, at.place(event)))
                found.roots[event.root] = found.readings[-1].path
            elif isinstance(event, chain.RunProposed):
                found.runs.append(_run(event, at))
                found.roots |= {named.name: named.path for named in (found.runs[-1].bills, *found.runs[-1].lines)}
            elif isinstance(event, chain.GrantsPosted):
                found.roots[event.root] = f"grants/0x{event.root.hex()}.jsonl"


def _run(event: chain.RunProposed, at: Moment) -> NamedRun:
    proposal, place = event.proposal, at.place(event)
    return NamedRun(
        event,
        NamedFile("bills", proposal.root, proposal.count, place),
        tuple(NamedFile("lines", claim.root, claim.lines, place) for claim in proposal.suppliers),
    )
