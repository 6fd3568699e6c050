"""The capsule, docs/protocol.md §12: a bill with all that proves it, in one file of canonical JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from contracts.wire.canonical import canonical_json
from contracts.wire.checkpoint import Checkpoint, CheckpointError, Cosignature, Cosigned
from contracts.wire.ids import Address, BillKey, Hash, RunId

MAX_BYTES = 16 << 20


class Refusal(StrEnum):
    """Why a capsule is refused. Every verifier gives the same word for the same fault."""

    MALFORMED = "malformed"
    WRONG_CHAIN = "wrong-chain"
    WRONG_CONTRACT = "wrong-contract"
    BAD_COSIGNATURE = "bad-cosignature"
    MISSING_COSIGNATURE = "missing-cosignature"
    QUORUM_NOT_MET = "quorum-not-met"
    SPLIT_VIEW = "split-view"
    ROLLBACK = "rollback"
    BAD_BLOCK = "bad-block"
    BAD_RECEIPT = "bad-receipt"
    BAD_EVENT = "bad-event"
    WRONG_ROOT = "wrong-root"
    NOT_ACTIVE = "not-active"
    BAD_MONEY = "bad-money"
    WRONG_DOCUMENT = "wrong-document"


class CapsuleError(ValueError):
    """A capsule is refused; ``refusal`` says at which check."""

    def __init__(self, refusal: Refusal, detail: str) -> None:
        super().__init__(f"{refusal}: {detail}")
        self.refusal = refusal
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Opening:
    """What opens the bill's commitment; whoever leaves it out shows the sums and not the document."""

    bill_id: bytes
    salt: bytes
    document: bytes


@dataclass(frozen=True, slots=True)
class ProvenBlock:
    """A block's header as it is hashed, and its place in the checkpoint's tree of blocks."""

    header: bytes
    index: int
    proof: tuple[Hash, ...]


@dataclass(frozen=True, slots=True)
class ProvenReceipt:
    """A transaction's receipt: which block of the capsule, which place in it, and the nodes that prove it."""

    block: int
    index: int
    proof: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Capsule:
    """One bill and its proofs."""

    key: BillKey
    blob: bytes
    proof: tuple[Hash, ...]
    opening: Opening | None
    blocks: tuple[ProvenBlock, ...]
    receipts: tuple[ProvenReceipt, ...]
    cosigned: Cosigned

    def encode(self) -> bytes:
        """The file's bytes."""
        opening = self.opening
        return canonical_json(
            {
                "capsule": 1,
                "bill": {
                    "run": int(self.key.run),
                    "index": self.key.index,
                    "blob": _text(self.blob),
                    "proof": [_text(node) for node in self.proof],
                },
                "opening": None
                if opening is None
                else {
                    "bill_id": _text(opening.bill_id),
                    "salt": _text(opening.salt),
                    "document": _text(opening.document),
                },
                "blocks": [
                    {"header": _text(b.header), "index": b.index, "proof": [_text(node) for node in b.proof]}
                    for b in self.blocks
                ],
                "receipts": [
                    {"block": r.block, "index": r.index, "proof": [_text(node) for node in r.proof]}
                    for r in self.receipts
                ],
                "checkpoint": self.cosigned.as_json(),
            }
        )


@dataclass(frozen=True, slots=True)
class Trust:
    """Whom the reader of a capsule believes, and nothing else.

    ``required`` observers must have signed, and ``quorum`` of the ``observers`` in all. ``known`` are blocks that the
    reader has seen by height; a checkpoint below ``least_height`` is too old for the reader's purpose.
    """

    chain_id: int
    settlement: Address
    charge_book: Address
    observers: frozenset[Address]
    required: frozenset[Address]
    quorum: int
    known: Mapping[int, Hash]
    least_height: int = 0

    @classmethod
    def parse(cls, data: bytes) -> Trust:
        """The trust file, docs/protocol.md §12. Raises ValueError."""
        try:
            value = json.loads(data.decode())
            rows = [_fields(row, "address", "required") for row in _list(value["observers"])]
            known = [_fields(row, "height", "block") for row in _list(value["known"])]
            _fields(value, "chain_id", "charge_book", "known", "least_height", "observers", "quorum", "settlement")
            made = cls(
                _number(value["chain_id"], 63),
                Address(_hex(value["settlement"], 20)),
                Address(_hex(value["charge_book"], 20)),
                frozenset(Address(_hex(row["address"], 20)) for row in rows),
                frozenset(Address(_hex(row["address"], 20)) for row in rows if row["required"] is True),
                _number(value["quorum"], 16),
                {_number(row["height"], 63): Hash(_hex(row["block"], 32)) for row in known},
                _number(value["least_height"], 63),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"not a trust file: {error}; docs/protocol.md §12 shows one") from error
        if not 1 <= made.quorum <= len(made.observers):
            raise ValueError(f"a quorum of {made.quorum} among {len(made.observers)} observers proves nothing")
        return made

    def encode(self) -> bytes:
        """The file's bytes."""
        return canonical_json(
            {
                "chain_id": self.chain_id,
                "settlement": _text(self.settlement),
                "charge_book": _text(self.charge_book),
                "observers": [{"address": _text(a), "required": a in self.required} for a in sorted(self.observers)],
                "quorum": self.quorum,
                "known": [{"height": height, "block": _text(block)} for height, block in sorted(self.known.items())],
                "least_height": self.least_height,
            }
        )


