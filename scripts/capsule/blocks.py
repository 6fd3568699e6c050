"""A block as its hash has it: the header's RLP and the trie over its receipts, made again from a node's JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from contracts.client.rpc import Rpc, RpcError
from contracts.wire.ids import Hash
from contracts.wire.keccak import keccak
from contracts.wire.rlp import Item, RlpError, encode_rlp, rlp_list, rlp_uint
from contracts.wire.trie import Trie

_HEADER = (
    "parentHash",
    "sha3Uncles",
    "miner",
    "stateRoot",
    "transactionsRoot",
    "receiptsRoot",
    "logsBloom",
    "difficulty",
    "number",
    "gasLimit",
    "gasUsed",
    "timestamp",
    "extraData",
    "mixHash",
    "nonce",
    "baseFeePerGas",
    "withdrawalsRoot",
    "blobGasUsed",
    "excessBlobGas",
    "parentBeaconBlockRoot",
    "requestsHash",
)
"""The fields in the order of their forks; those after the nonce are there from their fork on."""
_NUMBERS = {
    "difficulty",
    "number",
    "gasLimit",
    "gasUsed",
    "timestamp",
    "baseFeePerGas",
    "blobGasUsed",
    "excessBlobGas",
}
_EXTRA = _HEADER.index("extraData")


class UnprovableBlock(ValueError):
    """What the node gives of a block does not lead to its own hash or root."""

    def __init__(self, number: int, what: str) -> None:
        super().__init__(
            f"block {number}: the node's {what}, so nothing can be proved by it; ask another node (a node whose "
            "blocks have fields that this version does not know needs a newer one)"
        )


@dataclass(frozen=True)
class FullBlock:
    """A block with what proves its receipts; ``receipts`` are as the trie holds them."""

    number: int
    hash: Hash
    timestamp: int
    header: bytes
    receipts: tuple[bytes, ...]
    trie: Trie

    @classmethod
    def fetch(cls, rpc: Rpc, number: int) -> FullBlock:
        """Reads a block and its receipts. Raises UnprovableBlock, NodeError."""
        raw = rpc.call("eth_getBlockByNumber", hex(number), False)
        if raw is None:
            raise UnprovableBlock(number, "chain has no such block")
        header = header_bytes(raw)
        if header is None:
            raise UnprovableBlock(number, "header does not lead to the block's hash")
        receipts = tuple(receipt_bytes(receipt) for receipt in _receipts(rpc, raw))
        trie = Trie(receipts)
        if trie.root != bytes.fromhex(raw["receiptsRoot"][2:]):
            raise UnprovableBlock(number, "receipts do not lead to the header's receiptsRoot")
        return cls(number, Hash(keccak(header)), int(raw["timestamp"], 16), header, receipts, trie)


def _receipts(rpc: Rpc, raw: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    try:
        return list(rpc.call("eth_getBlockReceipts", raw["number"]))
    except RpcError:  # a node that does not know the method
        return rpc.batch([("eth_getTransactionReceipt", [name]) for name in raw["transactions"]])


def header_bytes(raw: Mapping[str, Any]) -> bytes | None:
    """The RLP that hashes to the block's hash; None where no known spelling does."""
    wanted = bytes.fromhex(raw["hash"][2:])
    return next((encoded for encoded in header_spellings(raw) if keccak(encoded) == wanted), None)


def header_spellings(raw: Mapping[str, Any]) -> Iterator[bytes]:
    """The RLP of a header in each spelling that some engine hashes, the plain one first."""
    fields = [_field(name, raw[name]) for name in _HEADER if raw.get(name) is not None]
    for spelling in _spellings(fields):
        yield encode_rlp(spelling)


def _spellings(fields: list[bytes]) -> Iterator[list[bytes]]:
    """The header as it is; and as QBFT hashes it, without what validators add after they agreed on the block."""
    yield fields
    try:
        extra = rlp_list(fields[_EXTRA])
    except RlpError:
        return
    if len(extra) == 5:
        for number in (extra[3], b""):
            stripped: list[Item] = [*extra[:3], number, []]
            yield [*fields[:_EXTRA], encode_rlp(stripped), *fields[_EXTRA + 1 :]]


def _field(name: str, text: str) -> bytes:
    return rlp_uint(int(text, 16)) if name in _NUMBERS else bytes.fromhex(text[2:])


def receipt_bytes(raw: Mapping[str, Any]) -> bytes:
    """A receipt as the trie holds it (EIP-2718), from the node's JSON."""
    logs: list[Item] = [
        [
            bytes.fromhex(log["address"][2:]),
            [bytes.fromhex(topic[2:]) for topic in log["topics"]],
            bytes.fromhex(log["data"][2:]),
        ]
        for log in raw["logs"]
    ]
    # Before Byzantium a receipt held a root instead of a status; none of our chains is that old.
    body: list[Item] = [
        rlp_uint(int(raw["status"], 16)),
        rlp_uint(int(raw["cumulativeGasUsed"], 16)),
        bytes.fromhex(raw["logsBloom"][2:]),
        logs,
    ]
    kind = int(raw.get("type", "0x0"), 16)
    return (bytes((kind,)) if kind else b"") + encode_rlp(body)
