"""The browser's recovery of a signer against libsecp256k1 (coincurve), signatures of nobody included."""

from __future__ import annotations

import random
import shutil
import subprocess
from pathlib import Path

import pytest
from coincurve import PrivateKey, PublicKey

ROOT = Path(__file__).resolve().parents[2]
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
PROGRAM = """
import { readFileSync } from "node:fs";
import { recoverKey } from "./webapp/static/secp256k1.mjs";
const bytes = (text) => Uint8Array.from(Buffer.from(text, "hex"));
for (const line of readFileSync(0, "utf8").trim().split("\\n")) {
  const [digest, signature] = line.split(" ").map(bytes);
  const key = recoverKey(digest, signature);
  console.log(key ? Buffer.from(key).toString("hex") : "none");
}
"""

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")


def _cases() -> list[tuple[bytes, bytes]]:
    draw = random.Random(5)
    out = []
    for number in range(120):
        secret = draw.randrange(1, ORDER) if number % 4 else draw.choice((1, 2, 3, ORDER - 1))
        digest = draw.choice((draw.randbytes(32), bytes(32), b"\xff" * 32))
        raw = PrivateKey(secret.to_bytes(32, "big")).sign_recoverable(digest, hasher=None)
        out.append((digest, raw[:64] + bytes((27 + raw[64],))))
        out.append((digest, raw[:64] + bytes((28 - raw[64],))))  # the other point of the same x
        out.append((digest, draw.randbytes(32) + raw[32:64] + b"\x1b"))
    for r, s in ((0, 1), (1, 0), (ORDER, 1), (1, ORDER), (1, ORDER // 2 + 1), (1, 1), (5, 1)):
        out.append((b"\x01" * 32, r.to_bytes(32, "big") + s.to_bytes(32, "big") + b"\x1c"))
    return out


def _expected(digest: bytes, signature: bytes) -> str:
    if int.from_bytes(signature[32:64], "big") > ORDER // 2:
        return "none"
    try:
        raw = signature[:64] + bytes((signature[64] - 27,))
        return PublicKey.from_signature_and_message(raw, digest, hasher=None).format(compressed=False)[1:].hex()
    except Exception:  # the library's ways to say that there is no such key
        return "none"


def test_recovers_whom_libsecp256k1_recovers() -> None:
    cases = _cases()
    given = "\n".join(f"{digest.hex()} {signature.hex()}" for digest, signature in cases)
    done = subprocess.run(
        ["node", "--input-type=module", "-e", PROGRAM],
        input=given,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    expected = [_expected(*case) for case in cases]
    assert done.stdout.split() == expected
    assert 0 < expected.count("none") < len(expected) // 2
