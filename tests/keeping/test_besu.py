"""The files a Besu network starts from, held against the forms that Besu's documentation prints."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest
import rlp
from eth_keys import keys

from contracts.wire.ids import Address, address_text
from scripts.keeping.besu import BadNetwork, Network, Role
from scripts.network.genesis import extra_data

ROOT = Path(__file__).resolve().parents[2]
PRINTED_VALIDATORS = (
    "64a702e6263b7297a96638cac6ae65e6541f4169",
    "3923390ad55e90c237593b3b0e401f3b08a03185",
    "aefdb9a738c9f433e5b6b212a6d62f6370c2f692",
    "c7eeb9a4e00ce683cf93039b212648e01c6c6b78",
)
PRINTED = "f87aa0" + "00" * 32 + "f854" + "".join("94" + text for text in PRINTED_VALIDATORS) + "c080c0"
"""The extra data of the first example on Besu's page on QBFT; its second, without validators, is ``PRINTED_NONE``."""
PRINTED_NONE = "e5a0" + "00" * 32 + "c0c080c0"
PRIVATE = [bytes([number]) * 32 for number in range(1, 6)]


def enode(key: bytes, host: str) -> str:
    return f"enode://{keys.PrivateKey(key).public_key.to_bytes().hex()}@{host}:30303"


def listed(tmp_path: Path, *rows: tuple[str, str, str], starts_at: str = "2026-01-01T00:00:00Z") -> Path:
    path = tmp_path / "network.toml"
    nodes = "".join(f'[[node]]\nname = "{n}"\nrole = "{r}"\nenode = "{e}"\n' for n, r, e in rows)
    path.write_text(f"chain_id = 20355\nstarts_at = {starts_at}\n{nodes}")
    return path


def five() -> list[tuple[str, str, str]]:
    roles = ["validator"] * 4 + ["observer"]
    return [
        (f"node-{i}", role, enode(key, f"10.0.0.{i}"))
        for i, (role, key) in enumerate(zip(roles, PRIVATE, strict=True), 1)
    ]


def test_extra_data_is_that_of_besus_page_on_qbft() -> None:
    """But for the order: the page prints its validators unsorted, and tells to list them ascending, as we do."""
    in_order = "".join("94" + text for text in sorted(PRINTED_VALIDATORS))
    wanted = PRINTED.replace("".join("94" + text for text in PRINTED_VALIDATORS), in_order)
    assert extra_data([Address(bytes.fromhex(text)) for text in PRINTED_VALIDATORS]).hex() == wanted
    assert extra_data([]).hex() == PRINTED_NONE
    assert rlp.decode(bytes.fromhex(wanted)) == [
        b"\0" * 32,
        [bytes.fromhex(text) for text in sorted(PRINTED_VALIDATORS)],
        [],
        b"",
        [],
    ]


def test_genesis_has_the_fields_that_qbft_and_free_gas_ask_for(tmp_path: Path) -> None:
    network = Network.load(listed(tmp_path, *five()))
    genesis = network.genesis()
    judged = sorted(keys.PrivateKey(key).public_key.to_canonical_address() for key in PRIVATE[:4])
    assert rlp.decode(bytes.fromhex(genesis["extraData"][2:]))[1] == judged, "observers are not in it"
    assert genesis["config"]["zeroBaseFee"] is True
    assert genesis["mixHash"] == "0x63746963616c2062797a616e74696e65206661756c7420746f6c6572616e6365"
    assert (genesis["nonce"], genesis["difficulty"]) == ("0x0", "0x1")
    assert int(genesis["timestamp"], 16) == 1_767_225_600
    assert genesis["alloc"] == {}, "nobody needs the chain's own coin"


def test_every_node_lists_the_others_and_lets_nobody_else_in(tmp_path: Path) -> None:
    network = Network.load(listed(tmp_path, *five()))
    folder = tmp_path / "out"
    network.write(folder)
    allowed = tomllib.loads((folder / "permissions_config.toml").read_text())["nodes-allowlist"]
    assert allowed == [node.enode for node in network.nodes]
    for node in network.nodes:
        assert json.loads((folder / node.name / "static-nodes.json").read_text()) == [
            e for e in allowed if e != node.enode
        ]
        settings = tomllib.loads((folder / node.name / "besu.toml").read_text())
        assert settings["permissions-nodes-config-file-enabled"] is True
        assert settings["min-gas-price"] == 0
        assert settings["rpc-http-host"] == "127.0.0.1"
        assert settings["discovery-enabled"] is False
        assert ("QBFT" in settings["rpc-http-api"]) == (node.role is Role.VALIDATOR)
        assert not {"ADMIN", "DEBUG", "PERM", "MINER"} & set(settings["rpc-http-api"])
    with pytest.raises(FileExistsError, match="written once"):
        network.write(folder)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda rows: rows[:3], "3 validators bear no fault"),
        (lambda rows: [*rows, ("node-1", "observer", enode(b"\x09" * 32, "10.0.0.9"))], "same name: node-1"),
        (lambda rows: [*rows, ("twin", "observer", enode(PRIVATE[0], "10.0.0.9"))], "the same key"),
        (lambda rows: [*rows, ("twin", "observer", enode(b"\x09" * 32, "10.0.0.1"))], "the same place"),
        (lambda rows: [*rows, ("x", "miner", enode(b"\x09" * 32, "10.0.0.9"))], "a role is validator or observer"),
        (lambda rows: [*rows, ("x", "observer", enode(b"\x09" * 32, "node.example"))], "takes IP addresses"),
        (lambda rows: [*rows, ("x", "observer", "enode://00@10.0.0.9:30303")], "is no enode"),
        (lambda rows: [*rows, ("x", "observer", f"enode://{'00' * 64}@10.0.0.9:30303")], "keys that are points"),
    ],
)
def test_a_list_that_would_make_no_network_is_named(tmp_path: Path, change, told: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(BadNetwork, match=told):
        Network.load(listed(tmp_path, *change(five())))


def test_a_start_without_a_zone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadNetwork, match="with its zone"):
        Network.load(listed(tmp_path, *five(), starts_at="2026-01-01T00:00:00"))


def test_the_example_of_the_deployment_is_a_network() -> None:
    network = Network.load(ROOT / "deploy" / "besu" / "network.example.toml")
    assert len(network.validators) == 4
    assert len({address_text(address) for address in network.validators}) == 4
