"""The chain's history, read once and kept: an audit that is broken off, or made again, goes on where it was.

What is kept is bound by a running hash: a line that was cut or altered since is not believed, and history is then read
anew. The hash of the last block that was seen is asked for again: a node that now says otherwise rewrote history.
"""

from __future__ import annotations

import errno
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

from pydantic_core import from_json

from contracts.client.private import private_folder
from contracts.wire.ids import Address, Hash
from scripts.audit.finding import CannotAudit
from scripts.audit.node import Node, SeenBlock, Transaction

_SAVE_EVERY = 2_000
"""Blocks between two notes of how far history was read."""
_VERSION = 2
_Resumed = tuple[int, Hash | None, int, "hashlib._Hash"]
"""The last block that was read with its hash, the bytes that are kept up to it, and their running hash."""


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
        self.anew: str | None = None
        """Why what was kept could not be gone on with, and history is read anew."""

    def read(self, height: int) -> None:
        """Reads on up to ``height``. Raises CannotAudit: the node can't be used, or rewrote what was seen, or what it
        says can't be kept."""
        try:
            self._read(height)
        except OSError as error:
            is_full = error.errno in (errno.ENOSPC, errno.EDQUOT)
            raise CannotAudit(
                "disk-full" if is_full else "state-not-written", f"{self._blocks.parent} can't be written to: {error}",
                "Make room, or give another folder with --state; what was noted before is kept, and gone on from",
            ) from error  # fmt: skip

    def _read(self, height: int) -> None:
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
            if out.tell() > size:
                out.truncate(size)
            for block in self._node.blocks(number + 1, height, block_hash):
                if block.transactions:
                    line = _dump(block)
                    running.update(line)
                    out.write(line)
                number, block_hash = block.number, block.hash
                if number % _SAVE_EVERY == 0:
                    out.flush()
                    self._note(number, block_hash, out.tell(), running)
            out.flush()
            self._note(number, block_hash, out.tell(), running)

    def lines(self, height: int) -> Iterator[tuple[int, bytes]]:
        """Where each block that was kept up to ``height`` begins, in bytes, and how it is kept."""
        at = 0
        with self._blocks.open("rb") as lines:
            for line in lines:
                if int(line[1 : line.index(b",")]) > height:
                    return
                yield at, line
                at += len(line)

    def blocks(self, start: int, end: int) -> Iterator[SeenBlock]:
        """The blocks that are kept from one byte to another, as ``lines`` gives them."""
        with self._blocks.open("rb") as lines:
            lines.seek(start)
            while lines.tell() < end:
                yield _load(lines.readline())

    @staticmethod
    def block_of(line: bytes) -> SeenBlock:
        """A block as it is kept."""
        return _load(line)

    def _resume(self) -> _Resumed:
        nothing = (self._first - 1, None, 0, hashlib.sha256())
        if not self._position.exists():
            return nothing
        try:
            noted = json.loads(self._position.read_bytes())
            number, size, due = int(noted["number"]), int(noted["size"]), str(noted["running"])
            block_hash, named = Hash(bytes.fromhex(noted["hash"])), (noted["version"], noted["network"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            return self._damaged(f"{self._position} can't be read: {error}", nothing)
        if named != (_VERSION, self._network):
            return self._damaged(f"{self._position} is of network {named[1]}, layout {named[0]}", nothing)
        kept = self._blocks.stat().st_size if self._blocks.exists() else 0
        if kept < size:
            return self._damaged(f"{self._blocks} was cut short: {kept} bytes of {size}", nothing)
        running = self._running_hash(size)
        if running.hexdigest() != due:
            return self._damaged(f"{self._blocks} was altered since it was written", nothing)
        self.resumed_from = number
        return number, block_hash, size, running

    def _damaged(self, reason: str, nothing: _Resumed) -> _Resumed:
        self.anew = reason
        return nothing

    def _running_hash(self, size: int) -> hashlib._Hash:
        """SHA-256 of the first ``size`` bytes that are kept."""
        running = hashlib.sha256()
        with self._blocks.open("rb") as kept:
            while size:
                piece = kept.read(min(size, 1 << 20))
                if not piece:
                    break
                running.update(piece)
                size -= len(piece)
        return running

    def _note(self, number: int, block_hash: Hash | None, size: int, running: hashlib._Hash) -> None:
        if block_hash is None:
            return
        value = {
            "version": _VERSION, "network": self._network, "number": number, "hash": block_hash.hex(), "size": size,
            "running": running.hexdigest(),
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
    number, block_hash, parent, timestamp, rows = from_json(line)
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
