"""Erasures, held against eth-account: a wallet's personal message over the text that the protocol spells out."""

from __future__ import annotations

from dataclasses import replace

import pytest
from eth_account import Account
from eth_account.messages import encode_defunct

from contracts.wire.erasure import sign_erasure, signer_of
from contracts.wire.files import Erasure, FileError, LeafLine, encode_file, parse_file
from contracts.wire.ids import Hash, KeyId
from contracts.wire.keccak import keccak
from contracts.wire.typed_data import SignatureError, address_of

PRIVATE = bytes(range(1, 33))
LEAF, KEY, AT, ACT = Hash(b"\x11" * 32), KeyId(b"\x22" * 16), 1_767_225_600, "приказ 7"


def text(leaf: bytes = LEAF) -> bytes:
    """Docs/protocol.md §8, spelled out once more."""
    return b"kopeck erasure" + leaf + KEY + b"\x00\x69\x55\xb9\x00" + keccak(ACT.encode("utf-8"))


def test_a_wallet_s_personal_message_is_an_erasure_and_the_other_way_round() -> None:
    assert len(text()) == 99
    signed = Account.sign_message(encode_defunct(text()), PRIVATE)
    theirs = Erasure(KEY, AT, ACT, bytes(signed.signature))
    assert signer_of(LEAF, theirs) == address_of(PRIVATE)
    ours = sign_erasure(PRIVATE, LEAF, KEY, AT, ACT)
    found = Account.recover_message(encode_defunct(text()), signature=ours.signature)
    assert found == Account.from_key(PRIVATE).address


@pytest.mark.parametrize("change", [{"at": AT + 1}, {"act": "приказ 8"}, {"key": KeyId(b"\x23" * 16)}])
def test_another_time_act_or_key_is_another_text(change: dict[str, object]) -> None:
    erasure = sign_erasure(PRIVATE, LEAF, KEY, AT, ACT)
    assert signer_of(LEAF, replace(erasure, **change)) != address_of(PRIVATE)  # type: ignore[arg-type]


def test_an_erasure_is_worth_nothing_at_another_leaf() -> None:
    erasure = sign_erasure(PRIVATE, LEAF, KEY, AT, ACT)
    assert signer_of(Hash(b"\x12" * 32), erasure) != address_of(PRIVATE)


def test_an_empty_signature_is_nobody_s() -> None:
    with pytest.raises(SignatureError):
        signer_of(LEAF, Erasure(KEY, AT, ACT, bytes(65)))


@pytest.mark.parametrize(
    ("good", "bad"),
    [(b'"at":1767225600', b'"at":1099511627776'), (b'"at":1767225600', b'"at":-1'), (b'"act":"7"', b'"act":"\\ud800"')],
)
def test_a_file_with_an_erasure_over_which_nothing_can_be_signed_is_refused(good: bytes, bad: bytes) -> None:
    data = encode_file({}, [LeafLine(LEAF, erased=sign_erasure(PRIVATE, LEAF, KEY, AT, "7"))])
    assert parse_file(data)[1][0].erased is not None
    assert good in data
    with pytest.raises(FileError, match="not a leaf"):
        parse_file(data.replace(good, bad))
