"""How far the ledger has come: no facts, no part of a digest."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Integer, LargeBinary, Table, Text

from ledger.schema import byte_string, integer, metadata, text

cursor = Table(
    "cursor",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    integer("block_number"),
    byte_string("block_hash"),
    integer("finalized_number"),
    byte_string("finalized_hash"),
)
"""One row: how far the ledger has read, and how far that is final. Written in the transaction of its rows."""
unfinalised = Table(
    "unfinalised",
    metadata,
    Column("block_number", BigInteger, primary_key=True, autoincrement=False),
    byte_string("hash"),
    byte_string("parent"),
    integer("timestamp"),
)
"""The parent-linked list of blocks that may still leave the chain, with the last finalised one at its foot."""
missing_files = Table(
    "missing_files",
    metadata,
    Column("kind", Text, primary_key=True),
    Column("root", LargeBinary, primary_key=True),
    integer("attempts"),
    text("reason"),
)
"""Files that are named on chain and could not be had yet, with why."""