def parse_capsule(data: bytes) -> Capsule:
    """The capsule in a file. Raises CapsuleError; a file that is not spelled canonically is refused."""
    if len(data) > MAX_BYTES:
        raise CapsuleError(Refusal.MALFORMED, f"{len(data)} bytes; a capsule has {MAX_BYTES} at most")
    try:
        capsule = _capsule(json.loads(data.decode()))
        is_canonical = capsule.encode() == data
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise CapsuleError(Refusal.MALFORMED, f"not a capsule, or cut short: {error}; get the file anew") from error
    if not is_canonical:
        raise CapsuleError(Refusal.MALFORMED, "not spelled as canonical JSON is: the file was altered; get it anew")
    return capsule


def parse_cosigned(data: bytes) -> Cosigned:
    """A published checkpoint. Raises CheckpointError."""
    try:
        return _cosigned(json.loads(data.decode()))
    except (ValueError, TypeError, KeyError) as error:
        raise CheckpointError(f"not a published checkpoint: {error}") from error


def _capsule(value: Any) -> Capsule:
    _fields(value, "bill", "blocks", "capsule", "checkpoint", "opening", "receipts")
    if type(value["capsule"]) is not int or value["capsule"] != 1:
        raise ValueError("a version this verifier does not know")
    bill = _fields(value["bill"], "blob", "index", "proof", "run")
    opening = value["opening"]
    if opening is not None:
        _fields(opening, "bill_id", "document", "salt")
    return Capsule(
        BillKey(RunId(_number(bill["run"], 32)), _number(bill["index"], 32)),
        _hex(bill["blob"]),
        _hashes(bill["proof"]),
        None
        if opening is None
        else Opening(_hex(opening["bill_id"], 32), _hex(opening["salt"], 32), _hex(opening["document"])),
        tuple(_block(row) for row in _list(value["blocks"])),
        tuple(_receipt(row) for row in _list(value["receipts"])),
        _cosigned(value["checkpoint"]),
    )


def _block(value: Any) -> ProvenBlock:
    row = _fields(value, "header", "index", "proof")
    return ProvenBlock(_hex(row["header"]), _number(row["index"], 32), _hashes(row["proof"]))


def _receipt(value: Any) -> ProvenReceipt:
    row = _fields(value, "block", "index", "proof")
    nodes = tuple(_hex(node) for node in _list(row["proof"]))
    return ProvenReceipt(_number(row["block"], 32), _number(row["index"], 32), nodes)


def _cosigned(value: Any) -> Cosigned:
    _fields(value, "cosignatures", "text")
    if not isinstance(value["text"], str):
        raise ValueError("a checkpoint is a text")
    rows = [_fields(row, "observer", "signature") for row in _list(value["cosignatures"])]
    signed = tuple(Cosignature(Address(_hex(r["observer"], 20)), _hex(r["signature"], 65)) for r in rows)
    observers = [c.observer for c in signed]
    if observers != sorted(set(observers)):
        raise ValueError("cosignatures stand ascending, one an observer")
    return Cosigned(Checkpoint.parse(value["text"]), signed)


def _fields(value: Any, *names: str) -> dict[str, Any]:
    if not isinstance(value, dict) or set(value) != set(names):
        raise ValueError(f"an object of {', '.join(names)} was expected")
    return value


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError("a list was expected")
    return value


def _number(value: Any, bits: int) -> int:
    if type(value) is not int or not 0 <= value < 1 << bits:
        raise ValueError(f"not a number of {bits} bits: {value!r}")
    return value


def _hashes(value: Any) -> tuple[Hash, ...]:
    return tuple(Hash(_hex(node, 32)) for node in _list(value))


def _hex(value: Any, size: int | None = None) -> bytes:
    if not isinstance(value, str) or not value.startswith("0x"):
        raise ValueError(f"not hex: {str(value)[:20]!r}")
    data = bytes.fromhex(value[2:])
    if size is not None and len(data) != size:
        raise ValueError(f"{size} bytes were expected, not {len(data)}")
    return data


def _text(data: bytes) -> str:
    return "0x" + data.hex()
