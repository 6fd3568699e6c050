"""Logs bent at random: what eth-abi refuses is refused, and what it reads is read alike, for every event there is."""

from __future__ import annotations

import random
from dataclasses import fields
from typing import Any

import pytest
from eth_abi.abi import decode
from eth_abi.exceptions import DecodingError

from contracts.client import abi
from contracts.wire.events import LogError, decode_log
from contracts.wire.ids import BillKey, BillState, Hash, Period, SourceClass
from contracts.wire.receipts import Leg
from contracts.wire.structs import Proposal, SupplierTotal, UsedHead
from tests.wire.test_events import make_log, rows

BENT = 150
"""Bent logs of each event."""


def judged(row: dict[str, Any], raw: dict[str, Any]) -> list[Any]:
    """The values as eth-abi reads them, in our types. Raises DecodingError, or ValueError where ours has none such."""
    indexed = [part for part in row["inputs"] if part["indexed"]]
    plain = [part for part in row["inputs"] if not part["indexed"]]
    words = [decode([part["type"]], bytes_of(text))[0] for part, text in zip(indexed, raw["topics"][1:], strict=True)]
    values = decode([abi.type_of(part) for part in plain], bytes_of(raw["data"]))
    given = {part["name"]: value for part, value in zip([*indexed, *plain], [*words, *values], strict=True)}
    return [ours(part, given[part["name"]]) for part in row["inputs"]]


def ours(part: dict[str, Any], value: Any) -> Any:
    named = part.get("internalType", "")
    if part["type"] == "address":
        return bytes_of(value)
    if named == "BillKey":
        return BillKey.from_number(value)
    if named.startswith("enum"):
        return {"enum BillState": BillState, "enum SourceClass": SourceClass}[named](value)
    if part["type"] == "tuple":
        period, count, root, tariff, engine, superseded, suppliers, heads = value
        return Proposal(
            Period.from_number(period),
            count,
            Hash(root),
            tariff,
            Hash(engine),
            Hash(superseded),
            tuple(SupplierTotal(*supplier) for supplier in suppliers),
            tuple(UsedHead(*head) for head in heads),
        )
    return legs(value) if part["name"] == "legs" else value


def legs(value: bytes) -> tuple[Leg, ...]:
    if len(value) % 8:
        raise ValueError("no whole number of legs")
    found = []
    for line in range(len(value) // 8):
        supplier, amount = value[8 * line : 8 * line + 2], value[8 * line + 2 : 8 * line + 8]
        if any(amount):
            found.append(Leg(line, int.from_bytes(supplier, "big"), int.from_bytes(amount, "big")))  # type: ignore[arg-type]
    return tuple(found)


def bytes_of(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))


def bend(draw: random.Random, raw: dict[str, Any]) -> dict[str, Any]:
    """One bit, one byte or one word otherwise, in a topic or the data; or the data cut short or longer."""
    topics = [bytes_of(topic) for topic in raw["topics"]]
    data = bytes_of(raw["data"])
    kind = draw.choice(("bit", "byte", "first byte of a word", "word", "length"))
    if kind == "length":
        data = draw.choice((data[: draw.randint(0, len(data))], data + draw.randbytes(draw.choice((1, 31, 32)))))
    else:
        places = [*range(1, len(topics)), *([0] * (len(data) // 32))]
        place = draw.choice(places or [0])
        body = bytearray(data if place == 0 else topics[place])
        if body:
            change(draw, kind, body)
        if place == 0:
            data = bytes(body)
        else:
            topics[place] = bytes(body)
    return raw | {"topics": ["0x" + topic.hex() for topic in topics], "data": "0x" + data.hex()}


def change(draw: random.Random, kind: str, body: bytearray) -> None:
    at = draw.randrange(len(body))
    word = at - at % 32
    if kind == "bit":
        body[at] ^= 1 << draw.randrange(8)
    elif kind == "byte":
        body[at] = draw.randrange(256)
    elif kind == "first byte of a word":
        body[word] ^= draw.choice((0x01, 0x80, 0xFF))
    else:
        value = draw.choice(
            (0, 1, 31, 32, len(body), len(body) - 32, draw.getrandbits(10), 2**64 - 1, 2**255, 2**256 - 1)
        )
        body[word : word + 32] = value.to_bytes(32, "big")


@pytest.mark.parametrize(("contract", "row"), rows("event"), ids=lambda v: v if isinstance(v, str) else v["name"])
def test_a_bent_log_is_read_as_eth_abi_reads_it_or_refused_with_it(contract: str, row: dict[str, Any]) -> None:
    draw = random.Random(f"bent {contract} {row['name']}")
    refused = 0
    for _ in range(BENT):
        raw = bend(draw, make_log(draw, row)[0])
        try:
            expected = judged(row, raw)
        except (DecodingError, ValueError, OverflowError):  # the last where eth-abi takes a length for a size
            refused += 1
            with pytest.raises(LogError):
                decode_log(raw)
            continue
        event = decode_log(raw)
        assert [getattr(event, f.name) for f in fields(event)][1:] == expected, raw  # type: ignore[arg-type]
    is_any_value_dirty = any(part["type"] not in ("bytes32", "uint256") for part in row["inputs"])
    assert refused > 0 or not (row["inputs"] and is_any_value_dirty)


def test_topics_of_other_lengths_do_not_make_up_for_each_other() -> None:
    row = next(row for contract, row in rows("event") if (contract, row["name"]) == ("Rouble", "Frozen"))
    raw, _ = make_log(random.Random(2), row)
    one, two, three = raw["topics"]
    with pytest.raises(LogError):
        decode_log(raw | {"topics": [one, two + three[2:4], "0x" + three[4:]]})
    with pytest.raises(LogError):
        decode_log(raw | {"topics": [one, two[:-2] + "  ", three]})
