"""Events as the blocks themselves prove them: headers linked by their hashes, receipts by the headers' roots.

A node that answers ``eth_getLogs`` can leave a log out and nobody sees it. It can't leave one out here: the bloom of a
header whose hash is known says whether a block may hold a log of a contract, and the receipts of such a block must hash
to the header's root.
"""

from __future__ import annotations

from collections.abc import Iterator

from contracts.client.reader import Reader
from contracts.wire.capsule_events import events_of_receipt
from contracts.wire.events import Event
from contracts.wire.ids import Hash
from contracts.wire.keccak import keccak
from contracts.wire.rlp import rlp_list, rlp_string
from scripts.capsule.blocks import FullBlock, UnprovableBlock, header_bytes
from scripts.statement.chain import BLOCKS_AT_ONCE

_PARENT, _BLOOM = 0, 6
_BLOOM_BITS = 2048


def events_in_proven_blocks(reader: Reader, tip: Hash, height: int) -> Iterator[tuple[int, list[Event]]]:
    """Block by block from the deployment's first up to ``height``, whose hash is ``tip``: the events of our contracts,
    without their places. Blocks that hold none are given too. Raises UnprovableBlock, NodeError, LogError."""
    first = reader.deployment.first_block
    contracts = {bytes(address): name for name, address in reader.deployment.addresses.items()}
    masks = [bloom_of(address) for address in contracts]
    for number, name, bloom in reversed(list(_linked(reader, tip, first, height))):
        if not any(bloom & mask == mask for mask in masks):
            yield number, []
            continue
        block = FullBlock.fetch(reader.rpc, number)
        if block.hash != name:
            raise UnprovableBlock(number, "answers are of two histories")
        yield number, [event for data in block.receipts for event in events_of_receipt(data, contracts, block)]


def bloom_of(value: bytes) -> int:
    """The three bits that a value sets in a bloom of 2048 (the yellow paper, 4.3.1)."""
    digest = keccak(value)
    bits = (int.from_bytes(digest[i : i + 2], "big") % _BLOOM_BITS for i in (0, 2, 4))
    mask = 0
    for bit in bits:
        mask |= 1 << bit
    return mask


def _linked(reader: Reader, tip: Hash, first: int, height: int) -> Iterator[tuple[int, Hash, int]]:
    """(number, hash, bloom) from the tip down, each header the one that the header above names."""
    wanted = bytes(tip)
    for upper in range(height, first - 1, -BLOCKS_AT_ONCE):
        numbers = range(upper, max(upper - BLOCKS_AT_ONCE, first - 1), -1)
        raws = reader.rpc.batch([("eth_getBlockByNumber", [hex(number), False]) for number in numbers])
        for number, raw in zip(numbers, raws, strict=True):
            header = None if raw is None else header_bytes(raw)
            if header is None or keccak(header) != wanted:
                raise UnprovableBlock(number, "header is not the one that the block above names")
            fields = rlp_list(header)
            yield number, Hash(wanted), int.from_bytes(rlp_string(fields[_BLOOM]), "big")
            wanted = rlp_string(fields[_PARENT])
