"""From lines to leaves: documents, commitments, blobs, seals; the twin of ``billing.documents`` for many bills."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from billing.accounts import Account
from billing.documents import Title, draft_bill
from billing.domain.calendar import month_span
from billing.domain.charge import ChargedLine
from billing.domain.household import AccountMonth, House, Household
from billing.domain.tariff import TariffSet
from billing.domain.usage import Method
from billing.leaves import Leaf
from billing.store import dump
from billing.vector.template import Field, Marks, Template
from contracts.wire.canonical import canonical_json
from contracts.wire.ids import KeyId, Period, Service, SupplierId, bill_id
from contracts.wire.leaf import MAX_LINE_KOPECKS, BillKind, bill_commit
from contracts.wire.merkle import leaf_hash
from contracts.wire.sealed import seal


@dataclass(frozen=True, slots=True)
class Premises:
    """The account and house that a bill names."""

    account: Account
    house: House
    secret: bytes = field(repr=False)
    revision: int = 0


@dataclass(frozen=True, slots=True)
class PlainBill:
    """A bill that names no prepayment: its document, its blob behind the commitment, what its usage keeps."""

    premises: Premises
    document: bytes = field(repr=False)
    tail: bytes
    usage: bytes = field(repr=False)


Ints = NDArray[np.int64]
_DAY = date(2000, 1, 1)


class Frame:
    """A bill's document around its lines, for one period."""

    def __init__(self, period: Period) -> None:
        self._period = period
        self._template = _frame(period)

    def documents(self, premises: Sequence[Premises], lines: Sequence[bytes], totals: Sequence[int]) -> list[bytes]:
        """The documents of bills that name no prepayment; ``lines`` is the JSON of each one's lines."""
        columns: dict[Field, Sequence[object]] = {
            "account": [_inner(p.account.account) for p in premises],
            "house": [_inner(p.house.code) for p in premises],
            "zone": [_inner(p.house.zone) for p in premises],
            "plan": [_inner(p.account.household.plan) for p in premises],
            "area": [p.account.household.area_dm2 for p in premises],
            "rooms": [p.account.household.rooms for p in premises],
            "owners": [p.account.household.owners for p in premises],
            "house_area": [p.house.area_dm2 for p in premises],
            "residents": [_residents(p.account.household.residents) for p in premises],
            "revision": [p.revision for p in premises],
            "lines": lines,
            "total": totals,
        }
        return self._template.fill(len(premises), columns.__getitem__)

    def leaves(self, bills: Sequence[PlainBill]) -> list[Leaf]:
        """The bills with their names, salts, commitments and seals."""
        salts = os.urandom(32 * len(bills))
        out = []
        for place, bill in enumerate(bills):
            who = bill.premises
            name = bill_id(who.secret, self._period, who.revision)
            salt = salts[32 * place : 32 * place + 32]
            commit = bill_commit(name, salt, bill.document)
            blob = commit + bill.tail
            sealed = seal(who.secret, leaf_hash(blob), name + salt + bill.document)
            account = who.account
            out.append(
                Leaf(commit, account.account, who.revision, blob, account.key_id, who.secret, sealed, bill.usage)
            )
        return out


def _frame(period: Period) -> Template:
    """Made of a bill of nothing whose every word about the premises is a mark."""
    marks = Marks()
    household = Household(
        marks.number("area"), marks.number("rooms"), marks.number("owners"), ((_DAY, 1),), plan=marks.word("plan")
    )
    zone = "Etc/UTC"
    house = House(marks.word("house"), zone, (), marks.number("house_area"))
    month = AccountMonth(
        "", period, month_span(period, zone), house, household, {}, TariffSet(())
    )  # fmt: skip
    title = Title(marks.word("account"), period, 0, KeyId(bytes(16)), bytes(32))
    line = ChargedLine(Service.HOUSING, SupplierId(1), Method.AREA, 0, "dm2", ())
    value = json.loads(draft_bill(title, month, [line], []).document)
    value["revision"] = marks.number("revision")
    value["total_kopecks"] = marks.number("total")
    value["lines"] = [marks.raw("lines")]
    value["premises"]["zone"] = marks.word("zone")
    value["premises"]["residents"] = marks.raw("residents")
    return marks.template(canonical_json(value))


@lru_cache(maxsize=65_536)
def _inner(text: str) -> bytes:
    """A text as it stands between the quotes of JSON."""
    return json.dumps(text, ensure_ascii=False)[1:-1].encode()


@lru_cache(maxsize=65_536)
def _residents(residents: tuple[tuple[date, int], ...]) -> bytes:
    return dump([{"since": since.isoformat(), "number": number} for since, number in residents]).encode()


def blob_tails(suppliers: Ints, amounts: Ints, shown: NDArray[np.bool_]) -> list[bytes]:
    """What follows the commitments in the blobs of bills that net nothing: docs/protocol.md §4. A row is an account,
    a column a line; those ``shown`` go on chain. Raises OverflowError for a line beyond six bytes."""
    if amounts.size and not 0 <= int(amounts.min()) <= int(amounts.max()) <= MAX_LINE_KOPECKS:
        raise OverflowError("a line is beyond what six bytes hold")
    # The supplier's two bytes and the kopecks' six are one number of eight.
    lines = ((suppliers << 48) | amounts).astype(">u8")[shown].tobytes()
    counts = shown.sum(axis=1)
    ends = (8 * np.cumsum(counts)).tolist()
    return [
        bytes((BillKind.BILL, count)) + lines[end - 8 * count : end]
        for count, end in zip(counts.tolist(), ends, strict=True)
    ]
