"""What a capsule proves, docs/protocol.md §12: from the bill's leaf to a checkpoint that trusted observers signed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from contracts.wire.capsule import Capsule, CapsuleError, Refusal, Trust, parse_capsule
from contracts.wire.capsule_events import Payment, Story, read_story
from contracts.wire.checkpoint import Checkpoint, CheckpointError, block_blob
from contracts.wire.ids import Address, BillKey, BillState, Hash, Period, SupplierId
from contracts.wire.keccak import keccak
from contracts.wire.leaf import BillBlob, BillKind, LeafError, bill_commit, decode_bill
from contracts.wire.merkle import ProofError, leaf_hash, root_of
from contracts.wire.rlp import RlpError, rlp_list, rlp_string
from contracts.wire.trie import TrieError, trie_value


@dataclass(frozen=True, slots=True)
class ProvenLine:
    """A line of a proven bill, in kopecks."""

    supplier: SupplierId
    charged_kopecks: int
    paid_kopecks: int
    granted_kopecks: int
    netted_kopecks: int
    written_off_kopecks: int
    refunded_kopecks: int

    @property
    def open_kopecks(self) -> int:
        """What nothing in the capsule covers."""
        covered = self.paid_kopecks + self.granted_kopecks + self.netted_kopecks + self.written_off_kopecks
        return self.charged_kopecks - covered


@dataclass(frozen=True, slots=True)
class Verdict:
    """What stands proven. ``state`` is the last that the capsule shows; paid and superseded are for good, while of an
    open or partly paid bill a later capsule may show more. A paid credit note is one that was carried out: what moved
    stands in its original's capsule. ``document`` is None where the capsule keeps it back."""

    key: BillKey
    kind: BillKind
    period: Period
    state: BillState
    lines: tuple[ProvenLine, ...]
    payments: tuple[Payment, ...]
    document: bytes | None
    checkpoint: Checkpoint
    observers: tuple[Address, ...]


@dataclass(frozen=True, slots=True)
class Header:
    """What of a block's header is looked at."""

    number: int
    timestamp: int
    receipts_root: Hash
    hash: Hash

    @classmethod
    def parse(cls, data: bytes) -> Header:
        """From its RLP. Raises RlpError."""
        fields = rlp_list(data)
        if len(fields) < 15:
            raise RlpError(f"a header has 15 fields or more, not {len(fields)}")
        number, timestamp = rlp_string(fields[8]), rlp_string(fields[11])
        root = rlp_string(fields[5])
        if max(len(number), len(timestamp)) > 8 or len(root) != 32:
            raise RlpError("a field of the header has another size")
        return cls(int.from_bytes(number, "big"), int.from_bytes(timestamp, "big"), Hash(root), Hash(keccak(data)))


def verify_capsule(data: bytes, trust: Trust) -> Verdict:
    """Checks a capsule without any other source. Raises CapsuleError."""
    capsule = parse_capsule(data)
    observers = _check_checkpoint(capsule, trust)
    headers = _check_blocks(capsule)
    story = read_story(capsule, trust, headers, _receipts(capsule, headers))
    bill = _check_bill(capsule, story)
    lines = _check_money(bill, story)
    document = None
    if capsule.opening is not None:
        document = capsule.opening.document
        if bill_commit(capsule.opening.bill_id, capsule.opening.salt, document) != bill.commit:
            raise CapsuleError(Refusal.WRONG_DOCUMENT, "the document is not the one that the bill commits to")
    checkpoint = capsule.cosigned.checkpoint
    period = story.proposal.period
    return Verdict(capsule.key, bill.kind, period, story.state, lines, story.payments, document, checkpoint, observers)


def _check_checkpoint(capsule: Capsule, trust: Trust) -> tuple[Address, ...]:
    """Who of the trusted observers signed."""
    point = capsule.cosigned.checkpoint
    if point.chain_id != trust.chain_id:
        raise CapsuleError(Refusal.WRONG_CHAIN, f"the capsule is of chain {point.chain_id}, not {trust.chain_id}")
    if point.settlement != trust.settlement:
        raise CapsuleError(Refusal.WRONG_CONTRACT, f"its Settlement is 0x{point.settlement.hex()}, not the trusted one")
    for cosignature in capsule.cosigned.cosignatures:
        try:
            cosignature.check(point)
        except CheckpointError as error:
            raise CapsuleError(Refusal.BAD_COSIGNATURE, str(error)) from error
    signed = {c.observer for c in capsule.cosigned.cosignatures} & trust.observers
    for missing in sorted(trust.required - signed):
        raise CapsuleError(Refusal.MISSING_COSIGNATURE, f"observer 0x{missing.hex()} must have signed, and has not")
    if len(signed) < trust.quorum:
        raise CapsuleError(
            Refusal.QUORUM_NOT_MET, f"{len(signed)} trusted observers signed, {trust.quorum} are asked for"
        )
    known = trust.known.get(point.height)
    if known is not None and known != point.block:
        detail = f"block {point.height} is known as 0x{known.hex()}, the observers signed 0x{point.block.hex()}"
        raise CapsuleError(Refusal.SPLIT_VIEW, detail + ": keep both, and show them to the regulator")
    if point.height < trust.least_height:
        detail = f"its checkpoint is of height {point.height}, and {trust.least_height} is known already"
        raise CapsuleError(Refusal.ROLLBACK, detail + "; ask for a capsule made anew")
    return tuple(sorted(signed))


