"""One audit from beginning to end: read the chain, hold the bundle against it, work everything out again."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contracts.client.cycles import uncollected
from contracts.wire import events as chain
from contracts.wire.ids import Address, Hash
from scripts.audit.anchors import Anchors
from scripts.audit.bills import Bills
from scripts.audit.bundle import Bundle
from scripts.audit.case import Case, Moment
from scripts.audit.checkpoints import Quorum, check_checkpoints
from scripts.audit.crew import Crew, usual_size
from scripts.audit.finding import CannotAudit, Findings
from scripts.audit.gather import Gathered, gather
from scripts.audit.grants import Grants
from scripts.audit.history import History
from scripts.audit.index import index_of
from scripts.audit.leaves import Files
from scripts.audit.node import Node, SeenBlock, contract_names, decode_one
from scripts.audit.payments import Payments
from scripts.audit.recompute import Recompute
from scripts.audit.registry import Registry
from scripts.audit.runs import Runs
from scripts.audit.tokens import Tokens
from scripts.audit.will import ShownRun, Will, Willed, hold_together


@dataclass(frozen=True, slots=True)
class Result:
    """What an audit came to. ``height`` is the bundle's block, up to which everything was checked."""

    chain_id: int
    settlement: Address
    height: int
    block_hash: Hash
    final_height: int
    resumed_from: int | None
    is_open: bool
    findings: Findings
    anew: str | None
    """Why history was read anew although a state was kept."""
    has_quorum: bool
    """Whether checkpoints were held against a quorum of trusted observers."""

    @property
    def is_sound(self) -> bool:
        """Nothing is wrong with anything that was checked."""
        return len(self.findings) == 0


def audit(
    bundle: Bundle, node: Node, state: Path | None = None, processes: int | None = None, quorum: Quorum | None = None
) -> Result:
    """Audits a bundle against a node; ``state`` keeps what was read of the chain for the next time. ``processes`` is
    how many share the work; by itself one a core, and one for a small town. ``quorum`` is of the observers that the
    auditor trusts.

    Raises CannotAudit where there is nothing to audit by: a bundle of another network, a node that is away, behind,
    pruned, of another chain, or lies.
    """
    node.check_deployment()
    manifest, deployment = bundle.manifest, bundle.deployment
    final, _ = node.finalized()
    if final < manifest.height:
        raise CannotAudit(
            "node-behind", f"the bundle is of block {manifest.height}, the node's last final block is {final}",
            "Wait until the node has caught up, or point to another",
        )  # fmt: skip
    found = node.hash_at(manifest.height)
    if found != manifest.block_hash:
        raise CannotAudit(
            "history-differs",
            f"block {manifest.height} is 0x{manifest.block_hash.hex()} in the bundle and 0x{found.hex()} on the node",
            "One of the two tells another history: ask the other nodes for the hash of this block and hold it against "
            "a cosigned checkpoint, and raise the alarm with both hashes",
        )
    with _folder(state) as folder, uncollected():
        history = History(node, deployment.first_block, f"{manifest.chain_id}/{manifest.settlement}", folder)
        history.read(manifest.height)
        size = usual_size(bundle.manifest.size) if processes is None else processes
        findings, event_blocks = _check(bundle, history, Crew(size))
        check_checkpoints(bundle, node, event_blocks, findings, quorum)
    settlement = deployment.addresses["Settlement"]
    return Result(
        manifest.chain_id, settlement, manifest.height, manifest.block_hash, final, history.resumed_from,
        bundle.is_open, findings, history.anew, quorum is not None,
    )  # fmt: skip


@contextmanager
def _folder(state: Path | None) -> Iterator[Path]:
    if state is not None:
        yield state
        return
    with tempfile.TemporaryDirectory(prefix="kopeck-audit-") as folder:
        yield Path(folder)


def _check(bundle: Bundle, history: History, crew: Crew) -> tuple[Findings, list[tuple[int, Hash]]]:
    findings, deployment = Findings(), bundle.deployment
    index = index_of(history, bundle.manifest.height, deployment)
    files = Files(bundle, findings, index.operators, index.roots)
    gathered = gather(files, index, crew)
    names = contract_names(deployment)
    runs = {
        int(run.event.run): ShownRun(run.event.proposal, run.bills, gathered.runs[run.bills]) for run in index.runs
    }  # fmt: skip

    def willed(stretch: tuple[int, int]) -> Willed:
        will = Will(deployment, names, runs)
        for block in history.blocks(*stretch):
            for transaction in block.transactions:
                will.take(Moment(block.number, block.timestamp, transaction))
        return will.found

    checks = Checks(Case(deployment, files, findings), gathered)
    with crew.at(willed, index.ranges) as running:
        for stretch in index.ranges:
            for block in history.blocks(*stretch):
                checks.take(block)
        hold_together(findings, list(running.results()))
    checks.end(crew)
    return findings, checks.event_blocks


class Checks:
    """Every check, fed transaction by transaction."""

    def __init__(self, case: Case, gathered: Gathered) -> None:
        self._case = case
        self._names = contract_names(case.deployment)
        self.event_blocks: list[tuple[int, Hash]] = []
        """Number and hash of each block with an event of ours, as checkpoints count them."""
        self._registry = Registry(case)
        self._anchors = Anchors(case, self._registry, gathered.batches)
        self._runs = Runs(case, self._anchors, gathered.runs)
        self._grants = Grants(case)
        self._bills = Bills(case, self._runs)
        self._tokens = Tokens(case)
        self._payments = Payments(case, self._registry, self._grants, self._bills, self._tokens)

    def take(self, block: SeenBlock) -> None:
        """The next block."""
        self._case.findings.count("blocks with events")
        for transaction in block.transactions:
            at = Moment(block.number, block.timestamp, transaction)
            number = sum([self._log(raw, at) for raw in transaction.logs])
            if number and (not self.event_blocks or self.event_blocks[-1][0] != block.number):
                self.event_blocks.append((block.number, block.hash))
            self._case.findings.count("events", number)
            self._end_transaction(at)

    def _log(self, raw: Mapping[str, Any], at: Moment) -> bool:
        """The next log; whether it is an event of ours."""
        if self._payments.take_plain(raw):
            return True
        event = decode_one(raw, self._names)
        if event is not None:
            self._event(event, at)
        return event is not None

    def _event(self, event: chain.Event, at: Moment) -> None:
        contract = event.log.contract
        if contract == "Settlement":
            self._payments.take(event, at)
        elif contract == "Rouble":
            self._tokens.take(event)
        elif contract in ("ChargeBook", "TariffBook"):
            self._runs.take(event, at)
        elif contract == "ReadingAnchor":
            self._anchors.take(event, at)
        elif contract == "SubsidyBook":
            self._grants.take(event, at)
        elif contract in ("Registry", "AccessManager"):
            self._registry.take(event, at)

    def _end_transaction(self, at: Moment) -> None:
        self._payments.end_transaction(at)
        self._bills.end_transaction(at)
        self._grants.end_transaction(at)
        self._runs.end_transaction(at)
        self._tokens.end_transaction(at)

    def end(self, crew: Crew) -> None:
        """What can be said once everything was seen."""
        self._tokens.end()
        Recompute(self._case, self._runs, self._anchors).run(crew)
