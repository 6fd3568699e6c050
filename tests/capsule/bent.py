"""Capsules bent each at one place, each with the word that every verifier has to refuse it with."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from contracts.wire.canonical import canonical_json
from contracts.wire.capsule import Capsule, Refusal, Trust, parse_capsule
from contracts.wire.checkpoint import Cosignature, Cosigned
from contracts.wire.ids import Address, Hash
from tests.capsule.story import Told, cosigned_by, observer
from tests.ledger.town import key_of


@dataclass(frozen=True)
class Bent:
    """One case."""

    name: str
    trust: Trust
    capsule: bytes
    refusal: Refusal


def bent_trust(told: Told) -> list[Bent]:
    """A right capsule before readers who trust otherwise."""
    trust, paid, height = told.trust, told.capsules["paid"], told.checkpoint.height
    other = Address(bytes(19) + b"\x01")
    stranger = frozenset({other})
    cases = {
        Refusal.WRONG_CHAIN: replace(trust, chain_id=trust.chain_id + 1),
        Refusal.WRONG_CONTRACT: replace(trust, settlement=other),
        Refusal.MISSING_COSIGNATURE: replace(trust, observers=trust.observers | stranger, required=stranger),
        Refusal.QUORUM_NOT_MET: replace(trust, observers=frozenset({observer("regulator"), other}), quorum=2),
        Refusal.SPLIT_VIEW: replace(trust, known={height: Hash(bytes(32))}),
        Refusal.ROLLBACK: replace(trust, least_height=height + 1),
        Refusal.BAD_EVENT: replace(trust, charge_book=other),
    }
    return [Bent(f"{refusal} by trust", bent, paid, refusal) for refusal, bent in cases.items()]


def bent_capsules(told: Told) -> list[Bent]:
    """Capsules altered by someone who writes them well."""
    paid, helped = parse_capsule(told.capsules["paid"]), parse_capsule(told.capsules["helped"])
    cases = [*_bent_signatures(told, paid), *_bent_proofs(told, paid, helped)]
    out = [Bent(name, told.trust, capsule.encode(), refusal) for name, capsule, refusal in cases]
    spaced = told.capsules["paid"].replace(b",", b", ", 1)
    doubled = told.capsules["paid"].replace(b'{"bill"', b'{"capsule":1,"bill"', 1)
    for name, data in (("a space", spaced), ("a key twice", doubled), ("cut short", spaced[:-1]), ("empty", b"")):
        out.append(Bent(name, told.trust, data, Refusal.MALFORMED))
    return out


def _bent_signatures(told: Told, paid: Capsule) -> Iterator[tuple[str, Capsule, Refusal]]:
    point = told.checkpoint
    later = replace(point, height=point.height + 1)
    of_later = Cosignature.make(key_of("regulator"), observer("regulator"), later)
    yield "signed for another", replace(paid, cosigned=Cosigned(point, (of_later,))), Refusal.BAD_COSIGNATURE
    borrowed = replace(
        Cosignature.make(key_of("supplier"), observer("supplier"), point), observer=observer("regulator")
    )
    yield "another's signature", replace(paid, cosigned=Cosigned(point, (borrowed,))), Refusal.BAD_COSIGNATURE
    without = cosigned_by(point, "supplier", "municipality")
    yield "without the regulator", replace(paid, cosigned=without), Refusal.MISSING_COSIGNATURE
    yield "the regulator alone", replace(paid, cosigned=cosigned_by(point, "regulator")), Refusal.QUORUM_NOT_MET
    unknown = cosigned_by(point, "regulator", "stranger", "nobody")
    yield "strangers do not count", replace(paid, cosigned=unknown), Refusal.QUORUM_NOT_MET
    yield "unsigned", replace(paid, cosigned=Cosigned(point)), Refusal.MISSING_COSIGNATURE
    high = paid.cosigned.cosignatures[0]
    order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
    s = (order - int.from_bytes(high.signature[32:64], "big")).to_bytes(32, "big")
    twin = replace(high, signature=high.signature[:32] + s + bytes((55 - high.signature[64],)))
    signed = (twin, *paid.cosigned.cosignatures[1:])
    yield "a malleable twin", replace(paid, cosigned=Cosigned(point, signed)), Refusal.BAD_COSIGNATURE


def _bent_proofs(told: Told, paid: Capsule, helped: Capsule) -> Iterator[tuple[str, Capsule, Refusal]]:
    *blocks, last = paid.blocks
    moved = replace(last, index=last.index - 1)
    yield "another place", replace(paid, blocks=(*blocks, moved)), Refusal.BAD_BLOCK
    beyond = replace(last, index=last.index + 32)
    yield "an alias of the place", replace(paid, blocks=(*blocks, beyond)), Refusal.BAD_BLOCK
    yield "a block twice", replace(paid, blocks=(*blocks, last, last)), Refusal.BAD_BLOCK
    yield "an idle block", replace(paid, blocks=helped.blocks), Refusal.BAD_RECEIPT
    *receipts, paying = paid.receipts
    yield "another receipt", replace(paid, receipts=(*receipts, replace(paying, index=1))), Refusal.BAD_RECEIPT
    yield "a receipt twice", replace(paid, receipts=(*receipts, paying, paying)), Refusal.BAD_RECEIPT
    longer = replace(paying, proof=(*paying.proof, paying.proof[-1]))
    yield "a proof too long", replace(paid, receipts=(*receipts, longer)), Refusal.BAD_RECEIPT
    yield "no receipts", replace(paid, receipts=(), blocks=()), Refusal.BAD_EVENT
    other = replace(paid.key, index=paid.key.index + 1)
    yield "another bill's", replace(paid, key=other), Refusal.BAD_EVENT
    dear = paid.blob[:36] + b"\xff" + paid.blob[37:]
    yield "a dearer bill", replace(paid, blob=dear), Refusal.WRONG_ROOT
    yield "a shorter proof", replace(paid, proof=paid.proof[:-1]), Refusal.WRONG_ROOT
    opened = parse_capsule(told.capsules["open"])
    first = replace(opened, blocks=opened.blocks[:1], receipts=opened.receipts[:1])
    yield "never activated", first, Refusal.NOT_ACTIVE
    grant = len(helped.blocks) - 3
    kept = [i for i in range(len(helped.blocks)) if i != grant]
    fewer = [replace(r, block=kept.index(r.block)) for r in helped.receipts if r.block != grant]
    hidden = replace(helped, blocks=tuple(helped.blocks[i] for i in kept), receipts=tuple(fewer))
    yield "a grant left out", hidden, Refusal.BAD_MONEY
    assert paid.opening is not None
    forged = replace(paid.opening, document=paid.opening.document + b" ")
    yield "another document", replace(paid, opening=forged), Refusal.WRONG_DOCUMENT


def flips(data: bytes, count: int, seed: int) -> Iterator[bytes]:
    """The file with one bit flipped: at ``count`` drawn places, and once in every value that it holds."""
    draw = random.Random(seed)
    for _ in range(count):
        yield flipped(data, draw.randrange(len(data)), draw.randrange(8))
    for way in _ways(json.loads(data)):
        yield canonical_json(_flipped_at(json.loads(data), way, draw))


def flipped(data: bytes, place: int, bit: int) -> bytes:
    """With one bit the other way."""
    return data[:place] + bytes((data[place] ^ 1 << bit,)) + data[place + 1 :]


def _ways(value: Any, way: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The way to every number and every text."""
    if isinstance(value, dict | list):
        for key, part in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _ways(part, (*way, key))
    elif value is not None and value != "0x":
        yield way


def _flipped_at(value: Any, way: tuple[str | int, ...], draw: random.Random) -> Any:
    """One bit of what a value means: of a number, of the bytes that hex stands for, of a letter of a text."""
    at = value
    for step in way[:-1]:
        at = at[step]
    old = at[way[-1]]
    if isinstance(old, int):
        at[way[-1]] = old ^ 1 << draw.randrange(8)
    elif old.startswith("0x"):
        raw = bytes.fromhex(old[2:])
        at[way[-1]] = "0x" + flipped(raw, draw.randrange(len(raw)), draw.randrange(8)).hex()
    else:
        at[way[-1]] = flipped(old.encode(), draw.randrange(len(old)), draw.randrange(7)).decode()
    return value
