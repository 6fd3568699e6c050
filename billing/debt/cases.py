"""Disputes and instalment agreements in billing's books, each sealed under its account's key."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import Engine, Row, insert, select, update

from billing.debt.balance import LineDebt
from billing.debt.books import AccountBook, Pauses
from billing.debt.disputes import Dispute, Outcome
from billing.debt.instalments import Agreement
from billing.debt.penalty import Paid, Pause
from billing.debt.penalty_rules import Rules
from billing.requests import CorrectionRequest
from billing.schema import debt_cases
from billing.store import dump, load
from contracts.client.keyring import KeyDestroyed, KeyRing
from contracts.wire.ids import KeyId, Period, Service, SupplierId
from contracts.wire.sealed import seal, unseal

_KINDS: dict[str, type[Dispute] | type[Agreement]] = {"dispute": Dispute, "instalment": Agreement}


class NoSuchCase(LookupError):
    """There is no such dispute or agreement, or its account's key was destroyed."""

    def __init__(self, case: int) -> None:
        super().__init__(f"no dispute or instalment agreement {case}; `kopeck dispute list` names those there are")
        self.case = case


@dataclass(frozen=True, slots=True)
class Case:
    """One dispute or agreement. ``item`` is the request that it came by."""

    id: int
    item: int
    account: str
    matter: Dispute | Agreement


class Cases:
    """The register of disputes and agreements. What was erased is told no more."""

    def __init__(self, engine: Engine, keyring: KeyRing) -> None:
        self._engine = engine
        self._writes = engine.execution_options(writes=True)
        self._keyring = keyring

    def add(self, item: int, account: str, key_id: KeyId, matter: Dispute | Agreement) -> int:
        """Keeps a case under the request's number; the same request again is the same case. Raises KeyDestroyed."""
        sealed = self._seal(key_id, item, matter)
        with self._writes.begin() as connection:
            known = connection.execute(select(debt_cases.c.id).where(debt_cases.c.item == item)).scalar_one_or_none()
            if known is not None:
                return int(known)
            values = {"item": item, "account": account, "kind": _kind(matter), "key_id": key_id, "sealed": sealed}
            made = connection.execute(insert(debt_cases).values(**values).returning(debt_cases.c.id))
            return int(made.scalar_one())

    def put(self, case: Case) -> None:
        """Writes a case anew: a decision, or an end. Raises NoSuchCase, KeyDestroyed."""
        here = debt_cases.c.id == case.id
        with self._writes.begin() as connection:
            key = connection.execute(select(debt_cases.c.key_id).where(here)).scalar_one_or_none()
            if key is None:
                raise NoSuchCase(case.id)
            sealed = self._seal(KeyId(bytes(key)), case.item, case.matter)
            connection.execute(update(debt_cases).where(here).values(sealed=sealed))

    def get(self, case: int) -> Case:
        """One case. Raises NoSuchCase."""
        found = self._select(debt_cases.c.id == case)
        if not found:
            raise NoSuchCase(case)
        return found[0]

    def of_item(self, item: int) -> Case | None:
        """The case that a request led to."""
        found = self._select(debt_cases.c.item == item)
        return found[0] if found else None

    def of_accounts(self, accounts: Sequence[str] | None = None) -> dict[str, list[Case]]:
        """Cases by account, in the order they came."""
        out: defaultdict[str, list[Case]] = defaultdict(list)
        only = [debt_cases.c.account.in_(accounts)] if accounts is not None and len(accounts) <= 500 else []
        for case in self._select(*only):
            out[case.account].append(case)
        return dict(out)

    def _select(self, *where: object) -> list[Case]:
        with self._engine.connect() as connection:
            query = select(debt_cases).where(*where).order_by(debt_cases.c.id)  # type: ignore[arg-type]
            rows = connection.execute(query).all()
        keys = self._keyring.secrets(KeyId(bytes(row.key_id)) for row in rows)
        opened = ((row, keys.get(KeyId(bytes(row.key_id)))) for row in rows)
        return [_case(row, secret) for row, secret in opened if secret is not None]

    def _seal(self, key_id: KeyId, item: int, matter: Dispute | Agreement) -> bytes:
        secret = self._keyring.secret(key_id)
        if secret is None:
            raise KeyDestroyed(key_id)
        return seal(secret, _place(item), dump(matter.to_json()).encode())


def correction_of(case: Case) -> tuple[str, CorrectionRequest] | None:
    """What an upheld dispute asks for, after the key that it is asked under; None of any other case."""
    matter = case.matter
    if not isinstance(matter, Dispute) or matter.outcome is not Outcome.UPHELD:
        return None
    return f"dispute {case.id}", CorrectionRequest(matter.period, (case.account,), matter.decision)


def pauses_of(book: AccountBook, cases: Sequence[Case], rules: Rules, at: date) -> Pauses:
    """Days without penalty of an account's lines as seen on ``at``: its disputes', and its agreements' where the rules
    grant them. Raises Missing."""
    out: defaultdict[tuple[Period, Service | None, SupplierId], list[Pause]] = defaultdict(list)
    for case in cases:
        if isinstance(case.matter, Dispute):
            out[case.matter.period, case.matter.service, case.matter.supplier].append(case.matter.pause)
            continue
        policy = rules.instalment_policy(case.matter.signed)
        if not policy.stops_penalties:
            continue
        covered = debts_covered(book, case.matter)
        pause = case.matter.pause(payments_on(covered), at, days_count=policy.days_count)
        for name in {(debt.period, debt.service, debt.supplier) for debt in covered}:
            out[name].append(pause)
    return dict(out)


def debts_covered(book: AccountBook, agreement: Agreement) -> list[LineDebt]:
    """The principal that an agreement is about."""
    return [debt for debt in book.principal if debt.period in agreement.periods]


def payments_on(debts: Sequence[LineDebt]) -> list[Paid]:
    """All that came towards some debts."""
    return [paid for debt in debts for paid in debt.payments]


def _kind(matter: Dispute | Agreement) -> str:
    return next(name for name, cls in _KINDS.items() if isinstance(matter, cls))


def _case(row: Row[tuple[object, ...]], secret: bytes) -> Case:
    value = load(unseal(secret, _place(row.item), bytes(row.sealed)).decode())
    return Case(row.id, row.item, row.account, _KINDS[row.kind].from_json(value))


def _place(item: int) -> bytes:
    """What the seal of a case is bound to."""
    return f"debt_cases/{item}".encode()
