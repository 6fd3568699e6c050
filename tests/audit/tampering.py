"""Seeded tamperings: each alters one thing of a town that was laid open, and says which record an audit must name."""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from contracts.wire.canonical import canonical_json
from contracts.wire.checkpoint import Checkpoint, Cosignature, Cosigned
from contracts.wire.ids import Hash, KeyId
from contracts.wire.keccak import keccak
from contracts.wire.leaf import RegisterReading, encode_record, split_reading_blob
from contracts.wire.merkle import leaf_hash
from contracts.wire.sealed import seal, unseal
from contracts.wire.typed_data import address_of
from scripts.audit.bundle import Bundle
from scripts.audit.roots import root_of_list
from scripts.capsule.blocks import header_spellings, receipt_bytes
from tests.audit.conftest import Laid
from tests.ledger.town import key_of


@dataclass(frozen=True)
class Expected:
    """What must be named: a finding's record (one of several that were altered), or the words of a refusal; ``slugs``
    are the causes that are right."""

    records: frozenset[str]
    slugs: frozenset[str]


def expect(record: str, *slugs: str) -> Expected:
    return Expected(frozenset({record}), frozenset(slugs))


Tampering = Callable[[Laid, random.Random], Expected]


# --- files ---


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def _write(path: Path, rows: list[dict[str, Any]]) -> None:
    lines = [json.dumps(row, ensure_ascii=False, sort_keys=True, separators=(",", ":")) for row in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _any_file(laid: Laid, chance: random.Random, *kinds: str) -> Path:
    wanted = kinds or ("readings", "bills", "lines", "grants")
    return chance.choice([path for kind in wanted for path in laid.files(kind)])


def _flip(text: str, chance: random.Random) -> str:
    """Another hex digit somewhere."""
    at = chance.randrange(2 if text.startswith("0x") else 0, len(text))
    return text[:at] + chance.choice([c for c in "0123456789abcdef" if c != text[at]]) + text[at + 1 :]


def _named(path: Path, index: int) -> str:
    return f"leaf {index} of {path.parent.name}/{path.name}"


def alter_leaf(laid: Laid, chance: random.Random) -> Expected:
    """The hash of a leaf."""
    path = _any_file(laid, chance)
    rows = _lines(path)
    index = chance.randrange(len(rows) - 1)
    rows[index + 1]["leaf"] = _flip(rows[index + 1]["leaf"], chance)
    _write(path, rows)
    return expect(_named(path, index), "leaf-altered", "leaf-differs")


def alter_blob(laid: Laid, chance: random.Random) -> Expected:
    """An amount, a supplier, a commitment, with a leaf hash that fits it."""
    path = _any_file(laid, chance, "bills", "lines", "grants")
    rows = _lines(path)
    index = chance.randrange(len(rows) - 1)
    row = rows[index + 1]
    row["blob"] = _flip(row["blob"], chance)
    if chance.random() < 0.5:
        row["leaf"] = "0x" + leaf_hash(bytes.fromhex(row["blob"][2:])).hex()
    _write(path, rows)
    return expect(_named(path, index), "leaf-altered", "leaf-differs")


def alter_sealed(laid: Laid, chance: random.Random) -> Expected:
    """A byte of a sealed record: it opens no more."""
    path = _any_file(laid, chance, "bills", "grants", "readings")
    rows = _lines(path)
    index = chance.choice([i for i, row in enumerate(rows[1:]) if "sealed" in row] or [-1])
    if index < 0:
        return alter_leaf(laid, chance)
    data = bytearray(base64.b64decode(rows[index + 1]["sealed"]))
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    rows[index + 1]["sealed"] = base64.b64encode(data).decode()
    _write(path, rows)
    return expect(_named(path, index), "leaf-altered")


def alter_reading(laid: Laid, chance: random.Random) -> Expected:
    """A counter, sealed anew under its key for a leaf that fits it: by somebody who has the keys."""
    keys = Bundle(laid.folder).keys or {}
    places = [
        (path, index)
        for path in laid.files("readings")
        for index, row in enumerate(_lines(path)[1:])
        if "sealed" in row
    ]
    path, index = chance.choice(places)
    rows = _lines(path)
    row = rows[index + 1]
    secret = keys[KeyId(bytes.fromhex(row["key"]))]
    blob = unseal(secret, bytes.fromhex(row["leaf"][2:]), base64.b64decode(row["sealed"]))
    salt, record = split_reading_blob(blob)
    assert isinstance(record, RegisterReading)
    value = record.value + chance.randrange(1, 9000)
    other = RegisterReading(record.meter, record.register, record.taken_at, value, record.unit)
    changed = salt + encode_record(other)
    leaf = leaf_hash(changed)
    rows[index + 1] = {**row, "leaf": "0x" + leaf.hex()}
    rows[index + 1]["sealed"] = base64.b64encode(seal(secret, leaf, changed)).decode()
    _write(path, rows)
    return expect(_named(path, index), "leaf-differs")


def drop_sealed(laid: Laid, chance: random.Random) -> Expected:
    """A record taken out, without an erasure that anybody signed."""
    path = _any_file(laid, chance, "bills", "readings")
    rows = _lines(path)
    index = chance.choice([i for i, row in enumerate(rows[1:]) if "sealed" in row] or [-1])
    if index < 0:
        return forge_erasure(laid, chance)
    del rows[index + 1]["sealed"]
    _write(path, rows)
    return expect(_named(path, index), "leaf-missing")


def forge_erasure(laid: Laid, chance: random.Random) -> Expected:
    """The signature, the time or the act of an erasure."""
    places = [
        (path, index)
        for path in laid.files("readings")
        for index, row in enumerate(_lines(path)[1:])
        if "erased" in row
    ]
    path, index = chance.choice(places)
    rows = _lines(path)
    gone = rows[index + 1]["erased"]
    field = chance.choice(["signature", "at", "act"])
    gone[field] = _flip(gone[field], chance) if field == "signature" else 1 if field == "at" else "another act"
    _write(path, rows)
    return expect(_named(path, index), "leaf-missing")


def alter_signature(laid: Laid, chance: random.Random) -> Expected:
    """The signature in the head of a batch of readings."""
    path = _any_file(laid, chance, "readings")
    rows = _lines(path)
    rows[0]["signature"] = _flip(rows[0]["signature"], chance)
    _write(path, rows)
    header = rows[0]["header"]
    return expect(f"batch {header['sequence']} of source {header['source']}", "signature-wrong")


def alter_header(laid: Laid, chance: random.Random) -> Expected:
    """What the head of a batch says of it."""
    path = _any_file(laid, chance, "readings")
    rows = _lines(path)
    field = chance.choice(["source", "sequence", "count", "period_end"])
    rows[0]["header"][field] += 1
    _write(path, rows)
    return expect(f"{field} in the head of readings/{path.name}", "head-differs")


def alter_total(laid: Laid, chance: random.Random) -> Expected:
    """The total in the head of a supplier's own file."""
    path = _any_file(laid, chance, "lines")
    rows = _lines(path)
    rows[0]["total_kopecks"] += chance.randrange(1, 1000)
    _write(path, rows)
    return expect(f"total_kopecks in the head of lines/{path.name}", "head-differs")


def withhold_file(laid: Laid, chance: random.Random) -> Expected:
    path = _any_file(laid, chance, "readings", "bills", "lines", "grants", "tariffs")
    path.unlink()
    return expect(f"{path.parent.name}/{path.name}", "file-missing")


def cut_file(laid: Laid, chance: random.Random) -> Expected:
    path = _any_file(laid, chance)
    data = path.read_bytes()
    path.write_bytes(data[: chance.randrange(len(data) // 2, len(data))])
    return expect(f"{path.parent.name}/{path.name}", "file-truncated")


def swap_files(laid: Laid, chance: random.Random) -> Expected:
    kind = chance.choice([kind for kind in ("readings", "bills", "lines") if len(laid.files(kind)) > 1])
    one, other = chance.sample(laid.files(kind), 2)
    first, second = one.read_bytes(), other.read_bytes()
    one.write_bytes(second)
    other.write_bytes(first)
    return Expected(frozenset(f"{kind}/{path.name}" for path in (one, other)), frozenset({"file-swapped"}))


def swap_leaves(laid: Laid, chance: random.Random) -> Expected:
    """Two leaves in each other's place: each of them is right by itself."""
    files = [path for kind in ("readings", "bills", "lines") for path in laid.files(kind)]
    path = chance.choice([path for path in files if len(_lines(path)) > 2])
    rows = _lines(path)
    one, other = chance.sample(range(1, len(rows)), 2)
    rows[one], rows[other] = rows[other], rows[one]
    _write(path, rows)
    return expect(_named(path, min(one, other) - 1), "leaf-differs")


def alter_tariff(laid: Laid, chance: random.Random) -> Expected:
    path = _any_file(laid, chance, "tariffs")
    text = path.read_text(encoding="utf-8")
    digits = [i for i, c in enumerate(text) if c.isdigit()]
    at = chance.choice(digits)
    path.write_text(text[:at] + str((int(text[at]) + 1) % 10) + text[at + 1 :], encoding="utf-8")
    return expect(f"tariffs/{path.name}", "file-altered")


def take_key(laid: Laid, chance: random.Random) -> Expected:
    """A key that the bundle should have: what it sealed stays closed, and no erasure says why."""
    path = laid.folder / "keys.json"
    value = json.loads(path.read_bytes())
    name = chance.choice(sorted(value["keys"]))
    del value["keys"][name]
    path.write_text(json.dumps(value), encoding="utf-8")
    locked = [
        _named(file, index)
        for kind in ("readings", "bills", "grants")
        for file in laid.files(kind)
        for index, row in enumerate(_lines(file)[1:])
        if row.get("key") == name and "sealed" in row
    ]
    return Expected(frozenset(locked), frozenset({"leaf-locked"}))


def alter_checkpoint(laid: Laid, chance: random.Random) -> Expected:
    """A cosigned checkpoint: its text, or a cosignature."""
    (path,) = laid.files("checkpoints")
    value = json.loads(path.read_bytes())
    if chance.random() < 0.5:
        value["cosignatures"][0]["signature"] = _flip(value["cosignatures"][0]["signature"], chance)
    else:
        value["text"] = value["text"][:-2] + ("0" if value["text"][-2] != "0" else "1") + "\n"
    path.write_bytes(canonical_json(value))
    return expect(f"checkpoints/{path.name}", "checkpoint-altered")


def split_view(laid: Laid, chance: random.Random) -> Expected:
    """Observers signed another block of this height than the one that the node gives."""
    (path,) = laid.files("checkpoints")
    point = Checkpoint.parse(json.loads(path.read_bytes())["text"])
    field = chance.choice(["block", "blocks_root"])
    wrong = Hash(chance.randbytes(32))
    other = replace(point, block=wrong) if field == "block" else replace(point, blocks_root=wrong)
    key = key_of("observer")
    path.unlink()
    path = path.with_name(f"0x{other.name.hex()}.json")
    path.write_bytes(Cosigned(other, (Cosignature.make(key, address_of(key), other),)).encode())
    return expect(f"{field.removesuffix('_root')} in checkpoints/{path.name}", "split-view")


# --- nodes ---


def _blocks_with_logs(laid: Laid) -> list[tuple[str, str]]:
    """Calls for receipts of blocks that logged something, each with the call for its block."""
    out = []
    for name, answer in laid.answers.items():
        method, params = json.loads(name)
        if method == "eth_getBlockReceipts" and any(receipt["logs"] for receipt in answer):
            out.append((name, json.dumps(["eth_getBlockByNumber", [params[0], True]])))
    return out


def _edit(laid: Laid, name: str) -> Any:
    laid.answers[name] = json.loads(json.dumps(laid.answers[name]))
    return laid.answers[name]


def hide_receipt(laid: Laid, chance: random.Random) -> Expected:
    """The node leaves out a log."""
    name, _ = chance.choice(_blocks_with_logs(laid))
    receipts = _edit(laid, name)
    receipt = chance.choice([receipt for receipt in receipts if receipt["logs"]])
    receipt["logs"].pop(chance.randrange(len(receipt["logs"])))
    return expect(f"block {int(receipt['blockNumber'], 16)} of the node", "node-lies")


def alter_receipt(laid: Laid, chance: random.Random) -> Expected:
    """The node alters a sum or a name in a log."""
    name, _ = chance.choice(_blocks_with_logs(laid))
    receipts = _edit(laid, name)
    receipt = chance.choice([receipt for receipt in receipts if receipt["logs"]])
    log = chance.choice(receipt["logs"])
    if len(log["data"]) > 2:
        log["data"] = _flip(log["data"], chance)
    else:
        log["topics"][-1] = _flip(log["topics"][-1], chance)
    return expect(f"block {int(receipt['blockNumber'], 16)} of the node", "node-lies")


def alter_call(laid: Laid, chance: random.Random) -> Expected:
    """A signature, a proof, a bill in a call's data."""
    _, name = chance.choice(_blocks_with_logs(laid))
    block = _edit(laid, name)
    call = chance.choice([call for call in block["transactions"] if len(call["input"]) > 2])
    call["input"] = _flip(call["input"], chance)
    return expect(f"block {int(block['number'], 16)} of the node", "node-lies")


def rewrite_block(laid: Laid, chance: random.Random) -> Expected:
    """The node hides a receipt and makes its block's roots and hash fit: the next block gives it away."""
    receipts_name, block_name = chance.choice(_blocks_with_logs(laid))
    receipts, block = _edit(laid, receipts_name), _edit(laid, block_name)
    receipt = chance.choice([receipt for receipt in receipts if receipt["logs"]])
    receipt["logs"].pop()
    block["receiptsRoot"] = root_of_list([receipt_bytes(row) for row in receipts])
    block["hash"] = "0x" + keccak(next(header_spellings(block))).hex()
    return expect(f"block {int(block['number'], 16) + 1} of the node", "node-lies")


def withhold_block(laid: Laid, chance: random.Random) -> Expected:
    """One observer is not given a block that others have."""
    names = [
        name for name in laid.answers if json.loads(name)[0] == "eth_getBlockByNumber" and '"finalized"' not in name
    ]
    name = chance.choice([name for name in names if json.loads(name)[1][1]])
    laid.answers[name] = None
    return expect(f"for block {int(json.loads(name)[1][0], 16)}", "node-pruned")


TAMPERINGS: tuple[Tampering, ...] = (
    alter_leaf, alter_blob, alter_sealed, alter_reading, drop_sealed, forge_erasure, alter_signature, alter_header,
    alter_total, alter_checkpoint, split_view, withhold_file, cut_file, swap_files, swap_leaves, alter_tariff,
    take_key, hide_receipt, alter_receipt,
    alter_call, rewrite_block, withhold_block,
)  # fmt: skip
