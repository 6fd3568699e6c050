"""What the chain itself says of a whole play: logs, transactions, times of blocks, and the files that roots name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from eth_abi.abi import decode

from contracts.client.files import FileSource
from contracts.client.reader import Reader
from contracts.wire.events import Event, GrantsPosted, RunProposed
from contracts.wire.files import parse_file
from contracts.wire.ids import Address, BillKey, Hash
from contracts.wire.keccak import keccak
from contracts.wire.leaf import BillBlob, Grant, decode_bill, decode_grant

PROVEN = "(uint32,uint32,bytes,bytes32[])"
SPLIT = "(address,uint256,uint256,uint256,bytes)"
HEADER = "(uint32,uint16,uint48,bytes24,bytes32,uint32,uint40,uint40,bytes32)"
_SIGNATURES = {
    "pay": (PROVEN, "uint256"),
    "payBatch": ("bytes32", "uint32", "uint256", "bytes", "bytes32[]"),
    "payOrder": (PROVEN, SPLIT),
    "payOrders": (f"{PROVEN}[]", f"{SPLIT}[]"),
    "applyGrants": (f"(uint32,uint32,bytes,bytes32[],{PROVEN})[]",),
    "refund": (PROVEN, PROVEN, "uint8", "address", "address", SPLIT),
    "prepay": ("uint16", "uint48", "bytes32"),
    "transfer": ("address", "uint256"),
    "transferFrom": ("address", "address", "uint256"),
    "redeem": ("uint256", "bytes32"),
    "seize": ("address", "address", "uint256", "bytes32"),
    "anchor": (HEADER, "bytes"),
}
_SELECTORS = {keccak(f"{name}({','.join(types)})".encode())[:4]: name for name, types in _SIGNATURES.items()}


@dataclass(frozen=True)
class Sent:
    """A transaction: who sent it, to which contract, and what it called, by eth-abi."""

    sender: Address
    to: str
    function: str
    args: tuple[Any, ...]


@dataclass(frozen=True)
class History:
    """All a checker may look at. Frozen: a doctored one is made with ``dataclasses.replace``."""

    chain_id: int
    addresses: Mapping[str, Address]
    events: tuple[Event, ...]
    sent: Mapping[Hash, Sent]
    times: Mapping[int, int]
    bills: Mapping[BillKey, BillBlob]
    grants: Mapping[tuple[int, int], Grant]
    balances: Mapping[Address, int]
    supply: int

    def by_transaction(self) -> Iterator[tuple[Hash, list[Event]]]:
        """The events of each transaction, in the chain's order."""
        for name, events in groupby(self.events, key=lambda event: event.log.tx_hash):
            yield name, list(events)

    def time_of(self, event: Event) -> int:
        return self.times[event.log.block_number]


def read_history(reader: Reader, files: FileSource) -> History:
    """Reads everything since the deployment. Raises FileError where a file does not lead to its root."""
    head = reader.head()
    events = tuple(reader.events(reader.deployment.first_block, head.number))
    names = sorted({event.log.tx_hash for event in events})
    raw = reader.rpc.batch([("eth_getTransactionByHash", ["0x" + name.hex()]) for name in names])
    contracts = {"0x" + address.hex(): name for name, address in reader.deployment.addresses.items()}
    bills: dict[BillKey, BillBlob] = {}
    grants: dict[tuple[int, int], Grant] = {}
    for event in events:
        if isinstance(event, RunProposed):
            for index, blob in enumerate(_blobs(files, "bills", event.proposal.root)):
                bills[BillKey(event.run, index)] = decode_bill(blob)
        if isinstance(event, GrantsPosted):
            for index, blob in enumerate(_blobs(files, "grants", event.root)):
                grants[event.batch, index] = decode_grant(blob)
    wallets = sorted({a for event in events for a in (getattr(event, "from_", None), getattr(event, "to", None)) if a})
    found = reader.views([("Rouble", "balanceOf", [wallet]) for wallet in wallets])
    return History(
        reader.deployment.chain_id,
        reader.deployment.addresses,
        events,
        {name: _sent(tx, contracts) for name, tx in zip(names, raw, strict=True)},
        {block.number: block.timestamp for block in reader.blocks(reader.deployment.first_block, head.number)},
        bills,
        grants,
        dict(zip(wallets, found, strict=True)),
        reader.view("Rouble", "totalSupply"),
    )


def _blobs(files: FileSource, kind: str, root: Hash) -> list[bytes]:
    data = files.get(kind, root)
    assert data is not None, f"the file {kind}/{root.hex()} is missing"
    _, lines = parse_file(data, root)
    return [line.blob for line in lines if line.blob is not None]


def _sent(raw: Mapping[str, Any], contracts: Mapping[str, str]) -> Sent:
    data = bytes.fromhex(raw["input"][2:])
    to = contracts.get((raw["to"] or "").lower(), "")
    function = _SELECTORS.get(data[:4], "") if to else ""
    args = decode(_SIGNATURES[function], data[4:]) if function else ()
    return Sent(Address(bytes.fromhex(raw["from"][2:])), to, function, tuple(args))
