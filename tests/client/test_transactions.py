"""Signed transactions, byte for byte, against eth-account; addresses of creations against eth-utils' rule."""

from __future__ import annotations

from eth_account import Account
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.client.signer import LocalSigner
from contracts.client.transactions import Transaction, create_address
from contracts.wire.ids import Address, address_text
from contracts.wire.typed_data import address_of
from tests.client.chain import Node

NUMBER = st.one_of(st.integers(0, 300), st.integers(0, 2**40))


@given(
    key=st.binary(min_size=32, max_size=32).filter(lambda k: 0 < int.from_bytes(k, "big") < 2**255),
    nonce=NUMBER,
    gas=st.integers(21_000, 30_000_000),
    max_fee=NUMBER,
    tip=NUMBER,
    to=st.one_of(st.none(), st.binary(min_size=20, max_size=20).map(Address)),
    data=st.one_of(st.binary(max_size=70), st.binary(min_size=250, max_size=70_000)),
)
@settings(max_examples=150, deadline=None)
def test_the_bytes_are_those_of_eth_account(  # noqa: PLR0917  hypothesis draws each
    key: bytes, nonce: int, gas: int, max_fee: int, tip: int, to: Address | None, data: bytes
) -> None:
    raw, tx_hash = Transaction(31337, nonce, to, data, gas, max_fee, tip).sign(LocalSigner(key))
    judge = Account.sign_transaction(
        {
            "type": 2,
            "chainId": 31337,
            "nonce": nonce,
            "gas": gas,
            "maxFeePerGas": max_fee,
            "maxPriorityFeePerGas": tip,
            "to": address_text(to) if to else "",
            "value": 0,
            "data": data,
        },
        key,
    )
    assert raw == judge.raw_transaction
    assert tx_hash == judge.hash


@given(
    key=st.binary(min_size=32, max_size=32).filter(lambda k: 0 < int.from_bytes(k, "big") < 2**255),
    nonce=NUMBER,
    gas=st.integers(21_000, 30_000_000),
    price=NUMBER,
    to=st.one_of(st.none(), st.binary(min_size=20, max_size=20).map(Address)),
    data=st.one_of(st.binary(max_size=70), st.binary(min_size=250, max_size=70_000)),
)
@settings(max_examples=100, deadline=None)
def test_the_older_form_too_is_eth_accounts(  # noqa: PLR0917  hypothesis draws each
    key: bytes, nonce: int, gas: int, price: int, to: Address | None, data: bytes
) -> None:
    raw, tx_hash = Transaction(20354, nonce, to, data, gas, price, is_legacy=True).sign(LocalSigner(key))
    judge = Account.sign_transaction(
        {
            "chainId": 20354,
            "nonce": nonce,
            "gas": gas,
            "gasPrice": price,
            "to": address_text(to) if to else "",
            "value": 0,
            "data": data,
        },
        key,
    )
    assert raw == judge.raw_transaction
    assert tx_hash == judge.hash


def test_a_contract_lands_where_its_creators_nonce_says(node: Node) -> None:
    key = b"\x29" * 32
    for nonce in range(3):
        raw, tx_hash = Transaction(31337, nonce, None, bytes.fromhex("600080f3"), 100_000).sign(LocalSigner(key))
        node.rpc.call("eth_sendRawTransaction", "0x" + raw.hex())
        while (receipt := node.rpc.call("eth_getTransactionReceipt", "0x" + tx_hash.hex())) is None:
            pass
        assert receipt["contractAddress"] == "0x" + create_address(address_of(key), nonce).hex()
