"""The simulated chain: blocks of transactions, mined, replaced, and told as a node tells them in JSON."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from contracts.wire.keccak import keccak
from tests.ledger.simulation.model import Model
from tests.ledger.simulation.town import Town, Transaction, apply


@dataclass(frozen=True)
class SimBlock:
    """A block, with its header and logs in JSON."""

    number: int
    hash: str
    parent: str
    transactions: tuple[Transaction, ...]
    header: dict[str, Any]
    logs: tuple[dict[str, Any], ...]


def block_after(parent: SimBlock | None, transactions: Sequence[Transaction], salt: bytes) -> SimBlock:
    """The next block; ``salt`` makes siblings differ."""
    number = 0 if parent is None else parent.number + 1
    parent_hash = "0x" + "00" * 32 if parent is None else parent.hash
    content = "".join(t.hash for t in transactions)
    name = "0x" + keccak(f"{number}{parent_hash}{content}".encode() + salt).hex()
    header = {"number": hex(number), "hash": name, "parentHash": parent_hash, "timestamp": hex(1_767_225_600 + number)}
    logs = []
    for at, transaction in enumerate(transactions):
        for log in transaction.logs:
            logs.append(
                log
                | {
                    "blockNumber": hex(number),
                    "blockHash": name,
                    "transactionHash": "0x" + transaction.hash,
                    "transactionIndex": hex(at),
                    "logIndex": hex(len(logs)),
                    "removed": False,
                }
            )
    return SimBlock(number, name, parent_hash, tuple(transactions), header, tuple(logs))


@dataclass(frozen=True)
class View:
    """The chain as one node has it: its blocks, and the height that it calls final."""

    blocks: tuple[SimBlock, ...]
    final: int

    @property
    def head(self) -> int:
        return len(self.blocks) - 1


@dataclass
class SimChain:
    """The chain as it stands, its town, and the town's model. Blocks deeper than ``depth`` are final."""

    chance: random.Random
    town: Town
    depth: int
    blocks: list[SimBlock] = field(default_factory=list)
    model: Model = field(default_factory=Model)
    final: int = 0
    reorgs: int = 0
    left: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._add(())
        self._add(self.town.opening(self.model))

    def view(self) -> View:
        return View(tuple(self.blocks), self.final)

    def mine(self, blocks: int = 1, busy: float = 0.7) -> None:
        """New blocks, of which the share ``busy`` holds transactions."""
        for _ in range(blocks):
            count = self.chance.randrange(1, 4) if self.chance.random() < busy else 0
            self._add([self.town.transaction(self.model) for _ in range(count)])

    def reorg(self, depth: int) -> None:
        """Replaces the last blocks by at least as many; the same transactions come again elsewhere, or others."""
        self.reorgs += 1
        gone = self.blocks[-depth:]
        self.left.update(block.hash for block in gone)
        del self.blocks[-depth:]
        self.model = self.model_at(len(self.blocks) - 1)
        if self.chance.random() < 0.5:
            again = [t for block in gone for t in block.transactions]
            for left in range(depth, 0, -1):
                take = len(again) if left == 1 else self.chance.randrange(min(3, len(again)) + 1)
                self._add(again[:take])
                del again[:take]
            self.model = self.model_at(len(self.blocks) - 1)
        else:
            self.mine(depth, busy=0.4 if depth < 30 else 0.05)
        if self.chance.random() < 0.5:
            self.mine()

    def model_at(self, height: int) -> Model:
        """What the blocks up to a height come to."""
        model = Model()
        for block in self.blocks[: height + 1]:
            for transaction in block.transactions:
                apply(model, transaction.changes)
        return model

    def _add(self, transactions: Sequence[Transaction]) -> None:
        parent = self.blocks[-1] if self.blocks else None
        self.blocks.append(block_after(parent, transactions, self.chance.randbytes(4)))
        self.final = max(self.final, len(self.blocks) - 1 - self.depth)
