"""The first block's extra data and the nodes' names, against the libraries that define the encodings."""

from __future__ import annotations

import rlp  # type: ignore[import-untyped]
from eth_keys.datatypes import PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.wire.ids import Address
from contracts.wire.typed_data import address_of
from scripts.network.genesis import extra_data, genesis
from scripts.network.node import enode

KEY = st.binary(min_size=32, max_size=32).filter(lambda key: 0 < int.from_bytes(key, "big") < 2**255)


@settings(max_examples=30, deadline=None)
@given(st.lists(KEY, min_size=1, max_size=7, unique=True))
def test_extra_data_is_vanity_validators_vote_round_and_seals(drawn: list[bytes]) -> None:
    validators = [address_of(key) for key in drawn]
    vanity, found, vote, number, seals = rlp.decode(extra_data(validators))
    assert vanity == bytes(32)
    assert found == sorted(bytes(PrivateKey(key).public_key.to_canonical_address()) for key in drawn)
    assert (vote, number, seals) == ([], b"", [])
    assert extra_data(validators[::-1]) == extra_data(validators)  # the same block, whoever writes it down


@settings(max_examples=30, deadline=None)
@given(KEY)
def test_a_node_is_named_by_its_public_key(key: bytes) -> None:
    name = enode(key, "192.0.2.1:30303")
    assert name == f"enode://{PrivateKey(key).public_key.to_hex()[2:]}@192.0.2.1:30303?discport=0"


def test_gas_is_free_and_no_rule_is_later_than_the_engine_knows() -> None:
    document = genesis([Address(b"\x01" * 20)], 1_767_225_600)
    assert "baseFeePerGas" not in document
    assert "londonBlock" not in document["config"]
    assert document["config"]["isQuorum"] is True  # without it GoQuorum would ask for a gas price
    assert document["timestamp"] == "0x6955b900"
