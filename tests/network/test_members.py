"""The members of a network: their keys, against the library that defines how addresses are written."""

from __future__ import annotations

from pathlib import Path

from eth_utils.address import to_checksum_address

from scripts.home import Home
from scripts.network.members import drawn_validators, validator_addresses


def test_nodes_put_validators_into_one_order_by_bytes_and_by_text(tmp_path: Path) -> None:
    for number in range(40):  # of keys as they come, the two orders differ every sixth time
        home = Home(tmp_path / str(number))
        drawn = drawn_validators(home)
        texts = [to_checksum_address(address) for address in sorted(drawn)]
        assert texts == sorted(texts)
        assert drawn == validator_addresses(home) == drawn_validators(home)  # kept, and asked for again
