"""Cases, awards, recoveries and repayments at rest: each sealed under its account's key, none ever changed.

In the clear stand the account, the kind, the month and the batch; the case's number is there as an HMAC under the
account's key alone.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, Row, delete, insert, select

from billing.accounts import Accounts
from billing.schema import welfare_records
from billing.store import dump, load
from billing.welfare.awards import (
    Award,
    Recovery,
    Repayment,
    award_from_json,
    recovery_from_json,
    repayment_from_json,
)
from billing.welfare.cases import Revision, revision_from_json, revision_to_json
from contracts.client.keyring import KeyRing
from contracts.wire.ids import KeyId, Period
from contracts.wire.sealed import seal, unseal

CASE, AWARD, RECOVERY, REPAYMENT = "case", "award", "recovery", "repayment"
_LABEL_BYTES = 16


class RecordConflict(ValueError):
    """A record is there already and says something else."""

    def __init__(self, kind: str, account: str, case: str, number: int) -> None:
        super().__init__(
            f"{kind} {number} of case {case}, account {account}, is recorded with other content; "
            "records are never changed: change the case with `kopeck subsidy recompute`, or use a new number"
        )
        self.kind, self.account, self.case, self.number = kind, account, case, number


@dataclass(frozen=True, slots=True)
class _New:
    account: str
    case: str
    kind: str
    period: int
    number: int
    batch: str
    value: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Shelf:
    """Everything recorded of one case."""

    account: str
    case: str
    revisions: tuple[Revision, ...]
    awards: tuple[Award, ...]
    recoveries: tuple[Recovery, ...]
    repayments: tuple[Repayment, ...]


class Records:
    """The store. Accounts whose key was destroyed have no records any more."""

    def __init__(self, engine: Engine, register: Accounts, keyring: KeyRing) -> None:
        self._engine = engine
        self._writes = engine.execution_options(writes=True)
        self._register = register
        self._keyring = keyring

    # --- writing ---

    def add_revision(self, revision: Revision) -> None:
        """Keeps a decision or a change of one. Raises RecordConflict, UnknownAccount, KeyDestroyed."""
        case = revision.case
        self._add([_New(case.account, case.number, CASE, 0, revision.number, "", revision_to_json(revision))])

    def add_awards(self, awards: Iterable[Award]) -> None:
        """Keeps a batch's awards, all or none. Raises RecordConflict."""
        self._add([_New(a.account, a.case, AWARD, a.period.number, a.number, a.batch, a.to_json()) for a in awards])

    def add_recoveries(self, recoveries: Iterable[Recovery]) -> None:
        """Keeps what is owed back. Raises RecordConflict."""
        self._add([_New(r.account, r.case, RECOVERY, r.period.number, r.number, "", r.to_json()) for r in recoveries])

    def add_repayment(self, repayment: Repayment, number: int) -> None:
        """Keeps what the person gave back. Raises RecordConflict."""
        r = repayment
        self._add([_New(r.account, r.case, REPAYMENT, 0, number, "", r.to_json())])

    def _add(self, new: Sequence[_New]) -> None:
        keys = {name: self._register.account(name).key_id for name in {n.account for n in new}}
        with self._writes.begin() as connection:
            for n in new:
                secret = self._keyring.create(keys[n.account])
                label = _label(secret, n.case)
                here = {"account": n.account, "label": label, "kind": n.kind, "period": n.period, "number": n.number}
                known = connection.execute(select(welfare_records).filter_by(**here)).one_or_none()
                if known is None:
                    place = _place(n.account, label, n.kind, n.period, n.number)
                    sealed = seal(secret, place, dump(dict(n.value)).encode())
                    row = {**here, "batch": n.batch, "key_id": keys[n.account], "sealed": sealed}
                    connection.execute(insert(welfare_records).values(row))
                elif _opened(secret, known) != load(dump(dict(n.value))):
                    raise RecordConflict(n.kind, n.account, n.case, n.number)

    # --- reading ---

    def shelves(self, accounts: Sequence[str] | None = None) -> list[Shelf]:
        """Everything, case by case, in the order of accounts and decisions."""
        query = select(welfare_records).order_by(welfare_records.c.account, welfare_records.c.id)
        if accounts is not None and len(accounts) <= 500:
            query = query.where(welfare_records.c.account.in_(accounts))
        with self._engine.connect() as connection:
            rows = connection.execute(query).all()
        keys = self._keyring.secrets(KeyId(bytes(row.key_id)) for row in rows)
        found: dict[tuple[str, bytes], dict[str, list[Mapping[str, Any]]]] = {}
        for row in rows:
            secret = keys.get(KeyId(bytes(row.key_id)))
            if secret is None or (accounts is not None and row.account not in accounts):
                continue
            kinds = found.setdefault((row.account, bytes(row.label)), {})
            kinds.setdefault(row.kind, []).append(_opened(secret, row))
        return [_shelf(account, kinds) for (account, _), kinds in found.items()]

    def batches(self, period: Period | None = None) -> list[str]:
        """Names of the batches, in the order they were made."""
        query = select(welfare_records.c.batch).where(welfare_records.c.batch != "").order_by(welfare_records.c.id)
        if period is not None:
            query = query.where(welfare_records.c.period == period.number)
        with self._engine.connect() as connection:
            return list(dict.fromkeys(connection.execute(query).scalars()))


def forget(connection: Connection, account: str) -> int:
    """Takes out every record of an account whose key was destroyed: that there was a case tells of a life too."""
    return int(connection.execute(delete(welfare_records).where(welfare_records.c.account == account)).rowcount)


def _shelf(account: str, kinds: Mapping[str, Sequence[Mapping[str, Any]]]) -> Shelf:
    revisions = tuple(revision_from_json(value) for value in kinds[CASE])
    return Shelf(
        account,
        revisions[0].case.number,
        revisions,
        tuple(award_from_json(value) for value in kinds.get(AWARD, ())),
        tuple(recovery_from_json(value) for value in kinds.get(RECOVERY, ())),
        tuple(repayment_from_json(value) for value in kinds.get(REPAYMENT, ())),
    )


def _label(secret: bytes, case: str) -> bytes:
    return hmac.digest(secret, f"welfare/{case}".encode(), "sha256")[:_LABEL_BYTES]


def _place(account: str, label: bytes, kind: str, period: int, number: int) -> bytes:
    """What the seal of a record is bound to."""
    return f"welfare/{account}/{label.hex()}/{kind}/{period}/{number}".encode()


def _opened(secret: bytes, row: Row[tuple[object, ...]]) -> Any:
    place = _place(row.account, bytes(row.label), row.kind, row.period, row.number)
    return load(unseal(secret, place, bytes(row.sealed)).decode())
