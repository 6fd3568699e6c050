"""The people store's database."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, event

from api.tables import metadata


def database_url(home: Path, environment: Mapping[str, str] = os.environ) -> str:
    """Where the people are: KOPECK_API_DB, or SQLite under the home."""
    return environment.get("KOPECK_API_DB") or f"sqlite:///{home / 'api' / 'api.db'}"


def open_database(url: str) -> Engine:
    """An engine with the tables in place."""
    if url.startswith("sqlite:///"):
        Path(url.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(url)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _tune_sqlite)
    metadata.create_all(engine)
    return engine


def _tune_sqlite(connection: Any, _record: object) -> None:
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "busy_timeout=20000", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")
