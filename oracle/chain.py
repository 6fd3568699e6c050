"""What the oracle asks of the chain: its clock, who a source is, where a source's chain of batches stands."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import Protocol

from contracts.client.deployments import Deployment
from contracts.client.reader import Reader
from contracts.client.rpc import NodeError
from contracts.wire.ids import NO_ADDRESS, Address, SourceClass, SourceId
from contracts.wire.typed_data import Domain, anchor_domain
from oracle.batch import ChainHead
from oracle.errors import ChainUnavailable

_FRESH_S = 1.0


@dataclass(frozen=True, slots=True)
class SourceEntry:
    """A source as the Registry knows it; times in seconds UTC, ``revoked_at`` 0 while it is valid."""

    key: Address
    kind: SourceClass
    valid_from: int
    revoked_at: int


class Chain(Protocol):
    """The questions that intake and anchoring ask."""

    @property
    def domain(self) -> Domain:
        """Where a source's signature counts."""

    @property
    def deployment_json(self) -> dict[str, object]:
        """What a file's head says of the deployment."""

    def now(self) -> int:
        """The latest block's time, seconds UTC. Raises ChainUnavailable."""

    def source(self, source: int, fresh: bool = False) -> SourceEntry | None:
        """A source's entry; ``fresh``: as of now, where an older answer would refuse. Raises ChainUnavailable."""

    def head_of(self, source: int) -> ChainHead:
        """Where a source's chain stands on the chain now. Raises ChainUnavailable."""


class OnChain:
    """The chain through a Reader. Clock and sources are asked at most once a second; heads always."""

    def __init__(self, reader: Reader, deployment: Deployment) -> None:
        self._reader = reader
        self._anchor = deployment.addresses["ReadingAnchor"]
        self._chain_id = deployment.chain_id
        self._lock = threading.Lock()
        self._now = (0.0, 0)
        self._sources: dict[int, tuple[float, SourceEntry | None]] = {}

    @property
    def domain(self) -> Domain:
        return anchor_domain(self._chain_id, self._anchor)

    @property
    def deployment_json(self) -> dict[str, object]:
        return {"chain_id": self._chain_id, "reading_anchor": "0x" + self._anchor.hex()}

    def now(self) -> int:
        with self._lock:
            asked, value = self._now
            if time.monotonic() - asked > _FRESH_S:
                value = self._ask_clock()
                self._now = (time.monotonic(), value)
            return value

    def source(self, source: int, fresh: bool = False) -> SourceEntry | None:
        with self._lock:
            asked, entry = self._sources.get(source, (0.0, None))
            if fresh or source not in self._sources or time.monotonic() - asked > _FRESH_S:
                entry = self._ask_source(source)
                self._sources[source] = (time.monotonic(), entry)
            return entry

    def head_of(self, source: int) -> ChainHead:
        try:
            head = self._reader.view("ReadingAnchor", "headOf", source)
        except NodeError as error:
            raise ChainUnavailable(str(error)) from error
        sequence, epoch, value = head
        return ChainHead(int(epoch), int(sequence), bytes(value))

    def own_source(self, address: Address, kind: SourceClass) -> SourceId | None:
        """The youngest source of this key and class that is not revoked, or None."""
        found = None
        source = 1
        while (entry := self.source(source)) is not None:
            if entry.key == address and entry.kind is kind and not entry.revoked_at:
                found = SourceId(source)
            source += 1
        return found

    def _ask_clock(self) -> int:
        try:
            return int(self._reader.head().timestamp)
        except NodeError as error:
            raise ChainUnavailable(str(error)) from error

    def _ask_source(self, source: int) -> SourceEntry | None:
        try:
            key, kind, valid_from, revoked_at = self._reader.view("Registry", "source", source)
        except NodeError as error:
            raise ChainUnavailable(str(error)) from error
        if key == NO_ADDRESS:
            return None
        return SourceEntry(Address(key), SourceClass(kind), int(valid_from), int(revoked_at))
