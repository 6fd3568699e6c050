"""Sessions of people who logged in: a signed bearer token over a row that logging out removes."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex

from itsdangerous import BadSignature, URLSafeSerializer
from sqlalchemy import Engine, delete, insert, select

from api.tables import sessions

LIFETIME_S = 12 * 3600


@dataclass(frozen=True, slots=True)
class Session:
    """A session as it was opened; ``expires_at`` is seconds since 1970 UTC."""

    token: str
    person: str
    expires_at: int


class Sessions:
    """Opens, reads and closes sessions. Time is the wall clock: a session guards a browser, not money."""

    def __init__(self, engine: Engine, secret: str, clock: Callable[[], float] = time.time) -> None:
        self._engine = engine
        self._signer = URLSafeSerializer(secret, salt="kopeck session")
        self._clock = clock

    def open(self, person: str) -> Session:
        """A new session of a person; sessions that ran out are forgotten on the way."""
        now = int(self._clock())
        identity, expires_at = uuid.uuid4().hex, now + LIFETIME_S
        with self._engine.begin() as connection:
            connection.execute(delete(sessions).where(sessions.c.expires_at <= now))
            connection.execute(insert(sessions).values(id=identity, person=person, expires_at=expires_at))
        return Session(str(self._signer.dumps(identity)), person, expires_at)

    def person(self, token: str) -> str | None:
        """Whose live session this token names, if any."""
        identity = self._identity(token)
        if identity is None:
            return None
        query = select(sessions.c.person).where(sessions.c.id == identity, sessions.c.expires_at > int(self._clock()))
        with self._engine.connect() as connection:
            return connection.execute(query).scalar()

    def close(self, token: str) -> None:
        """Ends a session; a token that names none is ignored."""
        identity = self._identity(token)
        if identity is not None:
            with self._engine.begin() as connection:
                connection.execute(delete(sessions).where(sessions.c.id == identity))

    def _identity(self, token: str) -> str | None:
        try:
            return str(self._signer.loads(token))
        except BadSignature:
            return None


def secret_file(path: Path) -> str:
    """The signing secret in ``path``, drawn on first use and readable by its owner alone."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        aside = path.with_suffix(".new")
        aside.touch(mode=0o600)
        aside.write_text(token_hex(32))
        aside.rename(path)
    return path.read_text().strip()
