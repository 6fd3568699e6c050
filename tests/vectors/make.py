"""Makes the golden vectors from docs/protocol.md with other code than ours: eth-utils, eth-account, eth-abi, hmac.

``python -m tests.vectors.make`` rewrites the files beside it. Solidity, Python and JavaScript are tested against the
files; nothing of contracts/wire is used here, so that a slip there shows.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import random
from fractions import Fraction
from pathlib import Path
from typing import Any

from eth_abi.packed import encode_packed
from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_utils import keccak

HERE = Path(__file__).resolve().parent
ANCHOR = "0x1000000000000000000000000000000000000001"
ROUBLE = "0x2000000000000000000000000000000000000002"
SETTLEMENT = "0x3000000000000000000000000000000000000003"
CHAIN_ID = 31337
KEY = bytes.fromhex("4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318")


def text(data: bytes) -> str:
    return "0x" + data.hex()


def join(*parts: tuple[int, int]) -> bytes:
    """(value, size) each, big-endian."""
    return b"".join(uint(value, size) for value, size in parts)


def uint(value: int, size: int) -> bytes:
    return value.to_bytes(size, "big")


# --- trees: the recursive definition, no levels, no shared code ---


def leaf_hash(blob: bytes) -> bytes:
    return bytes(keccak(b"\x00" + blob))


def subtree(leaves: list[bytes], depth: int, start: int = 0) -> bytes:
    """Root over the ``2 ** depth`` places from ``start``, the empty leaf where there is none."""
    if depth == 0:
        return leaves[start] if start < len(leaves) else bytes(32)
    half = 1 << (depth - 1)
    return bytes(keccak(b"\x01" + subtree(leaves, depth - 1, start) + subtree(leaves, depth - 1, start + half)))


def depth_of(count: int) -> int:
    depth = 0
    while 1 << depth < count:
        depth += 1
    return depth


def proof_of(leaves: list[bytes], index: int) -> list[bytes]:
    return [subtree(leaves, i, ((index >> i) ^ 1) << i) for i in range(depth_of(len(leaves)))]


def multiproof_of(leaves: list[bytes], indices: list[int]) -> list[bytes]:
    """Level by level from the left, the siblings that can't be made of what is known."""
    out = []
    known = set(indices)
    for level in range(depth_of(len(leaves))):
        out += [subtree(leaves, level, (place ^ 1) << level) for place in sorted(known) if place ^ 1 not in known]
        known = {place >> 1 for place in known}
    return out


def trees(draw: random.Random) -> list[dict[str, Any]]:
    out = []
    for count in (1, 2, 3, 4, 5, 7, 8, 13, 33):
        blobs = [draw.randbytes(draw.randint(0, 70)) for _ in range(count)]
        leaves = [leaf_hash(blob) for blob in blobs]
        chosen = sorted(draw.sample(range(count), draw.randint(1, count)))
        out.append(
            {
                "blobs": [text(blob) for blob in blobs],
                "leaves": [text(leaf) for leaf in leaves],
                "depth": depth_of(count),
                "root": text(subtree(leaves, depth_of(count))),
                "proofs": [[text(node) for node in proof_of(leaves, i)] for i in range(count)],
                "multiproof": {
                    "indices": chosen,
                    "proof": [text(node) for node in multiproof_of(leaves, chosen)],
                },
            }
        )
    return out


# --- leaves ---


def readings(draw: random.Random) -> list[dict[str, Any]]:
    meter = draw.randbytes(16)
    register = b"\x00" + meter + join((1, 1), (1767225600, 5), (123_456_789_012, 8), (1, 1), (0, 1), (6, 2))
    values = [(250, 0), (None, 7), (0, 0), (4_294_967_294, 1)]
    pairs = b"".join(join((0xFFFFFFFF if v is None else v, 4), (q, 1)) for v, q in values)
    profile = b"\x01" + meter + join((0, 1), (1767225600, 5), (1800, 2), (4, 2), (1, 1)) + pairs + uint(16, 2)
    overlaid = draw.randbytes(32)
    decision = b"\x02" + overlaid + uint(7, 4) + uint(1, 1) + uint(2, 1) + register
    rejection = b"\x02" + overlaid + uint(7, 4) + uint(7, 1) + uint(3, 1)
    named = {
        "register": {
            "kind": 0,
            "meter": text(meter),
            "register": 1,
            "taken_at": 1767225600,
            "value": 123_456_789_012,
            "unit": 1,
            "quality": 0,
            "flags": 6,
        },
        "profile": {
            "kind": 1,
            "meter": text(meter),
            "register": 0,
            "start": 1767225600,
            "step_s": 1800,
            "unit": 1,
            "values": [v for v, _ in values],
            "qualities": [q for _, q in values],
            "flags": 16,
        },
    }
    fields = [
        (register, named["register"]),
        (profile, named["profile"]),
        (
            decision,
            {"kind": 2, "root": text(overlaid), "index": 7, "quality": 1, "reason": 2, "instead": named["register"]},
        ),
        (rejection, {"kind": 2, "root": text(overlaid), "index": 7, "quality": 7, "reason": 3, "instead": None}),
    ]
    out = []
    for record, given in fields:
        salt = draw.randbytes(32)
        blob = salt + record
        out.append({"fields": given, "salt": text(salt), "blob": text(blob), "leaf": text(leaf_hash(blob))})
    return out


