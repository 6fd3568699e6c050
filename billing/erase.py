"""Erasing an account from billing: its files' leaves, and the rows that tell of it without its key.

Sealed rows stay as they are, unreadable; the account's number, its house and its places in runs stay, since sums and
proofs stand on them. It is closed, so that nobody bills it again.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

from sqlalchemy import Connection, Engine, delete, select, update

from billing.debt.requests import DisputeRequest, InstalmentRequest
from billing.requests import CorrectionRequest, GrantsRequest, RunRequest
from billing.schema import accounts, events, inbox, meters, residents, runs
from billing.store import dump, load
from billing.welfare.records import forget as forget_welfare
from contracts.client.erasing import Sign, erase_in_files
from contracts.client.files import FileStore
from contracts.wire.ids import KeyId

_ERASED = "erased"
"""What stands in the place of a decision's words and of the reason why an account was not billed."""


def erase(engine: Engine, files: FileStore, account: str, key: KeyId, sign: Sign, *, at: int) -> Counter[str]:
    """Takes out what is left readable of an account whose ``key`` was destroyed; ``at`` is seconds UTC.

    Gives what was taken, by kind. The same again changes nothing.
    """
    done = erase_in_files(files, ["bills", "grants"], key, sign)
    with engine.execution_options(writes=True).begin() as connection:
        gone = connection.execute(delete(residents).where(residents.c.account == account)).rowcount
        done["residents"] += gone
        done["meters"] += connection.execute(delete(meters).where(meters.c.account == account)).rowcount
        done["events"] += connection.execute(delete(events).where(events.c.account == account)).rowcount
        done["welfare"] += forget_welfare(connection, account)
        closed = datetime.fromtimestamp(at, UTC).date().isoformat()
        still_open = (accounts.c.account == account) & accounts.c.closed.is_(None)
        connection.execute(update(accounts).where(still_open).values(closed=closed))
        done["decisions"] += _forget_decisions(connection, account)
        done["cases"] += _forget_cases(connection, account)
        done["problems"] += _forget_problems(connection, account)
    return +done


def _forget_decisions(connection: Connection, account: str) -> int:
    """Requests for grants hold each decision's words as they came."""
    forgotten = 0
    query = select(inbox.c.id, inbox.c.payload).where(inbox.c.kind == GrantsRequest.kind)
    for row in connection.execute(query).all():
        payload = load(row.payload)
        hits = [g for g in payload["grants"] if g["account"] == account and g["decision"] != _ERASED]
        for grant in hits:
            grant["decision"] = _ERASED
        if hits:
            connection.execute(update(inbox).where(inbox.c.id == row.id).values(payload=dump(payload)))
            forgotten += len(hits)
    return forgotten


def _forget_cases(connection: Connection, account: str) -> int:
    """Requests for disputes and agreements hold what the resident said, and what was agreed."""
    forgotten = 0
    kinds = DisputeRequest.kind, InstalmentRequest.kind
    query = select(inbox.c.id, inbox.c.kind, inbox.c.payload, inbox.c.reason).where(inbox.c.kind.in_(kinds))
    for row in connection.execute(query).all():
        payload = load(row.payload)
        if payload["account"] != account or payload["act"] == _ERASED:
            continue
        gone: dict[str, object] = {"schedule": [], "periods": []}
        payload |= {"act": _ERASED, **({"ground": _ERASED} if row.kind == DisputeRequest.kind else gone)}
        reason = None if row.reason is None else _ERASED
        here = inbox.c.id == row.id
        connection.execute(update(inbox).where(here).values(payload=dump(payload), reason=reason))
        forgotten += 1
    return forgotten


def _forget_problems(connection: Connection, account: str) -> int:
    """Why a run left the account out may say what its meter showed."""
    forgotten = 0
    for row in connection.execute(select(runs.c.id, runs.c.problems)).all():
        problems = load(row.problems)
        if problems.get(account, _ERASED) != _ERASED:
            problems[account] = _ERASED
            connection.execute(update(runs).where(runs.c.id == row.id).values(problems=dump(problems)))
            forgotten += 1
    return forgotten + _forget_answers(connection, account)


def _forget_answers(connection: Connection, account: str) -> int:
    """The answer to a request for a run repeats those reasons."""
    forgotten = 0
    told = inbox.c.kind.in_((RunRequest.kind, CorrectionRequest.kind)) & inbox.c.result.is_not(None)
    for row in connection.execute(select(inbox.c.id, inbox.c.result).where(told)).all():
        result = load(row.result)
        problems = result.get("problems", {})
        if problems.get(account, _ERASED) != _ERASED:
            problems[account] = _ERASED
            connection.execute(update(inbox).where(inbox.c.id == row.id).values(result=dump(result)))
            forgotten += 1
    return forgotten
