"""The key ring: one secret an account, under which its records are sealed. To destroy it is to erase them."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from pathlib import Path

from sqlalchemy import (
    Column,
    Engine,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    create_engine,
    event,
    insert,
    select,
    text,
    update,
)

from contracts.client.private import private_file
from contracts.client.schema import Schema
from contracts.wire.ids import KeyId, MeterId

_METADATA = MetaData()
SCHEMA = Schema("keyring", _METADATA, Path(__file__).parent / "migrations" / "keyring")
_KEYS = Table(
    "keyring_keys",
    _METADATA,
    Column("key_id", LargeBinary(16), primary_key=True),
    Column("secret", LargeBinary(32)),
    Column("destroyed_at", Integer),
    Column("act", String),
)
_METERS = Table(
    "keyring_meters",
    _METADATA,
    Column("meter", LargeBinary(16), primary_key=True),
    Column("since", Integer, primary_key=True),
    Column("key_id", LargeBinary(16), nullable=False),
)


class UnknownKey(KeyError):
    """The ring has no such key."""

    def __init__(self, key_id: KeyId) -> None:
        super().__init__(f"the key ring has no key {key_id.hex()}; create it first")


class KeyDestroyed(Exception):
    """The key was destroyed and is never made again."""

    def __init__(self, key_id: KeyId) -> None:
        super().__init__(f"key {key_id.hex()} was destroyed; an account that lives on needs a new one")


class KeyRing:
    """A file of secrets, mode 600, that several processes may open at once."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._engine = _open(private_file(path))
        SCHEMA.bring_up(self._engine)

    def create(self, key_id: KeyId) -> bytes:
        """A new secret under ``key_id``; the one that is there when it was created before. Raises KeyDestroyed."""
        self.create_many([key_id])
        secret = self.secret(key_id)
        if secret is None:
            raise KeyDestroyed(key_id)
        return secret

    def create_many(self, key_ids: Iterable[KeyId]) -> None:
        """Creates those that are not there, in one transaction."""
        wanted = list(dict.fromkeys(key_ids))
        known = self.secrets(wanted)
        rows = [{"key_id": key_id, "secret": secrets.token_bytes(32)} for key_id in wanted if key_id not in known]
        with self._engine.begin() as connection:
            if rows:
                connection.execute(insert(_KEYS), rows)

    def secret(self, key_id: KeyId) -> bytes | None:
        """The secret, or None once it was destroyed. Raises UnknownKey."""
        with self._engine.connect() as connection:
            row = connection.execute(select(_KEYS.c.secret).where(_KEYS.c.key_id == key_id)).one_or_none()
        if row is None:
            raise UnknownKey(key_id)
        return None if row.secret is None else bytes(row.secret)

    def secrets(self, key_ids: Iterable[KeyId]) -> dict[KeyId, bytes | None]:
        """The secrets of many keys, None for those that were destroyed; keys the ring never had are left out."""
        wanted = sorted(set(key_ids))
        found: dict[KeyId, bytes | None] = {}
        with self._engine.connect() as connection:
            for start in range(0, len(wanted), 500):
                query = select(_KEYS).where(_KEYS.c.key_id.in_(wanted[start : start + 500]))
                for row in connection.execute(query).all():
                    found[KeyId(bytes(row.key_id))] = None if row.secret is None else bytes(row.secret)
        return found

    def meters_of(self, key_id: KeyId) -> list[MeterId]:
        """The meters that were ever bound to a key."""
        query = select(_METERS.c.meter).where(_METERS.c.key_id == key_id).distinct()
        with self._engine.connect() as connection:
            return [MeterId(bytes(meter)) for meter in connection.execute(query).scalars()]

    def destroyed(self, key_id: KeyId) -> tuple[int, str] | None:
        """When and under which act a key was destroyed, or None. Raises UnknownKey."""
        with self._engine.connect() as connection:
            query = select(_KEYS.c.destroyed_at, _KEYS.c.act).where(_KEYS.c.key_id == key_id)
            row = connection.execute(query).one_or_none()
        if row is None:
            raise UnknownKey(key_id)
        return None if row.destroyed_at is None else (row.destroyed_at, row.act)

    def all_destroyed(self) -> dict[KeyId, tuple[int, str]]:
        """Every key that was destroyed, with when and under which act."""
        query = select(_KEYS).where(_KEYS.c.destroyed_at.is_not(None))
        with self._engine.connect() as connection:
            return {KeyId(bytes(row.key_id)): (row.destroyed_at, row.act) for row in connection.execute(query)}

    def bind_meter(self, meter: MeterId, key_id: KeyId, since: int) -> None:
        """From ``since`` on (seconds UTC) the meter's readings are sealed under this key. Raises UnknownKey."""
        self.bind_meters([(meter, key_id, since)])

    def bind_meters(self, bindings: Iterable[tuple[MeterId, KeyId, int]]) -> None:
        """The same for many, (meter, key, since) each, in one transaction. Raises UnknownKey."""
        bindings = list(bindings)
        with self._engine.begin() as connection:
            known = set(connection.execute(select(_KEYS.c.key_id)).scalars())
            for meter, key_id, since in bindings:
                if key_id not in known:
                    raise UnknownKey(key_id)
                here = (_METERS.c.meter == meter) & (_METERS.c.since == since)
                if connection.execute(update(_METERS).where(here).values(key_id=key_id)).rowcount == 0:
                    connection.execute(insert(_METERS).values(meter=meter, since=since, key_id=key_id))

    def key_of_meter(self, meter: MeterId, at: int | None = None) -> KeyId | None:
        """The key that the meter is bound to: at a moment, or now. None for a meter nobody bound."""
        query = select(_METERS.c.key_id).where(_METERS.c.meter == meter).order_by(_METERS.c.since.desc()).limit(1)
        if at is not None:
            query = query.where(_METERS.c.since <= at)
        with self._engine.connect() as connection:
            found = connection.execute(query).scalar_one_or_none()
        return None if found is None else KeyId(bytes(found))

    def destroy(self, key_id: KeyId, at: int, act: str) -> None:
        """Destroys the secret for good and keeps when and under which act. The same again changes nothing.

        Raises UnknownKey. The file is overwritten where the secret stood; backups of it are the operator's to end.
        """
        if self.destroyed(key_id) is not None:
            return
        with self._engine.begin() as connection:
            here = _KEYS.c.key_id == key_id
            connection.execute(update(_KEYS).where(here).values(secret=None, destroyed_at=at, act=act))
        with self._engine.connect() as connection:
            # The log of changes still holds the page with the secret until it is folded in and cut.
            connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))


def _open(path: Path) -> Engine:
    engine = create_engine(f"sqlite:///{path}")

    @event.listens_for(engine, "connect")
    def _settings(connection, _record) -> None:  # type: ignore[no-untyped-def]
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA secure_delete=ON")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA busy_timeout=10000")

    return engine
