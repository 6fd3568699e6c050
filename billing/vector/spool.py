"""Leaves of a run on the disk until the last is made: only then is their order known.

A leaf lies here sealed as it will lie in the books; what is not sealed yet, its usage, lies under a key that this
process and its workers hold in memory alone.
"""

from __future__ import annotations

import marshal
import os
import secrets
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from numpy.typing import NDArray

from billing.leaves import Leaf
from contracts.client.private import private_writer
from contracts.wire.ids import BillKey, Hash, KeyId
from contracts.wire.leaf import Credit

_SECRET = 32


@dataclass(frozen=True, slots=True)
class Spooled:
    """What one stretch left in a file: the commitments of its leaves, 32 bytes each, and where each leaf begins."""

    file: str
    commits: bytes
    begins: NDArray[np.int64]
    end: int


class SpoolWriter:
    """One process's own file in the folder of a run."""

    def __init__(self, folder: Path, key: bytes) -> None:
        self._path = folder / f"{os.getpid()}-{secrets.token_hex(4)}"
        self._file = os.fdopen(private_writer(self._path), "wb", buffering=1 << 20)
        self._hide = AESGCM(key)
        self._at = 0

    def write(self, leaves: Iterable[Leaf]) -> Spooled:
        """Adds leaves."""
        commits, begins = [], []
        for leaf in leaves:
            record = marshal.dumps(self._record(leaf))
            commits.append(leaf.commit)
            begins.append(self._at)
            self._at += self._file.write(record)
        self._file.flush()
        return Spooled(self._path.name, b"".join(commits), np.array(begins, dtype=np.int64), self._at)

    def _record(self, leaf: Leaf) -> tuple[Any, ...]:
        nonce = secrets.token_bytes(12)
        hidden = nonce + self._hide.encrypt(nonce, leaf.secret + (leaf.usage or b""), leaf.commit)
        return (
            leaf.account, leaf.revision, leaf.blob, leaf.key_id, leaf.sealed, hidden, leaf.usage is not None,
            [(credit.line, credit.amount_kopecks, credit.prepayment) for credit in leaf.credits],
            None if leaf.original is None else leaf.original.number,
        )  # fmt: skip

    def close(self) -> None:
        """Nothing more will be added."""
        self._file.close()


@dataclass(slots=True)
class Spool:
    """All leaves of a run, to be read in the order of their commitments."""

    folder: Path
    key: bytes = field(repr=False)
    parts: list[Spooled] = field(default_factory=list)

    @property
    def count(self) -> int:
        """How many there are."""
        return sum(len(part.begins) for part in self.parts)

    def leaves(self) -> Iterator[Leaf]:
        """The leaves, one after another."""
        names = sorted({part.file for part in self.parts})
        file = np.concatenate([np.full(len(p.begins), names.index(p.file), np.int64) for p in self.parts])
        begin = np.concatenate([p.begins for p in self.parts])
        end = np.concatenate([np.append(p.begins[1:], p.end) for p in self.parts])
        order = _order([p.commits for p in self.parts])
        show = AESGCM(self.key)
        with ExitStack() as stack:
            handles = [stack.enter_context((self.folder / name).open("rb")) for name in names]
            numbers = [handle.fileno() for handle in handles]
            for place in order.tolist():
                start = int(begin[place])
                yield _leaf(os.pread(numbers[file[place]], int(end[place]) - start, start), show)


def _order(commits: Sequence[bytes]) -> NDArray[np.int64]:
    """The places of commitments in their order."""
    words = np.frombuffer(b"".join(commits), dtype=">u8").reshape(-1, 4).astype(np.uint64)
    return np.lexsort((words[:, 3], words[:, 2], words[:, 1], words[:, 0]))


def _leaf(record: bytes, show: AESGCM) -> Leaf:
    account, revision, blob, key_id, sealed, hidden, has_usage, credits, original = marshal.loads(record)
    commit = Hash(blob[:32])
    shown = show.decrypt(hidden[:12], hidden[12:], commit)
    return Leaf(
        commit,
        account,
        revision,
        blob,
        KeyId(key_id),
        shown[:_SECRET],
        sealed,
        shown[_SECRET:] if has_usage else None,
        tuple(Credit(line, amount, Hash(prepayment)) for line, amount, prepayment in credits),
        None if original is None else BillKey.from_number(original),
    )
