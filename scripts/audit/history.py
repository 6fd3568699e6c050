"""The chain's history, read once and kept: an audit that is broken off, or made again, goes on where it was.

What is kept is bound by a running hash: a line that was cut or altered since is not believed, and history is then read
anew. The hash of the last block that was seen is asked for again: a node that now says otherwise rewrote history.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from contracts.client.private import private_folder
from contracts.wire.ids import Address, Hash
from contracts.wire.keccak import keccak
from scripts.audit.finding import CannotAudit
from scripts.audit.node import Node, SeenBlock, Transaction

_SAVE_EVERY = 2_000
"""Blocks between two notes of how far history was read."""
_VERSION = 1


class History:
    """Blocks with something of ours in them, in a folder that is the audit's own."""

    def __init__(self, node: Node, first_block: int, network: str, folder: Path) -> None:
        self._node = node
        self._first = first_block
        self._network = network
        self._blocks = private_folder(folder) / "blocks.jsonl"
        self._position = folder / "position.json"
        self.resumed_from: int | None = None
        """The block that an audit before this one came to."""

    def read(self, height: int) -> None:
        """Reads on up to ``height``. Raises CannotAudit: the node can't be used, or rewrote what was seen."""
        number, block_hash, size, running = self._resume()
        if block_hash is not None:
            found = self._node.hash_at(number)
            if found != block_hash:
                raise CannotAudit(
                    "history-rewritten",
                    f"block {number} was 0x{block_hash.hex()} when the audit was last here, and the node now says "
                    f"0x{found.hex()}",
                    "A final block does not change: keep both hashes, ask the other nodes, and raise the alarm",
                )
        with self._blocks.open("ab") as out:
            out.truncate(size)
            for block in self._node.blocks(number + 1, height, block_hash):
                if block.transactions:
                    line = _dump(block)
                    running = keccak(running + line)
                    out.write(line)
                number, block_hash = block.number, block.hash
                if number % _SAVE_EVERY == 0:
                    out.flush()
                    self._note(number, block_hash, out.tell(), running)
            out.flush()
            self._note(number, block_hash, out.tell(), running)

    def blocks(self, height: int) -> Iterator[SeenBlock]:
        """The blocks that were kept, up to ``height``."""
        with self._blocks.open("rb") as lines:
            for line in lines:
                block = _load(line)
                if block.number > height:
                    return
                yield block

    def _resume(self) -> tuple[int, Hash | None, int, bytes]:
        nothing = (self._first - 1, None, 0, b"")
        try:
            noted = json.loads(self._position.read_bytes())
            if (noted["version"], noted["network"]) != (_VERSION, self._network):
                return nothing
            number, size = int(noted["number"]), int(noted["size"])
            block_hash, running = Hash(bytes.fromhex(noted["hash"])), bytes.fromhex(noted["running"])
            if self._running_hash(size) != running:
                return nothing
        except (OSError, ValueError, KeyError, TypeError):
            return nothing
        self.resumed_from = number
        return number, block_hash, size, running

    def _running_hash(self, size: int) -> bytes | None:
        running, at = b"", 0
        with self._blocks.open("rb") as lines:
            while at < size:
                line = lines.readline()
                if not line:
                    return None
                at += len(line)
                running = keccak(running + line)
        return running if at == size else None

    def _note(self, number: int, block_hash: Hash | None, size: int, running: bytes) -> None:
        if block_hash is None:
            return
        value = {
            "version": _VERSION, "network": self._network, "number": number, "hash": block_hash.hex(), "size": size,
            "running": running.hex(),
        }  # fmt: skip
        aside = self._position.with_suffix(".new")
        aside.write_text(json.dumps(value) + "\n")
        aside.replace(self._position)


def _dump(block: SeenBlock) -> bytes:
    transactions = [
        [
            t.hash, t.sender.hex(), t.to, t.data,
            [[log["address"], log["topics"], log["data"], log["logIndex"]] for log in t.logs],
        ]
        for t in block.transactions
    ]  # fmt: skip
    row = [block.number, block.hash.hex(), block.parent.hex(), block.timestamp, transactions]
    return json.dumps(row, separators=(",", ":")).encode() + b"\n"


def _load(line: bytes) -> SeenBlock:
    number, block_hash, parent, timestamp, rows = json.loads(line)
    name, height = "0x" + block_hash, hex(number)
    transactions = tuple(
        Transaction(
            tx, Address(bytes.fromhex(sender)), to, data,
            tuple(
                {
                    "address": address, "topics": topics, "data": content, "blockNumber": height, "blockHash": name,
                    "transactionHash": tx, "logIndex": log,
                }
                for address, topics, content, log in logs
            ),
        )
        for tx, sender, to, data, logs in rows
    )  # fmt: skip
    return SeenBlock(number, Hash(bytes.fromhex(block_hash)), Hash(bytes.fromhex(parent)), timestamp, transactions)
