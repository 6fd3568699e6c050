"""The people store's database."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, event

from api.tables import SCHEMA


def database_url(home: Path, environment: Mapping[str, str] = os.environ) -> str:
    """Where the people are: KOPECK_API_DB, or SQLite under the home."""
    return environment.get("KOPECK_API_DB") or f"sqlite:///{home / 'api' / 'api.db'}"


def open_database(url: str) -> Engine:
    """An engine with the tables in place."""
    if url.startswith("sqlite:///"):
        path = Path(url.removeprefix("sqlite:///"))
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.touch(mode=0o600)
    engine = create_engine(url)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _tune_sqlite)
    SCHEMA.bring_up(engine)
    return engine


def _tune_sqlite(connection: Any, _record: object) -> None:
    settings = ("journal_mode=WAL", "synchronous=NORMAL", "busy_timeout=20000", "foreign_keys=ON", "secure_delete=ON")
    for pragma in settings:
        connection.execute(f"PRAGMA {pragma}")