def _check_blocks(capsule: Capsule) -> list[Header]:
    point = capsule.cosigned.checkpoint
    headers: list[Header] = []
    for block in capsule.blocks:
        try:
            header = Header.parse(block.header)
            leaf = leaf_hash(block_blob(header.number, header.hash))
            root = root_of(leaf, block.index, block.proof, point.blocks)
        except (RlpError, ProofError) as error:
            raise CapsuleError(Refusal.BAD_BLOCK, f"block {len(headers)} of the capsule: {error}") from error
        if root != point.blocks_root or header.number > point.height:
            raise CapsuleError(Refusal.BAD_BLOCK, f"block {header.number} is not among those of the checkpoint")
        if headers and header.number <= headers[-1].number:
            raise CapsuleError(Refusal.BAD_BLOCK, "the capsule's blocks do not ascend")
        headers.append(header)
    return headers


def _receipts(capsule: Capsule, headers: Sequence[Header]) -> list[bytes]:
    out: list[bytes] = []
    before = (-1, -1)
    for receipt in capsule.receipts:
        place = receipt.block, receipt.index
        if place <= before or receipt.block >= len(headers):
            raise CapsuleError(Refusal.BAD_RECEIPT, "the capsule's receipts do not ascend, or name no block of it")
        before = place
        try:
            out.append(trie_value(headers[receipt.block].receipts_root, receipt.index, receipt.proof))
        except TrieError as error:
            number = headers[receipt.block].number
            raise CapsuleError(Refusal.BAD_RECEIPT, f"block {number}, receipt {receipt.index}: {error}") from error
    if {receipt.block for receipt in capsule.receipts} != set(range(len(headers))):
        raise CapsuleError(Refusal.BAD_RECEIPT, "a block of the capsule is there for nothing")
    return out


def _check_bill(capsule: Capsule, story: Story) -> BillBlob:
    try:
        bill = decode_bill(capsule.blob)
        root = root_of(leaf_hash(capsule.blob), capsule.key.index, capsule.proof, story.proposal.count)
    except (LeafError, ProofError) as error:
        raise CapsuleError(Refusal.WRONG_ROOT, str(error)) from error
    if root != story.proposal.root:
        raise CapsuleError(Refusal.WRONG_ROOT, f"bill {capsule.key} does not stand in the run as it was proposed")
    if not story.is_active:
        raise CapsuleError(Refusal.NOT_ACTIVE, f"the capsule does not show that run {capsule.key.run} was activated")
    return bill


def _check_money(bill: BillBlob, story: Story) -> tuple[ProvenLine, ...]:
    out: list[ProvenLine] = []
    for line in range(max([len(bill.lines), *(at + 1 for at in story.moved)])):
        if line >= len(bill.lines):
            raise CapsuleError(Refusal.BAD_MONEY, f"money moved on line {line}, and the bill has {len(bill.lines)}")
        billed, moved = bill.lines[line], story.moved.get(line)
        if moved is None:
            out.append(ProvenLine(billed.supplier, billed.amount_kopecks, 0, 0, 0, 0, 0))
            continue
        if moved.suppliers - {billed.supplier}:
            raise CapsuleError(
                Refusal.BAD_MONEY, f"line {line} is of supplier {billed.supplier}, and another got money"
            )
        covered = moved.paid + moved.granted + moved.netted + moved.written_off
        if covered > billed.amount_kopecks or moved.refunded > moved.paid + moved.granted + moved.netted:
            raise CapsuleError(Refusal.BAD_MONEY, f"more moved on line {line} than it says")
        out.append(
            ProvenLine(
                billed.supplier,
                billed.amount_kopecks,
                moved.paid,
                moved.granted,
                moved.netted,
                moved.written_off,
                moved.refunded,
            )
        )
    open_kopecks = sum(line.open_kopecks for line in out)
    if story.state is BillState.PAID and bill.kind is not BillKind.CREDIT_NOTE and open_kopecks:
        raise CapsuleError(
            Refusal.BAD_MONEY, f"the bill is paid, and the capsule leaves out where {open_kopecks} kopecks came from"
        )
    return tuple(out)
