"""Login throttling: so many tries a quarter of an hour, counted before the password is looked at."""

from __future__ import annotations

import hashlib
import time
import uuid
from collections.abc import Callable

from sqlalchemy import Engine, delete, func, insert, select

from api.tables import login_attempts

WINDOW_S = 15 * 60
TRIES_PER_LOGIN = 8
TRIES_PER_ADDRESS = 60


class TooManyTries(Exception):
    """Too many failed logins; ``retry_after_s`` says when the oldest of them is forgotten."""

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(f"too many failed logins; wait {retry_after_s} s and try again")
        self.retry_after_s = retry_after_s


class Throttle:
    """Counts tries in the database, so that a restart or a second process forgets none."""

    def __init__(self, engine: Engine, clock: Callable[[], float] = time.time) -> None:
        self._engine = engine
        self._clock = clock

    def enter(self, login: str, address: str) -> str:
        """Counts one try and returns its id. Raises TooManyTries.

        The try is written before it is counted: of many at once, no more than the limit go through.
        """
        now = int(self._clock())
        attempt = uuid.uuid4().hex
        limits = {_subject("login", login.casefold()): TRIES_PER_LOGIN, _subject("address", address): TRIES_PER_ADDRESS}
        with self._engine.begin() as connection:
            connection.execute(delete(login_attempts).where(login_attempts.c.at <= now - WINDOW_S))
            for place, subject in enumerate(limits):
                connection.execute(insert(login_attempts).values(id=f"{attempt[:31]}{place}", subject=subject, at=now))
        with self._engine.connect() as connection:
            for subject, limit in limits.items():
                query = select(func.count(), func.min(login_attempts.c.at)).where(login_attempts.c.subject == subject)
                count, oldest = connection.execute(query).one()
                if count > limit:
                    # A refused try does not count: otherwise a stranger could shut somebody out for ever.
                    self.forget(attempt)
                    raise TooManyTries(max(1, oldest + WINDOW_S - now))
        return attempt

    def forget(self, attempt: str) -> None:
        """Takes back a try that turned out right, so that only failures count."""
        mine = [f"{attempt[:31]}{place}" for place in range(2)]
        with self._engine.begin() as connection:
            connection.execute(delete(login_attempts).where(login_attempts.c.id.in_(mine)))


def _subject(kind: str, value: str) -> str:
    return hashlib.sha256(f"{kind}:{value}".encode()).hexdigest()
