"""Keys that a signer apart holds: the same transactions, and each way it can fail told apart."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from eth_account import Account
from eth_keys import keys
from eth_utils import keccak
from sqlalchemy import Engine

from contracts.client.attach import HALTING, WRONG_KEY, halt_code
from contracts.client.rpc import NodeError
from contracts.client.sender import Sender
from contracts.client.signer import (
    LocalSigner,
    NoKey,
    RemoteSigner,
    SignerAway,
    SignerRefused,
    open_signer,
    public_key_of,
)
from contracts.client.transactions import Transaction
from contracts.wire.ids import Address, address_text
from scripts.home import Home
from scripts.processes import free_port
from tests.client.chain import CHAIN_ID, Node
from tests.client.web3signer import Answer, Web3Signer, web3signer

KEY = b"\x61" * 32
OTHER = b"\x62" * 32
TO = Address(b"\x44" * 20)
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


@pytest.fixture
def apart() -> Iterator[Web3Signer]:
    with web3signer([KEY]) as running:
        yield running


def remote(apart: Web3Signer, key: bytes = KEY) -> RemoteSigner:
    return RemoteSigner(apart.url, keys.PrivateKey(key).public_key.to_bytes())


def test_a_transaction_signed_apart_is_eth_accounts_to_the_byte(apart: Web3Signer) -> None:
    raw, tx_hash = Transaction(31337, 5, TO, b"\x01\x02", 60_000, 9, 2).sign(remote(apart))
    judge = Account.sign_transaction(
        {
            "type": 2,
            "chainId": 31337,
            "nonce": 5,
            "gas": 60_000,
            "maxFeePerGas": 9,
            "maxPriorityFeePerGas": 2,
            "to": address_text(TO),
            "value": 0,
            "data": b"\x01\x02",
        },
        KEY,
    )
    assert (raw, tx_hash) == (judge.raw_transaction, judge.hash)
    assert apart.malformed == []
    assert apart.signed[0][0] == 2, "the signer is given the transaction, which it can read, not a digest"


def test_both_kinds_of_signer_say_the_same_of_a_key(apart: Web3Signer) -> None:
    near, far = LocalSigner(KEY), remote(apart)
    assert near.address == far.address == Address(bytes.fromhex(Account.from_key(KEY).address[2:]))
    for message in (b"", b"\x00", b"a" * 70_000):
        assert near.sign(message) == far.sign(message)
    assert public_key_of(KEY) == keys.PrivateKey(KEY).public_key.to_bytes()


def test_a_sender_whose_key_is_elsewhere_sends(apart: Web3Signer, node: Node, engine: Engine) -> None:
    ours = Sender(engine, node.rpc, CHAIN_ID, remote(apart))
    ours.submit_many([(f"n{number}", TO, bytes((number,)), 60_000) for number in range(5)])
    outcomes = [ours.wait(f"n{number}") for number in range(5)]
    assert all(outcome.success for outcome in outcomes)
    assert len(apart.signed) == 5


def test_while_the_signer_is_away_intents_wait_and_what_is_signed_is_sent(node: Node, engine: Engine) -> None:
    port = free_port()
    with web3signer([OTHER], port) as running:
        ours = Sender(engine, node.rpc, CHAIN_ID, remote(running, OTHER))
        ours.submit("first", TO, b"first", 60_000)
        ours.advance()
    ours.submit("second", TO, b"second", 60_000)
    with pytest.raises(SignerAway, match="start it"):
        ours.advance()
    with pytest.raises(SignerAway):
        ours.wait("second", timeout_s=0.3)
    assert ours.outcome("first") is not None, "what was signed before goes on"
    assert ours.outcome("second") is None
    with web3signer([OTHER], port):
        assert ours.wait("second").success
    assert issubclass(SignerAway, NodeError), "a process waits for it as it waits for its node"


def high_s(key: bytes, data: bytes) -> tuple[int, str]:
    signed = Account.unsafe_sign_hash(keccak(data), key)
    return 200, f"0x{signed.r:064x}{ORDER - signed.s:064x}{55 - signed.v:02x}"


def unhashed(key: bytes, data: bytes) -> tuple[int, str]:
    signed = Account.unsafe_sign_hash(data[:32].ljust(32, b"\0"), key)
    return 200, f"0x{signed.r:064x}{signed.s:064x}{signed.v:02x}"


def of_another_key(_key: bytes, data: bytes) -> tuple[int, str]:
    signed = Account.unsafe_sign_hash(keccak(data), OTHER)
    return 200, f"0x{signed.r:064x}{signed.s:064x}{signed.v:02x}"


def bare_bit(key: bytes, data: bytes) -> tuple[int, str]:
    signed = Account.unsafe_sign_hash(keccak(data), key)
    return 200, f"0x{signed.r:064x}{signed.s:064x}{signed.v - 27:02x}"


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (of_another_key, "another key under this name"),
        (unhashed, "or hashes otherwise"),
        (high_s, "high s"),
        (bare_bit, "end in 27 or 28"),
        (lambda _key, _data: (200, "0x1234"), "which is no signature"),
        (lambda _key, _data: (200, "<html>"), "which is no signature"),
        (lambda _key, _data: (400, "Bad Request"), "status 400"),
        (lambda _key, _data: (403, "no"), "status 403"),
    ],
)
def test_an_answer_that_is_not_our_signature_is_refused(apart: Web3Signer, answer: Answer, told: str) -> None:
    apart.answer = answer
    with pytest.raises(SignerRefused, match=told) as refused:
        remote(apart).sign(b"message")
    assert isinstance(refused.value, HALTING)
    assert halt_code(refused.value) == WRONG_KEY


def test_an_unknown_key_and_a_broken_signer_are_told_apart(apart: Web3Signer) -> None:
    with pytest.raises(SignerRefused, match=r"holds no such key; load it there"):
        remote(apart, OTHER).sign(b"message")
    apart.answer = lambda _key, _data: (500, "Internal error")
    with pytest.raises(SignerAway, match="status 500"):
        remote(apart).sign(b"message")


def test_the_environment_says_where_keys_are_and_there_is_no_way_back(
    apart: Web3Signer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = Home(tmp_path / "town")
    own = home.key("biller")
    assert open_signer(home.root, "biller", {}).address == LocalSigner(own).address
    there = {"KOPECK_SIGNER_URL": apart.url}
    with pytest.raises(NoKey, match=r"biller\.pub: is not there"):
        open_signer(home.root, "biller", there)  # the key beside it is not taken
    public = home.root / "keys" / "biller.pub"
    public.write_text("0x" + public_key_of(KEY).hex() + "\n")
    found = open_signer(home.root, "biller", there)
    assert found.address == LocalSigner(KEY).address
    assert found.sign(b"m") == LocalSigner(KEY).sign(b"m")
    monkeypatch.setenv("KOPECK_SIGNER_URL", apart.url)
    assert home.signer("biller").address == home.address("biller") == LocalSigner(KEY).address
    public.write_text("0x1234")
    with pytest.raises(NoKey, match="public key of 64 bytes"):
        open_signer(home.root, "biller", there)
    with pytest.raises(NoKey, match=r"nobody\.key"):
        open_signer(home.root, "nobody", {})


@pytest.mark.parametrize("url", ["http://signer.example:9000", "http://10.0.0.7:9000", "ftp://127.0.0.9"])
def test_plain_http_to_another_host_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="use https"):
        RemoteSigner(url, public_key_of(KEY))
    assert RemoteSigner("https://signer.example:9000", public_key_of(KEY)).address == LocalSigner(KEY).address
