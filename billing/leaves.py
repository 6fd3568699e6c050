"""Leaves of a run on their way into the books: put in their order, counted and claimed, sealed, written in bulk."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection

from billing.documents import Draft
from billing.domain.charge import ChargedLine
from billing.schema import bills, credits, usage
from billing.store import dump, insert_many
from contracts.wire.ids import BillKey, Hash, KeyId, Period, SupplierId
from contracts.wire.leaf import BillKind, Credit
from contracts.wire.merkle import leaf_hashes, root_of_leaves
from contracts.wire.sealed import seal
from contracts.wire.structs import SupplierTotal


@dataclass(frozen=True, slots=True)
class Leaf:
    """A bill or a note that waits for its place. ``usage`` is what the months to come need of it, not sealed yet;
    None where it charges nothing anew."""

    commit: Hash
    account: str
    revision: int
    blob: bytes
    key_id: KeyId
    secret: bytes = field(repr=False)
    sealed: bytes = field(repr=False)
    usage: bytes | None = field(repr=False)
    credits: tuple[Credit, ...] = ()
    original: BillKey | None = None


def leaf_of(draft: Draft) -> Leaf:
    """The leaf of a draft."""
    blob = draft.blob
    return Leaf(
        Hash(blob[:32]),
        draft.account,
        draft.revision,
        blob,
        draft.key_id,
        draft.secret,
        draft.sealed(Hash(leaf_hashes([blob]))),
        usage_json(draft.charged) if draft.charged else None,
        draft.credits,
        draft.original,
    )


def ordered(drafts: Iterable[Draft]) -> list[Leaf]:
    """The leaves of drafts in the order in which they stand in a run."""
    return sorted(map(leaf_of, drafts), key=lambda leaf: leaf.commit)


# --- what a run claims -----------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Own:
    """One supplier's lines: their leaves' hashes one after another, how many they are, what they come to."""

    hashes: bytearray = field(default_factory=bytearray)
    lines: int = 0
    total_kopecks: int = 0


@dataclass(frozen=True, slots=True)
class Claimed:
    """What a stretch of a run's leaves claims. ``own`` is by supplier, its number in two bytes."""

    count: int
    hashes: bytes
    own: dict[bytes, Own]


def claimed(first: int, blobs: Sequence[bytes]) -> Claimed:
    """What leaves from index ``first`` on claim, by their blobs."""
    own: defaultdict[bytes, Own] = defaultdict(Own)
    lines: defaultdict[bytes, list[bytes]] = defaultdict(list)
    for index, blob in enumerate(blobs, start=first):
        place, kind = index.to_bytes(4, "big"), blob[32:33]
        sign = -1 if blob[32] == BillKind.CREDIT_NOTE else 1
        for line in range(blob[33]):
            at = 34 + 8 * line
            supplier, amount = blob[at : at + 2], blob[at + 2 : at + 8]
            lines[supplier].append(place + _NUMBERS[line] + kind + amount)
            own[supplier].total_kopecks += sign * int.from_bytes(amount, "big")
    for supplier, encoded in lines.items():
        own[supplier].lines = len(encoded)
        own[supplier].hashes += leaf_hashes(encoded)
    return Claimed(len(blobs), leaf_hashes(blobs), dict(own))


class Claims:
    """What a run claims of its leaves, counted while they go by in their order: 32 bytes a leaf and a line."""

    def __init__(self) -> None:
        self.count = 0
        self._leaves = bytearray()
        self._own: defaultdict[bytes, Own] = defaultdict(Own)

    @property
    def root(self) -> Hash:
        """The root over the leaves. Raises ProofError where there is none."""
        return root_of_leaves(bytes(self._leaves))

    def add(self, more: Claimed) -> None:
        """What the next stretch of leaves claims."""
        self.count += more.count
        self._leaves += more.hashes
        for supplier, its in more.own.items():
            own = self._own[supplier]
            own.hashes += its.hashes
            own.lines += its.lines
            own.total_kopecks += its.total_kopecks

    def suppliers(self) -> tuple[SupplierTotal, ...]:
        """What each supplier is claimed to be owed: root, count and total of its own lines, suppliers ascending."""
        return tuple(
            SupplierTotal(
                SupplierId(int.from_bytes(supplier, "big")),
                own.lines,
                own.total_kopecks,
                root_of_leaves(bytes(own.hashes)),
            )
            for supplier, own in sorted(self._own.items())
        )


_NUMBERS = [bytes((number,)) for number in range(256)]


# --- usage -----------------------------------------------------------------------------------------------------------


def usage_json(charged: Iterable[ChargedLine]) -> bytes:
    """What the months to come need of a bill's lines, by service."""
    return dump({str(int(line.service)): usage_value(line) for line in charged}).encode()


def usage_value(line: ChargedLine) -> list[object]:
    """What the months to come need of a line: how it was charged, for how much by zone, what it is owed back, the
    kopecks that it carried over, and those that it charged before any recalculation."""
    return [line.method.value, dict(line.by_zone), dict(line.owed_back), line.carried_kopecks, line.charged_kopecks]


def usage_place(run: int, account: str) -> bytes:
    """What the seal of a row of usage is bound to."""
    return f"usage/{run}/{account}".encode()


# --- rows ------------------------------------------------------------------------------------------------------------


def insert_leaves(connection: Connection, run: int, period: Period, first: int, leaves: Sequence[Leaf]) -> None:
    """Writes leaves from index ``first`` on, in the caller's transaction."""
    number = period.number
    insert_many(
        connection,
        bills,
        ("run", "bill_index", "account", "period", "revision", "kind", "blob", "key_id", "sealed", "original"),
        [
            (
                run, index, leaf.account, number, leaf.revision, leaf.blob[32], leaf.blob, leaf.key_id, leaf.sealed,
                None if leaf.original is None else leaf.original.number,
            )
            for index, leaf in enumerate(leaves, start=first)
        ],
    )  # fmt: skip
    insert_many(
        connection,
        usage,
        ("run", "account", "period", "key_id", "sealed"),
        [
            (run, leaf.account, number, leaf.key_id, seal(leaf.secret, usage_place(run, leaf.account), leaf.usage))
            for leaf in leaves
            if leaf.usage is not None
        ],
    )
    insert_many(
        connection,
        credits,
        ("run", "bill_index", "line", "prepayment", "amount"),
        [
            (run, index, credit.line, credit.prepayment, credit.amount_kopecks)
            for index, leaf in enumerate(leaves, start=first)
            for credit in leaf.credits
        ],
    )
