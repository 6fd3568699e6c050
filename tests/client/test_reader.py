"""The reader on a real chain: blocks and finality, logs that web3 decodes alike, views, refusals."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from sqlalchemy import Engine
from web3 import HTTPProvider, Web3

from contracts.client import abi
from contracts.client.deployments import Deployment
from contracts.client.reader import Reader
from contracts.client.rpc import Rpc, RpcError
from contracts.client.sender import Sender
from contracts.wire.calls import encode_approve, encode_mint, encode_transfer
from contracts.wire.errors import RoubleBalanceTooLow, RoubleDepositAlreadyMinted
from contracts.wire.events import Approval, Minted, Transfer
from contracts.wire.ids import Address, Hash, address_text
from contracts.wire.typed_data import address_of
from tests.client.chain import CHAIN_ID, Node, anvil
from tests.client.conftest import KEYS

HOLDER = Address(b"\x42" * 20)
DEPOSIT = Hash(b"\x07" * 32)


@pytest.fixture(scope="module")
def traffic(node: Node, deployment: Deployment, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Some token traffic by the bank."""
    from tests.client.conftest import open_engine

    engine: Engine = open_engine(tmp_path_factory.mktemp("traffic") / "sender.db")
    bank = Sender(engine, Rpc(node.url), CHAIN_ID, KEYS["bank"])
    rouble = deployment.addresses["Rouble"]
    own = address_of(KEYS["bank"])
    bank.submit("mint", rouble, encode_mint(own, 1_000, DEPOSIT), gas=200_000)
    bank.submit("move", rouble, encode_transfer(HOLDER, 400), gas=200_000)
    bank.submit("allow", rouble, encode_approve(HOLDER, 300), gas=200_000)
    for name in ("mint", "move", "allow"):
        bank.wait(name, check=True)
    return ["mint", "move", "allow"]


@pytest.mark.usefixtures("traffic")
def test_events_are_those_that_web3_finds(node: Node, deployment: Deployment, reader: Reader) -> None:
    head = reader.head().number
    ours = [e for e in reader.events(deployment.first_block, head) if isinstance(e, Transfer | Minted | Approval)]
    judge = Web3(HTTPProvider(node.url))
    rouble: Any = judge.eth.contract(
        address=Web3.to_checksum_address(address_text(deployment.addresses["Rouble"])),
        abi=abi.artifact("Rouble")["abi"],
    )
    found = []
    for name in ("Transfer", "Minted", "Approval"):
        found += getattr(rouble.events, name)().get_logs(from_block=0)
    found.sort(key=lambda log: (log["blockNumber"], log["logIndex"]))
    assert [(type(e).__name__, e.log.block_number, e.log.log_index, e.log.tx_hash) for e in ours] == [
        (log["event"], log["blockNumber"], log["logIndex"], bytes(log["transactionHash"])) for log in found
    ]
    mint, minted, move, allow = ours
    assert isinstance(mint, Transfer)
    assert isinstance(minted, Minted)
    assert (minted.amount, minted.deposit) == (1_000, DEPOSIT)
    assert isinstance(move, Transfer)
    assert (move.from_, move.to, move.value) == (address_of(KEYS["bank"]), HOLDER, 400)
    assert isinstance(allow, Approval)
    assert allow.value == 300


@pytest.mark.usefixtures("traffic")
def test_events_by_block_hash_and_by_range_are_the_same(deployment: Deployment, reader: Reader) -> None:
    blocks = reader.blocks(deployment.first_block, reader.head().number)
    each = reader.events_of_each([block.hash for block in blocks])
    assert [event for events in each for event in events] == reader.events(blocks[0].number, blocks[-1].number)
    assert [reader.events_of(block.hash) for block in blocks] == each


def test_blocks_are_linked_and_end_at_the_head(reader: Reader) -> None:
    head = reader.head()
    blocks = reader.blocks(0, head.number + 5)
    assert [block.number for block in blocks] == list(range(len(blocks)))
    assert len(blocks) > head.number
    assert all(later.parent == earlier.hash for earlier, later in pairwise(blocks))
    assert all(later.timestamp >= earlier.timestamp for earlier, later in pairwise(blocks))
    assert reader.block(head.number) == head
    assert reader.block(10**9) is None
    assert reader.block_of(head.hash) == head
    assert reader.block_of(Hash(b"\x01" * 32)) is None


def test_finality_is_twelve_blocks_behind_the_head(deployment: Deployment) -> None:
    with anvil() as still:
        reader = Reader(still.rpc, deployment)
        assert reader.finalized().number == 0
        still.mine(20)
        assert (reader.head().number, reader.finalized().number) == (20, 8)


def test_a_range_that_the_node_finds_too_large_is_asked_in_halves(
    reader: Reader, deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    last = reader.head().number
    whole = reader.events(deployment.first_block, last)
    ask = reader.rpc.call

    def capped(method: str, *params: Any) -> Any:
        if method == "eth_getLogs" and int(params[0]["toBlock"], 16) - int(params[0]["fromBlock"], 16) > 3:
            raise RpcError(method, -32005, "query exceeds max block range")
        return ask(method, *params)

    monkeypatch.setattr(reader.rpc, "call", capped)
    assert reader.events(deployment.first_block, last) == whole


@pytest.mark.usefixtures("traffic")
def test_views_come_in_types_of_our_own(reader: Reader, deployment: Deployment) -> None:
    assert reader.view("Rouble", "balanceOf", HOLDER) == 400
    assert reader.view("Rouble", "symbol")
    assert reader.view("Registry", "authority") == deployment.addresses["AccessManager"]
    assert reader.views([("Rouble", "balanceOf", [HOLDER]), ("Rouble", "decimals", [])]) == [400, 2]


@pytest.mark.usefixtures("traffic")
def test_what_would_be_refused_is_told_without_sending(reader: Reader) -> None:
    with pytest.raises(RoubleBalanceTooLow) as caught:
        reader.simulate(HOLDER, "Rouble", encode_transfer(HOLDER, 500))
    assert (caught.value.account, caught.value.balance, caught.value.needed) == (HOLDER, 400, 500)
    with pytest.raises(RoubleDepositAlreadyMinted):
        reader.simulate(address_of(KEYS["bank"]), "Rouble", encode_mint(HOLDER, 1, DEPOSIT))
    assert int.from_bytes(reader.simulate(HOLDER, "Rouble", encode_transfer(HOLDER, 400)), "big") == 1
