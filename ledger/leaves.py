"""From the leaves of a file to facts. Pure: what can't be read is written down as closed, with its reason."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from contracts.wire.files import LeafLine
from contracts.wire.ids import Address, KeyId
from contracts.wire.leaf import (
    BillBlob,
    BillKind,
    Decision,
    LeafError,
    Profile,
    Record,
    RegisterReading,
    SupplierLine,
    bill_commit,
    decode_bill,
    decode_grant,
    encode_supplier_line,
    split_reading_blob,
)
from contracts.wire.merkle import Tree, leaf_hash
from contracts.wire.sealed import SealError, unseal
from ledger import models
from ledger.models import ClosedState
from ledger.operators import is_erased
from ledger.store import FactRows

MAX_STORED = (1 << 63) - 1
FILE_FAULTS = 1_000
"""Positions of faults that files show begin here, after those that the event itself showed."""

Place = tuple[int, int]


class Keys(Protocol):
    """Keys of sealed records, one per account; contracts.client.keyring.KeyRing is one."""

    def secret(self, key_id: KeyId) -> bytes | None:
        """The secret, or None once it was destroyed. May raise UnknownKey."""
        ...


@dataclass(frozen=True, slots=True)
class Powers:
    """What opens leaves, and who may declare them erased."""

    keys: Keys
    erasers: Collection[Address]


@dataclass(frozen=True, slots=True)
class Tally:
    """How many leaves a file has, and how many were read, are erased, or are closed for another reason."""

    leaves: int
    opened: int
    erased: int

    @property
    def closed(self) -> int:
        """Leaves that should be readable and are not."""
        return self.leaves - self.opened - self.erased


class _Opening:
    """Opens the sealed leaves of one file and writes down those that stay closed."""

    def __init__(self, kind: str, place: Place, powers: Powers, rows: FactRows) -> None:
        self._kind = kind
        self._place = place
        self._keys = powers.keys
        self._erasers = powers.erasers
        self._rows = rows
        self._states: list[ClosedState] = []

    def open(self, index: int, line: LeafLine) -> bytes | None:
        """The sealed plaintext of a line; None where it stays closed."""
        if line.erased is not None:
            state = self.erasure(line)
        elif line.sealed is None or line.key is None:
            state = ClosedState.MISSING
        elif (secret := self._keys.secret(line.key)) is None:
            state = ClosedState.LOCKED
        else:
            try:
                return unseal(secret, line.leaf, line.sealed)
            except SealError:
                state = ClosedState.ALTERED
        self.close(index, line, state)
        return None

    def erasure(self, line: LeafLine) -> ClosedState:
        """What a record of erasure is worth: anybody can write one, only an operator can sign one."""
        return ClosedState.ERASED if is_erased(line, self._erasers) else ClosedState.MISSING

    def close(self, index: int, line: LeafLine, state: ClosedState) -> None:
        """Writes a leaf down as closed."""
        self._states.append(state)
        gone = line.erased
        self._rows.add(
            models.closed_leaves,
            *self._place,
            index,
            self._kind,
            int(state),
            line.leaf,
            line.key if gone is None else gone.key,
            None if gone is None else gone.at,
            None if gone is None else gone.act.encode(),
            None if gone is None else gone.signature,
        )

    def tally(self, leaves: int) -> Tally:
        """The count of it."""
        erased = self._states.count(ClosedState.ERASED)
        return Tally(leaves, leaves - len(self._states), erased)


def reading_facts(place: Place, lines: Sequence[LeafLine], powers: Powers, rows: FactRows) -> Tally:
    """Readings and decisions of a batch."""
    opening = _Opening("readings", place, powers, rows)
    for index, line in enumerate(lines):
        blob = line.blob if line.blob is not None else opening.open(index, line)
        if blob is None:
            continue
        if line.blob is None and leaf_hash(blob) != line.leaf:
            opening.close(index, line, ClosedState.ALTERED)
            continue
        try:
            add_record((*place, index), split_reading_blob(blob)[1], blob, rows)
        except LeafError:
            opening.close(index, line, ClosedState.MALFORMED)
    return opening.tally(len(lines))


def add_record(place: tuple[int, int, int], record: Record, blob: bytes, rows: FactRows, is_instead: int = 0) -> None:
    """The facts of one reading; ``blob`` is its leaf's, ``is_instead`` that a decision puts it in another's place."""
    if isinstance(record, RegisterReading):
        if record.value > MAX_STORED:
            raise LeafError(f"a register of {record.value} is beyond any meter")
        r = record
        values = r.meter, r.register, r.taken_at, r.value, int(r.unit), int(r.quality), int(r.flags)
        rows.add(models.registers, *place, *values, is_instead)
    elif isinstance(record, Profile):
        p = record
        intervals = blob[-2 - 5 * len(p.values) : -2]
        values = p.meter, p.register, p.start, p.end, p.step_s, int(p.unit), int(p.flags)
        rows.add(models.profiles, *place, *values, intervals, is_instead)
    else:
        _add_decision(place, record, blob, rows)


def _add_decision(place: tuple[int, int, int], decision: Decision, blob: bytes, rows: FactRows) -> None:
    if decision.instead is not None:
        add_record(place, decision.instead, blob, rows, is_instead=1)
    what = decision.overlaid_root, decision.overlaid_index, int(decision.quality), int(decision.reason)
    rows.add(models.decisions, *place, *what)


@dataclass(frozen=True, slots=True)
class ClaimedLines:
    """What a run claimed of one supplier when it was proposed."""

    supplier: int
    lines: int
    total_kopecks: int
    root: bytes


@dataclass(frozen=True, slots=True)
class ProposedRun:
    """A run as its event left it: where it stands, its number, and what it claims of each supplier."""

    place: Place
    run: int
    claimed: Sequence[ClaimedLines]


def bill_facts(proposed: ProposedRun, lines: Sequence[LeafLine], powers: Powers, rows: FactRows) -> Tally:
    """Bills of a run with their lines, held against what the run claimed of each supplier."""
    run = proposed.run
    opening = _Opening("bills", proposed.place, powers, rows)
    own_lines: dict[int, list[SupplierLine]] = {}
    wrong: list[str] = []
    previous = b""
    for index, line in enumerate(lines):
        try:
            bill = decode_bill(line.blob or b"")
        except LeafError as error:
            opening.close(index, line, ClosedState.MALFORMED)
            wrong.append(f"bill {run}-{index} is no bill: {error}")
            continue
        if bill.commit <= previous:
            wrong.append(f"bill {run}-{index} does not stand in the order of commitments")
        previous = bill.commit
        secret = opening.open(index, line)
        if secret is not None and bill_commit(secret[:32], secret[32:64], secret[64:]) != bill.commit:
            opening.close(index, line, ClosedState.ALTERED)
            secret = None
        _add_bill((*proposed.place, run, index), line, bill, secret, rows)
        for number, charge in enumerate(bill.lines):
            own = SupplierLine(index, number, bill.kind, charge.amount_kopecks)
            own_lines.setdefault(charge.supplier, []).append(own)
    wrong += _differences(run, own_lines, proposed.claimed)
    for position, detail in enumerate(wrong):
        rows.add(models.faults, *proposed.place, FILE_FAULTS + position, "run", detail)
    return opening.tally(len(lines))


def _add_bill(
    name: tuple[int, int, int, int], line: LeafLine, bill: BillBlob, secret: bytes | None, rows: FactRows
) -> None:
    original = None if bill.original is None else bill.original.number
    bill_id = None if secret is None else secret[:32]
    rows.add(models.bills, *name, line.leaf, line.blob, int(bill.kind), original, bill_id, line.key, line.sealed)
    for number, charge in enumerate(bill.lines):
        rows.add(models.bill_lines, *name, number, charge.supplier, charge.amount_kopecks)


def _differences(run: int, own: dict[int, list[SupplierLine]], claimed: Sequence[ClaimedLines]) -> list[str]:
    """Where the suppliers' lines in the bills are not the lines that the run claims of them."""
    found: list[str] = []
    for claim in claimed:
        lines = own.pop(claim.supplier, [])
        total = sum(-x.amount_kopecks if x.kind is BillKind.CREDIT_NOTE else x.amount_kopecks for x in lines)
        if (len(lines), total) != (claim.lines, claim.total_kopecks):
            found.append(
                f"run {run} claims {claim.lines} lines and {claim.total_kopecks} kopecks for supplier "
                f"{claim.supplier}, its bills hold {len(lines)} lines and {total} kopecks"
            )
        elif lines and Tree.of([leaf_hash(encode_supplier_line(x)) for x in lines]).root != claim.root:
            found.append(f"run {run}: the lines of supplier {claim.supplier} do not lead to the root it claims")
    found += [f"run {run} bills for supplier {supplier} and claims nothing of it" for supplier in sorted(own)]
    return found


def grant_facts(place: Place, batch: int, lines: Sequence[LeafLine], powers: Powers, rows: FactRows) -> Tally:
    """Grants of a batch; what is sealed (salt, decision) stays sealed."""
    opening = _Opening("grants", place, powers, rows)
    for index, line in enumerate(lines):
        try:
            grant = decode_grant(line.blob or b"")
        except LeafError as error:
            detail = f"grant {batch}-{index} is no grant: {error}"
            rows.add(models.faults, *place, FILE_FAULTS + index, "grant", detail)
            opening.close(index, line, ClosedState.MALFORMED)
            continue
        if line.erased is not None:
            opening.close(index, line, opening.erasure(line))
        elif line.key is not None and line.sealed is None:
            opening.close(index, line, ClosedState.MISSING)
        what = grant.bill.run, grant.bill.index, grant.line, grant.maximum_kopecks, grant.expires_at
        rows.add(models.grants, *place, batch, index, line.leaf, line.blob, *what, line.key, line.sealed)
    return opening.tally(len(lines))
