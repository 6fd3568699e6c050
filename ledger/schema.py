"""How the ledger's tables are declared."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import BigInteger, Column, Index, LargeBinary, MetaData, Table, Text
from sqlalchemy.schema import SchemaItem

from contracts.client.schema import Schema

metadata = MetaData()
SCHEMA = Schema("ledger", metadata, Path(__file__).parent / "migrations" / "ledger")

declared: list[Table] = []
"""Fact tables in the order in which they were declared."""


def integer(name: str, nullable: bool = False) -> Column[Any]:
    """A column of whole numbers: kopecks, seconds, heights, numbers of things."""
    return Column(name, BigInteger, nullable=nullable)


def byte_string(name: str, nullable: bool = False) -> Column[Any]:
    """A column of hashes, addresses and other bytes."""
    return Column(name, LargeBinary, nullable=nullable)


def text(name: str) -> Column[Any]:
    """A column of text."""
    return Column(name, Text, nullable=False)


def fact(name: str, *items: SchemaItem, position: str | None = None, key: tuple[str, ...] = ()) -> Table:
    """A fact table. Its key is the event's place, with ``position`` where one event states several facts of a
    kind; or ``key``, where the fact has a better one of its own."""
    place = ["block_number", "log_index", *([position] if position else [])]
    columns: list[SchemaItem] = [
        Column(c, BigInteger, primary_key=not key, autoincrement=False, nullable=False) for c in place
    ]
    for item in items:
        if isinstance(item, Column) and item.name in key:
            item.primary_key = True
        columns.append(item)
    if key:
        columns.append(Index(f"ix_{name}_block", "block_number"))
    table = Table(name, metadata, *columns, sqlite_with_rowid=False)
    declared.append(table)
    return table
