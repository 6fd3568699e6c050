"""What a node of the reader's choosing adds to a capsule: that it has the signed block, and the bill's state now."""

from __future__ import annotations

from dataclasses import dataclass

from contracts.client.deployments import WrongChain
from contracts.client.rpc import NodeBehind, Rpc
from contracts.wire.capsule import Trust
from contracts.wire.capsule_check import Verdict
from contracts.wire.checkpoint import Checkpoint
from contracts.wire.ids import BillKey, BillState
from contracts.wire.keccak import keccak


@dataclass
class SplitView(Exception):
    """The node has another block than the observers signed."""

    checkpoint: Checkpoint
    node_hash: str

    def __str__(self) -> str:
        return (
            f"split view: the observers signed 0x{self.checkpoint.block.hex()} at height {self.checkpoint.height}, the "
            f"node has {self.node_hash}; keep the capsule, write down the node, and show both to the regulator"
        )


def ask_node(rpc: Rpc, verdict: Verdict, trust: Trust) -> BillState:
    """The bill's state at the node's latest block. Raises WrongChain, NodeBehind, SplitView, NodeError."""
    found = int(rpc.call("eth_chainId"), 16)
    if found != trust.chain_id:
        raise WrongChain(trust.chain_id, found)
    point = verdict.checkpoint
    block = rpc.call("eth_getBlockByNumber", hex(point.height), False)
    if block is None:
        raise NodeBehind(rpc.url, int(rpc.call("eth_blockNumber"), 16), point.height)
    if block["hash"] != "0x" + point.block.hex():
        raise SplitView(point, block["hash"])
    return _state(rpc, trust, verdict.key)


def _state(rpc: Rpc, trust: Trust, key: BillKey) -> BillState:
    selector = keccak(b"stateOf(uint32,uint32)")[:4]
    data = selector + int(key.run).to_bytes(32, "big") + key.index.to_bytes(32, "big")
    call = {"to": "0x" + trust.charge_book.hex(), "data": "0x" + data.hex()}
    return BillState(int(rpc.call("eth_call", call, "latest"), 16))
