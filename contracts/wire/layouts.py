"""Logs read by fixed layouts: where every value of an event stands is worked out once, when the event is declared.

One mask over the whole log tells whether any bit is set that its type leaves empty, one unpacking cuts it into values.
What is refused is what a decoder of the ABI refuses: words that are no value of their type, offsets that lead into the
heads or past the end, and bytes that are cut short or not filled up with zeros.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from contracts.wire.declarations import Declaration, Parameter
from contracts.wire.ids import BillKey, BillState, Hash, SourceClass
from contracts.wire.words import OFFSET, Words

_TOPIC_CHARACTERS = {66}
_HASHES_KEPT = 1024
"""Of blocks and transactions, whose every log repeats them."""
_NAMED: Mapping[str, Callable[[int], object]] = {
    "BillKey": BillKey.from_number,
    "BillState": BillState,
    "SourceClass": SourceClass,
}


class LogError(ValueError):
    """A log is not of the layout that its event fixes: a node that cut it short, or another contract's."""


class LogRef(NamedTuple):
    """Where a log stands; ``contract`` is the name of the contract that wrote it."""

    block_number: int
    block_hash: Hash
    tx_hash: Hash
    log_index: int
    contract: str


@dataclass(frozen=True, slots=True)
class Event:
    """What every event has: its place."""

    log: LogRef


class Layout:
    """How to read one event: its topics and the heads of its data as one run of words, in the order of the fields."""

    def __init__(self, event: type[Event], contract: str, declaration: Declaration) -> None:
        """Works the places out. Raises ValueError for a type that no event of ours has."""
        self.event, self.contract, self.declaration = event, contract, declaration
        indexed = [p for p in declaration.parameters if p.indexed]
        plain = [p for p in declaration.parameters if not p.indexed]
        self._topics = len(indexed) + 1
        self._topic_bytes = 32 * len(indexed)
        self._head_bytes = 32 * len(plain)
        self._words = Words([OFFSET if p.is_dynamic else p.canonical for p in (*indexed, *plain)])
        self._order = _order([*indexed, *plain], declaration.parameters)
        self._made = [(at, _NAMED[p.declared]) for at, p in enumerate((*indexed, *plain)) if p.declared in _NAMED]
        self._tails = [
            (len(indexed) + at, 32 * at, p.read) for at, p in enumerate(plain) if p.is_dynamic
        ]  # place among the values, place of the offset in the data, reader

    def read(self, raw: Mapping[str, Any], topics: Sequence[str]) -> Event:
        """The event in a log as ``eth_getLogs`` gives it. Raises LogError."""
        try:
            values = self._values(topics, raw["data"])
            log = LogRef(
                int(raw["blockNumber"], 16),
                hash_of(raw["blockHash"]),
                hash_of(raw["transactionHash"]),
                int(raw["logIndex"], 16),
                self.contract,
            )
            return self.event(log, *values)
        except (ValueError, IndexError, TypeError) as error:
            raise LogError(f"{self.declaration.name} in {raw.get('transactionHash')}: {error}") from error

    def _values(self, topics: Sequence[str], data: str) -> list[object]:
        """The fields after the log's place. Raises ValueError."""
        if len(topics) != self._topics:
            raise LogError(f"{self.declaration.name} has {self._topics} topics, not {len(topics)}")
        words = bytes.fromhex("".join([topic[2:] for topic in topics[1:]]) + data[2:])
        if {*map(len, topics)} != _TOPIC_CHARACTERS or len(words) != self._topic_bytes + len(data) // 2 - 1:
            raise LogError(f"a topic or the data of {self.declaration.name} is not of whole bytes")
        if len(words) < self._words.size:
            found = len(words) - self._topic_bytes
            raise LogError(f"{self.declaration.name} has {self._head_bytes} bytes of data or more, not {found}")
        values = list(self._words.cut(words))
        for at, make in self._made:
            values[at] = make(values[at])
        if self._tails:
            body = words[self._topic_bytes :]
            for at, place, read in self._tails:
                if not self._head_bytes <= values[at] < len(body):
                    raise LogError(f"an offset of {self.declaration.name} leads to no place behind its heads")
                values[at] = read(body, place)
        return values if self._order is None else [values[at] for at in self._order]


def _order(found: Sequence[Parameter], wanted: Sequence[Parameter]) -> tuple[int, ...] | None:
    """Which of the values found is wanted at each place; None where they are in order."""
    places = tuple(next(at for at, parameter in enumerate(found) if parameter is other) for other in wanted)
    return None if places == tuple(range(len(places))) else places


@lru_cache(_HASHES_KEPT)
def hash_of(text: str) -> Hash:
    """The 32 bytes that hex with 0x names. Raises ValueError."""
    value = bytes.fromhex(text[2:])
    if len(value) != 32:
        raise ValueError(f"{text} is no hash of 32 bytes")
    return Hash(value)
