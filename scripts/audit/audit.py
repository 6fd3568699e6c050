"""One audit from beginning to end: read the chain, hold the bundle against it, work everything out again."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from contracts.wire import events as chain
from contracts.wire.ids import Address, Hash
from scripts.audit.anchors import Anchors
from scripts.audit.bills import Bills
from scripts.audit.bundle import Bundle
from scripts.audit.case import Case, Moment
from scripts.audit.checkpoints import check_checkpoints
from scripts.audit.finding import CannotAudit, Findings
from scripts.audit.grants import Grants
from scripts.audit.history import History
from scripts.audit.leaves import Files
from scripts.audit.node import Node, SeenBlock, contract_names, decode
from scripts.audit.payments import Payments
from scripts.audit.recompute import Recompute
from scripts.audit.registry import OPERATOR, Registry
from scripts.audit.runs import Runs
from scripts.audit.tokens import Tokens


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

    @property
    def is_sound(self) -> bool:
        """Nothing is wrong with anything that was checked."""
        return len(self.findings) == 0


def audit(bundle: Bundle, node: Node, state: Path | None = None) -> Result:
    """Audits a bundle against a node; ``state`` keeps what was read of the chain for the next time.

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
    with _folder(state) as folder:
        history = History(node, deployment.first_block, f"{manifest.chain_id}/{manifest.settlement}", folder)
        history.read(manifest.height)
        findings, event_blocks = _check(bundle, history)
        check_checkpoints(bundle, node, event_blocks, findings)
    settlement = deployment.addresses["Settlement"]
    return Result(
        manifest.chain_id, settlement, manifest.height, manifest.block_hash, final, history.resumed_from,
        bundle.is_open, findings,
    )  # fmt: skip


@contextmanager
def _folder(state: Path | None) -> Iterator[Path]:
    if state is not None:
        yield state
        return
    with tempfile.TemporaryDirectory(prefix="kopeck-audit-") as folder:
        yield Path(folder)


def _check(bundle: Bundle, history: History) -> tuple[Findings, list[tuple[int, Hash]]]:
    findings = Findings()
    checks = Checks(bundle, findings, _roles_and_roots(bundle, history))
    for block in history.blocks(bundle.manifest.height):
        checks.take(block)
    checks.end()
    return findings, checks.event_blocks


def _roles_and_roots(bundle: Bundle, history: History) -> tuple[set[Address], dict[Hash, str]]:
    """Who ever held the operator's role, and every root on the chain with the file it names."""
    operators: set[Address] = set()
    roots: dict[Hash, str] = {}
    names = contract_names(bundle.deployment)
    for block in history.blocks(bundle.manifest.height):
        for transaction in block.transactions:
            for event in decode(transaction, names):
                if isinstance(event, chain.RoleGranted) and event.role_id == OPERATOR:
                    operators.add(event.account)
                elif isinstance(event, chain.Anchored):
                    roots[event.root] = f"readings/0x{event.root.hex()}.jsonl"
                elif isinstance(event, chain.RunProposed):
                    roots[event.proposal.root] = f"bills/0x{event.proposal.root.hex()}.jsonl"
                    roots |= {row.root: f"lines/0x{row.root.hex()}.jsonl" for row in event.proposal.suppliers}
                elif isinstance(event, chain.GrantsPosted):
                    roots[event.root] = f"grants/0x{event.root.hex()}.jsonl"
    return operators, roots


class Checks:
    """Every check, fed transaction by transaction."""

    def __init__(self, bundle: Bundle, findings: Findings, known: tuple[set[Address], dict[Hash, str]]) -> None:
        operators, roots = known
        self._case = Case(bundle.deployment, Files(bundle, findings, operators, roots), findings)
        self._names = contract_names(bundle.deployment)
        self.event_blocks: list[tuple[int, Hash]] = []
        """Number and hash of each block with an event of ours, as checkpoints count them."""
        self._registry = Registry(self._case)
        self._anchors = Anchors(self._case, self._registry)
        self._runs = Runs(self._case, self._anchors)
        self._grants = Grants(self._case)
        self._bills = Bills(self._case, self._runs)
        self._tokens = Tokens(self._case)
        self._payments = Payments(
            self._case, self._registry, self._runs, self._grants, self._bills, self._tokens
        )  # fmt: skip

    def take(self, block: SeenBlock) -> None:
        """The next block."""
        self._case.findings.count("blocks with events")
        for transaction in block.transactions:
            at = Moment(block.number, block.timestamp, transaction)
            events = decode(transaction, self._names)
            if events and (not self.event_blocks or self.event_blocks[-1][0] != block.number):
                self.event_blocks.append((block.number, block.hash))
            self._case.findings.count("events", len(events))
            for event in events:
                self._event(event, at)
            self._end_transaction(at)

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

    def end(self) -> None:
        """What can be said once everything was seen."""
        self._tokens.end()
        Recompute(self._case, self._runs, self._anchors).run()
