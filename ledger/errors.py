"""What stops the ledger: each names the records at odds and the remedy."""

from __future__ import annotations

from dataclasses import dataclass

from contracts.wire.ids import Hash

REBUILD = "move the ledger's database aside and start it again: it rebuilds itself from the chain and the files"


class LedgerFault(Exception):
    """The ledger can't go on without a person, or the chain says what can't be."""


@dataclass
class FinalityCrossed(LedgerFault):
    """The chain has another block than the ledger at a height that was final."""

    height: int
    ledger_hash: Hash
    chain_hash: Hash

    def __str__(self) -> str:
        return (
            f"block {self.height} is final in the ledger as 0x{self.ledger_hash.hex()}, and the node has "
            f"0x{self.chain_hash.hex()}: "
            f"connect to the right chain, or, if this chain is the right one, {REBUILD}"
        )


@dataclass
class ChainOlderThanLedger(LedgerFault):
    """The node's head is below what the ledger holds as final."""

    head: int
    finalized: int

    def __str__(self) -> str:
        return (
            f"the node's head is block {self.head}, and the ledger holds block {self.finalized} as final: the node is "
            f"behind or lost its last blocks. Let it catch up or restore its state; if the blocks are gone for good, "
            f"{REBUILD}"
        )


@dataclass
class ChainMoved(LedgerFault):
    """The chain changed under a read; the read is simply made again."""

    height: int

    def __str__(self) -> str:
        return f"block {self.height} changed while it was read: reading again"


@dataclass
class SequenceBroken(LedgerFault):
    """A source's chain of batches as read from the logs has a hole: a log was not delivered."""

    source: int
    expected: tuple[int, int]
    found: tuple[int, int]
    block_number: int

    def __str__(self) -> str:
        return (
            f"source {self.source}: epoch and sequence {self.expected} were next, block {self.block_number} has "
            f"{self.found}: the node left out a log. Point the ledger at a node with all logs, and {REBUILD}"
        )


@dataclass
class Unreconciled(LedgerFault):
    """An event says that money moved, and the token's transfers of its transaction do not."""

    tx_hash: Hash
    sender: bytes
    recipient: bytes
    claimed_kopecks: int
    moved_kopecks: int

    def __str__(self) -> str:
        return (
            f"transaction 0x{self.tx_hash.hex()}: receipts say that {self.claimed_kopecks} kopecks went from "
            f"0x{self.sender.hex()} to 0x{self.recipient.hex()}, the token moved {self.moved_kopecks}: the node left "
            f"out a log, or a contract is not the one deployed. `kopeck fsck` checks both"
        )


@dataclass
class Unbalanced(LedgerFault):
    """The postings of an entry do not sum to zero: the ledger's own arithmetic is wrong."""

    block_number: int
    log_index: int
    sum_kopecks: int

    def __str__(self) -> str:
        return (
            f"the entry at block {self.block_number}, log {self.log_index} sums to {self.sum_kopecks} kopecks and not "
            f"to zero: nothing of its block was written. Run an earlier version of the ledger and report this one"
        )


@dataclass
class UnknownName(LedgerFault):
    """An event names something that no earlier event made known."""

    what: str
    number: int
    block_number: int

    def __str__(self) -> str:
        return (
            f"block {self.block_number} names {self.what} {self.number}, which no event before it made known: the "
            f"deployment's first block is wrong, or the node left out a log. Check deployment.json, and {REBUILD}"
        )