def bills(draw: random.Random) -> list[dict[str, Any]]:
    out = []
    for kind, lines, credits in (
        (0, [(1, 123_456)], []),
        (0, [(3, 2**48 - 1), (3, 0), (17, 60_432)], [(0, 5_000), (2, 60_432)]),
        (1, [(2, 1)], []),
        (2, [(1, 0), (2, 23_393)], []),
        (0, [(n, 100 * n) for n in range(1, 33)], []),
    ):
        bill_id, salt = draw.randbytes(32), draw.randbytes(32)
        document = json.dumps({"total": sum(amount for _, amount in lines)}).encode()
        commit = bytes(keccak(bill_id + salt + keccak(document)))
        blob = commit + uint(kind, 1) + uint(len(lines), 1)
        blob += b"".join(uint(supplier, 2) + uint(amount, 6) for supplier, amount in lines)
        named_credits = [(line, amount, draw.randbytes(32)) for line, amount in credits]
        blob += b"".join(uint(line, 1) + uint(amount, 6) + name for line, amount, name in named_credits)
        original = [3, 17] if kind else None
        if original:
            blob += uint(original[0], 4) + uint(original[1], 4)
        out.append(
            {
                "bill_id": text(bill_id),
                "salt": text(salt),
                "document": text(document),
                "commit": text(commit),
                "kind": kind,
                "lines": [{"supplier": s, "amount": a} for s, a in lines],
                "credits": [{"line": n, "amount": a, "prepayment": text(name)} for n, a, name in named_credits],
                "original": original,
                "blob": text(blob),
                "leaf": text(leaf_hash(blob)),
            }
        )
    return out


def small_leaves(draw: random.Random) -> dict[str, Any]:
    salt, decision = draw.randbytes(32), draw.randbytes(32)
    commit = bytes(keccak(salt + decision))
    grant = commit + uint(3, 4) + uint(17, 4) + uint(2, 1) + uint(33_132, 6) + uint(1_800_000_000, 5)
    line = uint(17, 4) + uint(2, 1) + uint(0, 1) + uint(60_432, 6)
    return {
        "grant": {
            "salt": text(salt),
            "decision": text(decision),
            "commit": text(commit),
            "bill": [3, 17],
            "line": 2,
            "maximum": 33_132,
            "expires_at": 1_800_000_000,
            "blob": text(grant),
            "leaf": text(leaf_hash(grant)),
        },
        "supplier_line": {
            "index": 17,
            "line": 2,
            "kind": 0,
            "amount": 60_432,
            "blob": text(line),
            "leaf": text(leaf_hash(line)),
        },
    }


# --- names ---


def names(draw: random.Random) -> dict[str, Any]:
    key = draw.randbytes(32)
    payer = draw.randbytes(20)
    tag = hmac.new(key, b"prepay" + uint(5, 8), hashlib.sha256).digest()
    keys = [(1, 0), (1, 7), (2, 3)]
    return {
        "account_key": text(key),
        "bill_id": {
            "period": 202601,
            "revision": 2,
            "value": text(hmac.new(key, b"bill" + uint(202601, 4) + uint(2, 2), hashlib.sha256).digest()),
        },
        "prepayment": {
            "counter": 5,
            "tag": text(tag),
            "payer": text(payer),
            "value": text(bytes(keccak(encode_packed(["address", "bytes32"], [payer, tag])))),
        },
        "superseded": {
            "bills": keys,
            "value": text(bytes(keccak(encode_packed(["uint256"] * 3, [r << 32 | i for r, i in keys])))),
        },
    }


# --- signatures ---


