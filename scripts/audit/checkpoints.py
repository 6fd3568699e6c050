"""Cosigned checkpoints of the bundle against the node: what observers said together is what this node says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from contracts.wire.capsule import parse_cosigned
from contracts.wire.checkpoint import CheckpointError, Cosigned, block_blob
from contracts.wire.ids import Address, Hash
from contracts.wire.merkle import leaf_hashes, root_of_leaves
from scripts.audit.bundle import CHECKPOINTS, Bundle
from scripts.audit.finding import Finding, Findings, Place
from scripts.audit.node import Node, show

_EVIDENCE = (
    "Keep the checkpoint and what this node said: together they are evidence. Ask the observers and the other nodes "
    "for the hash of this block, and raise the alarm"
)
_ASK = (
    "Ask the observers that are missing whether they signed this height, or what they saw there: one that saw another "
    "block is the alarm that checkpoints are for"
)
_AGAIN = "Fetch the checkpoint from another who keeps it, and ask who changed this one"


@dataclass(frozen=True, slots=True)
class Quorum:
    """Observers whom the auditor trusts, and how many of them must have signed each checkpoint."""

    observers: frozenset[Address]
    number: int

    def __post_init__(self) -> None:
        if not 1 <= self.number <= len(self.observers):
            raise ValueError(
                f"a quorum of {self.number} among {len(self.observers)} observers can't be met, or is none"
            )


def check_checkpoints(
    bundle: Bundle, node: Node, event_blocks: Sequence[tuple[int, Hash]], findings: Findings, quorum: Quorum | None
) -> None:
    """Holds each checkpoint up to the bundle's height against the node; ``event_blocks`` are (number, hash) of the
    blocks with an event, ascending. With a ``quorum`` there must be a checkpoint, and each must be signed by as many.
    Raises CannotAudit where the node does not answer."""
    folder = bundle.folder / CHECKPOINTS
    paths = sorted(folder.glob("0x*.json")) if folder.is_dir() else []
    if quorum is not None and not paths:
        due = f"a checkpoint cosigned by {quorum.number} of {len(quorum.observers)} trusted observers"
        _tell(findings, "checkpoint-missing", f"{CHECKPOINTS}/", due, "none", _ASK, None, "")
    for path in paths:
        record = f"{CHECKPOINTS}/{path.name}"
        found = _read(path, record, findings)
        if found is None:
            continue
        findings.count("checkpoints")
        findings.count("cosignatures", len(found.cosignatures))
        if quorum is not None:
            _check_quorum(found, quorum, record, findings)
        expected, told = _said(found), _of_node(found, bundle, node, event_blocks)
        for name, value in expected.items():
            if name in told and told[name] != value:
                signers = ", ".join(show(cosignature.observer) for cosignature in found.cosignatures)
                _tell(findings, "split-view", f"{name} in {record}", value, told[name], _EVIDENCE, found, signers)
                break


def _read(path: Path, record: str, findings: Findings) -> Cosigned | None:
    try:
        found = parse_cosigned(path.read_bytes())
        for cosignature in found.cosignatures:
            cosignature.check(found.checkpoint)
        if path.stem != "0x" + found.checkpoint.name.hex():
            raise CheckpointError(f"it holds checkpoint 0x{found.checkpoint.name.hex()}")
    except CheckpointError as error:
        expected = "a checkpoint under its name with its observers' signatures"
        _tell(findings, "checkpoint-altered", record, expected, str(error), _AGAIN, None, "")
        return None
    return found


def _check_quorum(found: Cosigned, quorum: Quorum, record: str, findings: Findings) -> None:
    signed = quorum.observers & {cosignature.observer for cosignature in found.cosignatures}
    findings.count("checkpoints held against the quorum")
    if len(signed) < quorum.number:
        missing = ", ".join(sorted(show(observer) for observer in quorum.observers - signed))
        expected = f"cosignatures of {quorum.number} of {len(quorum.observers)} trusted observers"
        what = f"{len(signed)}; missing: {missing}"
        signers = ", ".join(show(cosignature.observer) for cosignature in found.cosignatures)
        _tell(findings, "quorum-not-met", f"cosignatures in {record}", expected, what, _ASK, found, signers)


def _said(found: Cosigned) -> dict[str, str]:
    point = found.checkpoint
    return {
        "chain": str(point.chain_id),
        "settlement": show(point.settlement),
        "block": f"0x{point.block.hex()} at height {point.height}",
        "blocks": f"{point.blocks} of root 0x{point.blocks_root.hex()}",
    }


def _of_node(found: Cosigned, bundle: Bundle, node: Node, event_blocks: Sequence[tuple[int, Hash]]) -> dict[str, str]:
    point = found.checkpoint
    out = {"chain": str(bundle.deployment.chain_id), "settlement": show(bundle.deployment.addresses["Settlement"])}
    if point.height > bundle.manifest.height:
        return out  # later than the bundle: there is nothing yet to hold it against
    out["block"] = f"0x{node.hash_at(point.height).hex()} at height {point.height}"
    until = [block for block in event_blocks if block[0] <= point.height]
    root = root_of_leaves(leaf_hashes(block_blob(*block) for block in until)) if until else bytes(32)
    out["blocks"] = f"{len(until)} of root 0x{root.hex()}"
    return out


def _tell(  # noqa: PLR0917  one finding's own words
    findings: Findings,
    slug: str,
    record: str,
    expected: str,
    found: str,
    remedy: str,
    what: Cosigned | None,
    signers: str,
) -> None:
    place = Place() if what is None else Place(what.checkpoint.height, 1 << 40)
    evidence = {"observers": signers} if signers else {}
    findings.add(Finding("checkpoints", slug, record, expected, found, remedy, place, 6, evidence))
