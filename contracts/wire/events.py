"""Logs of our contracts, decoded by their fixed layouts into frozen dataclasses of the events' own names."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import ClassVar

from contracts.wire.declarations import Declaration, address_of, int_of, parse_declaration, uint_of
from contracts.wire.ids import (
    Address,
    BillKey,
    BillState,
    GrantBatchId,
    Hash,
    Period,
    Reference,
    RunId,
    SourceClass,
    SourceId,
    SupplierId,
    Tag,
)
from contracts.wire.structs import Proposal, SupplierTotal, UsedHead


class LogError(ValueError):
    """A log is not of the layout that its event fixes: another contract's, or a node that cut it short."""


@dataclass(frozen=True, slots=True)
class LogRef:
    """Where a log stands; ``contract`` is the name of the contract that wrote it."""

    block_number: int
    block_hash: Hash
    tx_hash: Hash
    log_index: int
    contract: str


@dataclass(frozen=True, slots=True)
class Leg:
    """One line of a receipt that got money."""

    line: int
    supplier: SupplierId
    amount_kopecks: int


@dataclass(frozen=True, slots=True)
class Event:
    """What every event has: its place."""

    declaration: ClassVar[str] = ""
    contract_name: ClassVar[str] = ""

    log: LogRef


_TABLE: dict[bytes, tuple[type[Event], Declaration]] = {}


def _event[E: Event](contract: str, declaration: str) -> Callable[[type[E]], type[E]]: ...