def signed(name: str, contract: str, primary: str, types: dict[str, Any], message: dict[str, Any]) -> dict[str, Any]:
    domain_types = [
        {"name": "name", "type": "string"},
        {"name": "version", "type": "string"},
        {"name": "chainId", "type": "uint256"},
        {"name": "verifyingContract", "type": "address"},
    ]
    full = {
        "types": {"EIP712Domain": domain_types} | types,
        "primaryType": primary,
        "domain": {"name": name, "version": "1", "chainId": CHAIN_ID, "verifyingContract": contract},
        "message": message,
    }
    signable = encode_typed_data(full_message=full)
    signature = Account.sign_message(signable, KEY)
    return {
        "message": {k: text(v) if isinstance(v, bytes) else v for k, v in message.items()},
        "struct_hash": text(signable.body),
        "domain_separator": text(signable.header),
        "digest": text(bytes(signature.message_hash)),
        "signature": text(bytes(signature.signature)),
    }


def fields(*pairs: str) -> list[dict[str, str]]:
    return [dict(zip(("type", "name"), pair.split(), strict=True)) for pair in pairs]


def signatures(draw: random.Random) -> dict[str, Any]:
    header_type = fields(
        "uint32 source",
        "uint16 epoch",
        "uint48 sequence",
        "bytes24 previous",
        "bytes32 root",
        "uint32 count",
        "uint40 periodStart",
        "uint40 periodEnd",
        "bytes32 document",
    )
    header = {
        "source": 7,
        "epoch": 2,
        "sequence": 2**40 + 1,
        "previous": draw.randbytes(24),
        "root": draw.randbytes(32),
        "count": 60,
        "periodStart": 1767225600,
        "periodEnd": 1767229200,
        "document": bytes(32),
    }
    reset_type = fields("uint32 source", "uint16 epoch", "bytes24 previous", "bytes32 reason")
    reset = {"source": 7, "epoch": 3, "previous": draw.randbytes(24), "reason": draw.randbytes(32)}
    split_types = {
        "SplitAuthorization": fields(
            "address payer",
            "address spender",
            "uint256 maximum",
            "Purpose purpose",
            "uint256 nonce",
            "uint256 validBefore",
        ),
        "Purpose": fields("string action", "uint32 run", "uint32 index", "uint8 line", "address recipient"),
    }
    payer = Account.from_key(KEY).address
    pay = {
        "payer": payer,
        "spender": SETTLEMENT,
        "maximum": 604_32,
        "purpose": {"action": "pay", "run": 3, "index": 17, "line": 0, "recipient": "0x" + "00" * 20},
        "nonce": 515,
        "validBefore": 1_800_000_000,
    }
    refund = pay | {
        "maximum": 233_93,
        "purpose": {"action": "refund", "run": 4, "index": 1, "line": 2, "recipient": "0x" + "ab" * 20},
    }
    anchor, rouble = "Kopeck ReadingAnchor", "Kopeck Rouble"
    return {
        "chain_id": CHAIN_ID,
        "anchor": ANCHOR,
        "rouble": ROUBLE,
        "signer": payer,
        "private_key": text(KEY),
        "header": signed(anchor, ANCHOR, "BatchHeader", {"BatchHeader": header_type}, header),
        "reset": signed(anchor, ANCHOR, "EpochReset", {"EpochReset": reset_type}, reset),
        "pay": signed(rouble, ROUBLE, "SplitAuthorization", split_types, pay),
        "refund": signed(rouble, ROUBLE, "SplitAuthorization", split_types, refund),
    }


# --- division of money, by exact fractions ---


def largest_remainder(total: int, weights: list[int]) -> list[int]:
    shares = [Fraction(total * weight, sum(weights)) for weight in weights]
    parts = [int(share) for share in shares]
    places = sorted(range(len(weights)), key=lambda i: (parts[i] - shares[i], i))
    for i in places[: total - sum(parts)]:
        parts[i] += 1
    return parts


def divisions(draw: random.Random) -> list[dict[str, Any]]:
    cases = [(100, [1, 1, 1]), (1, [5, 5]), (0, [3, 4]), (7, [0, 3, 0, 4]), (2**48 - 1, [2**48 - 1, 1])]
    for _ in range(30):
        weights = [draw.choice((0, draw.randint(1, 10**6))) for _ in range(draw.randint(1, 31))]
        weights.append(draw.randint(1, 10**9))
        cases.append((draw.randint(0, sum(weights)), weights))
    return [{"total": total, "weights": w, "parts": largest_remainder(total, w)} for total, w in cases]


def main() -> None:
    """Writes the files; the seed is fixed, so the same code writes the same bytes."""
    draw = random.Random(20260101)
    files = {
        "trees": trees(draw),
        "readings": readings(draw),
        "bills": bills(draw),
        "small_leaves": small_leaves(draw),
        "names": names(draw),
        "signatures": signatures(draw),
        "divisions": divisions(draw),
    }
    for name, value in files.items():
        (HERE / f"{name}.json").write_text(json.dumps(value, indent=1) + "\n")


if __name__ == "__main__":
    main()
