"""Billing's database: opened, with its tables in place, and the JSON columns' spelling."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event

from billing.schema import SCHEMA
from contracts.client.private import private_database


def database_url(home: Path, environment: Mapping[str, str] = os.environ) -> str:
    """Where billing's tables are: KOPECK_BILLING_DB, or SQLite under the home."""
    return environment.get("KOPECK_BILLING_DB") or f"sqlite:///{home / 'billing' / 'billing.db'}"


def open_database(url: str) -> Engine:
    """An engine with billing's tables in place. Several processes may open it: the inbox is written by the API."""
    engine = create_engine(private_database(url))
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _tune_sqlite)
        event.listen(engine, "begin", _begin_immediate)
    SCHEMA.bring_up(engine)
    return engine


def _tune_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=20000", "foreign_keys=ON", "secure_delete=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_immediate(connection: Connection) -> None:
    # A transaction that reads before it writes must not find, at its first write, that another wrote in between.
    connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.get_execution_options().get("writes") else "BEGIN")


def dump(value: object) -> str:
    """A JSON column's text."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def load(text: str) -> Any:
    """A JSON column's value."""
    return json.loads(text)
