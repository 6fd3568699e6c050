"""Making a capsule: from the ledger, a node, and a checkpoint that observers signed."""

from __future__ import annotations

from contracts.client.deployments import Deployment
from contracts.client.rpc import Rpc
from contracts.wire.capsule import Capsule, Opening, ProvenBlock, ProvenReceipt
from contracts.wire.capsule_events import events_of_receipt, is_of_bill
from contracts.wire.checkpoint import Cosigned
from contracts.wire.ids import BillKey
from ledger.queries import Ledger
from scripts.capsule.blocks import FullBlock, UnprovableBlock


class NoCapsule(LookupError):
    """A bill that no capsule can be made of yet."""

    def __init__(self, key: BillKey, why: str) -> None:
        super().__init__(f"no capsule of bill {key}: {why}")


def make_capsule(
    ledger: Ledger, deployment: Deployment, rpc: Rpc, cosigned: Cosigned, key: BillKey, *, with_document: bool = True
) -> Capsule:
    """The capsule of a bill as it stood at the checkpoint. Raises NoCapsule, UnprovableBlock, NodeError."""
    height = cosigned.checkpoint.height
    view = ledger.bill(key)
    if view is None:
        raise NoCapsule(key, "the ledger has no such bill; `kopeck bill list MONTH` names those there are")
    opening = None
    if with_document:
        if view.bill_id is None or view.salt is None or view.document is None:
            raise NoCapsule(key, "its record is closed or erased; leave the document out with --without-document")
        opening = Opening(view.bill_id, view.salt, view.document)
    known = ledger.event_blocks(height)
    contracts = {bytes(deployment.addresses[name]): name for name in ("Settlement", "ChargeBook")}
    blocks: list[ProvenBlock] = []
    receipts: list[ProvenReceipt] = []
    for number in ledger.blocks_of_bill(key, height):
        block = FullBlock.fetch(rpc, number)
        index = known.numbers.index(number)
        found = _proven(block, len(blocks), contracts, key)
        if not found:
            raise UnprovableBlock(number, f"receipts say nothing of bill {key}, and the ledger does")
        blocks.append(ProvenBlock(block.header, index, tuple(known.tree.proof(index))))
        receipts += found
    if not receipts:
        raise NoCapsule(key, f"its run is not in the checkpoint of height {height} yet; wait for the next checkpoint")
    proof = tuple(ledger.proof(key))
    return Capsule(key, view.blob, proof, opening, tuple(blocks), tuple(receipts), cosigned)


def _proven(block: FullBlock, place: int, contracts: dict[bytes, str], key: BillKey) -> list[ProvenReceipt]:
    return [
        ProvenReceipt(place, index, tuple(block.trie.proof(index)))
        for index, data in enumerate(block.receipts)
        if any(is_of_bill(event, key) for event in events_of_receipt(data, contracts, block))
    ]
