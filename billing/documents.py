"""From charged lines to a bill: its document, its commitment, its leaf."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from billing.domain.charge import ChargedLine, explain
from billing.domain.household import AccountMonth
from contracts.wire.canonical import canonical_json
from contracts.wire.ids import BillId, BillKey, Hash, KeyId, Period, SupplierId, bill_id
from contracts.wire.keccak import keccak
from contracts.wire.leaf import BillBlob, BillKind, BillLine, Credit, bill_commit, encode_bill
from contracts.wire.sealed import seal

ENGINE = "kopeck-billing 0.1.0"
ENGINE_HASH = Hash(keccak(ENGINE.encode()))


@dataclass(frozen=True, slots=True)
class Draft:
    """A leaf of a run to be: everything but its place. ``lines`` are what the chain will see of it."""

    account: str
    period: Period
    revision: int
    kind: BillKind
    key_id: KeyId
    secret: bytes = field(repr=False)
    bill_id: BillId
    salt: bytes
    document: bytes
    lines: tuple[BillLine, ...]
    credits: tuple[Credit, ...] = ()
    original: BillKey | None = None
    charged: tuple[ChargedLine, ...] = field(default=(), compare=False)

    @property
    def commit(self) -> Hash:
        """The commitment: what the leaves are ordered by."""
        return bill_commit(self.bill_id, self.salt, self.document)

    @property
    def blob(self) -> bytes:
        """The leaf's blob."""
        return encode_bill(BillBlob(self.commit, self.kind, self.lines, self.credits, self.original))

    def sealed(self, leaf: Hash) -> bytes:
        """Id, salt and document as the file of the run and our own books keep them; ``leaf`` is the blob's hash."""
        return seal(self.secret, leaf, self.bill_id + self.salt + self.document)


@dataclass(frozen=True, slots=True)
class Title:
    """What names a draft: whose, for when, which revision, under which key."""

    account: str
    period: Period
    revision: int
    key_id: KeyId
    secret: bytes = field(repr=False)


def draft_bill(title: Title, month: AccountMonth, charged: Sequence[ChargedLine], credits: Sequence[Credit]) -> Draft:
    """A bill out of its charged lines. Lines of nothing stand in the document, not on chain; a bill of nothing keeps
    its first line, since a leaf has one at least."""
    shown = [line for line in charged if line.amount_kopecks] or list(charged[:1])
    places = {id(line): place for place, line in enumerate(shown)}
    explained = [line_value(line, places.get(id(line))) for line in charged]
    value = {
        **_head(title, BillKind.BILL),
        "premises": _premises(month),
        "lines": explained,
        "credits": [
            {"line": c.line, "amount_kopecks": c.amount_kopecks, "prepayment": "0x" + c.prepayment.hex()}
            for c in credits
        ],
        "total_kopecks": sum(line.amount_kopecks for line in shown),
    }
    lines = tuple(BillLine(line.supplier, line.amount_kopecks) for line in shown)
    return _draft(title, BillKind.BILL, value, lines, credits=tuple(credits), charged=tuple(charged))


def line_value(line: ChargedLine, place: int | str | None) -> dict[str, object]:
    """A charged line as a bill's document holds it; ``place`` is where it stands on the chain."""
    return {"line": place, **explain(line)}


@dataclass(frozen=True, slots=True)
class NoteLine:
    """One line of a note: what a correction adds or takes off, and why. ``service`` is None on an empty place."""

    supplier: SupplierId
    amount_kopecks: int
    explanation: Mapping[str, object] = field(default_factory=dict)


def draft_note(
    title: Title, kind: BillKind, original: BillKey, act: str, lines: Sequence[NoteLine], *, purpose: str | None = None
) -> Draft:
    """A debit or credit note to a bill on which something has moved; ``purpose`` where it is no correction."""
    value = {
        **_head(title, kind),
        "original": str(original),
        "act": act,
        **({} if purpose is None else {"purpose": purpose}),
        "lines": [
            {
                "line": place,
                "supplier": int(line.supplier),
                "amount_kopecks": line.amount_kopecks,
                **dict(line.explanation),
            }
            for place, line in enumerate(lines)
        ],
        "total_kopecks": sum(line.amount_kopecks for line in lines),
    }
    blob_lines = tuple(BillLine(line.supplier, line.amount_kopecks) for line in lines)
    return _draft(title, kind, value, blob_lines, original=original)


def _head(title: Title, kind: BillKind) -> dict[str, object]:
    return {
        "format": 1,
        "kind": kind.name.lower(),
        "account": title.account,
        "period": str(title.period),
        "revision": title.revision,
        "engine": ENGINE,
    }


def _premises(month: AccountMonth) -> dict[str, object]:
    flat = month.household
    return {
        "house": month.house.code,
        "zone": month.house.zone,
        "area_dm2": flat.area_dm2,
        "rooms": flat.rooms,
        "owners": flat.owners,
        "residents": [{"since": since.isoformat(), "number": number} for since, number in flat.residents],
        "plan": flat.plan,
        "house_area_dm2": month.house.area_dm2,
    }


def _draft(
    title: Title,
    kind: BillKind,
    value: Mapping[str, object],
    lines: tuple[BillLine, ...],
    *,
    credits: tuple[Credit, ...] = (),
    original: BillKey | None = None,
    charged: tuple[ChargedLine, ...] = (),
) -> Draft:
    return Draft(
        title.account,
        title.period,
        title.revision,
        kind,
        title.key_id,
        title.secret,
        bill_id(title.secret, title.period, title.revision),
        secrets.token_bytes(32),
        canonical_json(value),
        lines,
        credits,
        original,
        charged,
    )
