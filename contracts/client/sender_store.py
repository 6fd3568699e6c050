"""What a sender keeps: intents, signed attempts and the next nonce, in the caller's own database.

Every write first takes the key's row under the claim of this process, so two processes with one key can't both
write: the one that claimed last goes on, the other stops with AnotherSender.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Engine,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    bindparam,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from contracts.client.schema import Schema
from contracts.wire.ids import Address, Hash, address_text

METADATA = MetaData()
SCHEMA = Schema("sender", METADATA, Path(__file__).parent / "migrations" / "sender")

_KEYS = Table(
    "sender_keys",
    METADATA,
    Column("address", LargeBinary(20), primary_key=True),
    Column("chain_id", BigInteger, nullable=False),
    Column("next_nonce", BigInteger, nullable=False),
    Column("claim", String(32), nullable=False),
)
_INTENTS = Table(
    "sender_intents",
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("address", LargeBinary(20), nullable=False),
    Column("intent", String(200), nullable=False),
    Column("to_address", LargeBinary(20)),
    Column("data", LargeBinary, nullable=False),
    Column("gas", BigInteger),
    Column("nonce", BigInteger),
    Column("tx_hash", LargeBinary(32)),
    Column("block_number", BigInteger),
    Column("block_hash", LargeBinary(32)),
    Column("success", Boolean),
    Column("error", LargeBinary),
    Column("settled", Boolean, nullable=False, default=False),
    UniqueConstraint("address", "intent"),
    UniqueConstraint("address", "nonce"),
    Index("ix_sender_intents_open", "address", "settled"),
)
_ATTEMPTS = Table(
    "sender_attempts",
    METADATA,
    Column("tx_hash", LargeBinary(32), primary_key=True),
    Column("intent_id", Integer, ForeignKey("sender_intents.id"), nullable=False, index=True),
    Column("raw", LargeBinary, nullable=False),
    Column("gas", BigInteger, nullable=False),
    Column("max_fee", BigInteger, nullable=False),
    Column("priority_fee", BigInteger, nullable=False),
    Column("void", Boolean, nullable=False, default=False),
)


class IntentConflict(Exception):
    """An intent of this name is there with other content."""

    def __init__(self, intent: str) -> None:
        super().__init__(f"intent {intent!r} is known with other content; give the new content a name of its own")
        self.intent = intent


class AnotherSender(Exception):
    """Another process claimed the key after this one."""

    def __init__(self, address: Address) -> None:
        super().__init__(
            f"another process sends with the key of {address_text(address)} from this database; stop one of the two"
        )
        self.address = address


@dataclass(frozen=True, slots=True)
class Queued:
    """An intent that has no nonce yet."""

    id: int
    intent: str
    to: Address | None
    data: bytes
    gas: int | None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One signed transaction of an intent."""

    intent_id: int
    tx_hash: Hash
    raw: bytes
    gas: int
    max_fee: int
    priority_fee: int


@dataclass(frozen=True, slots=True)
class Pending:
    """An intent with a nonce that is not mined, and the hashes of its attempts, oldest first."""

    id: int
    intent: str
    nonce: int
    hashes: tuple[Hash, ...]


@dataclass(frozen=True, slots=True)
class Mined:
    """Where an intent was mined, before finality."""

    id: int
    block_number: int
    block_hash: Hash


@dataclass(frozen=True, slots=True)
class Result:
    """What a receipt says about an intent."""

    id: int
    tx_hash: Hash
    block_number: int
    block_hash: Hash
    success: bool
    error: bytes | None


@dataclass(frozen=True, slots=True)
class Adopted:
    """A final transaction that the books did not have, with the intent it carried out or a name of its own."""

    intent: str
    nonce: int
    tx_hash: Hash
    to: Address | None
    data: bytes
    block_number: int
    block_hash: Hash
    success: bool


class Store:
    """The tables of one key. ``claim`` is this process's own, drawn at random."""

    def __init__(self, engine: Engine, address: Address, claim: str) -> None:
        self._engine = engine
        self._address = address
        self._claim = claim
        SCHEMA.bring_up(engine)

    # --- the key ---

    def take_key(self, chain_id: int, nonce_on_chain: int) -> int:
        """Claims the key for this process and returns the chain it was first used on."""
        with self._engine.begin() as connection:
            here = _KEYS.c.address == self._address
            if connection.execute(update(_KEYS).where(here).values(claim=self._claim)).rowcount == 0:
                row = {"address": self._address, "chain_id": chain_id, "next_nonce": nonce_on_chain}
                connection.execute(insert(_KEYS), [row | {"claim": self._claim}])
            return int(connection.execute(select(_KEYS.c.chain_id).where(here)).scalar_one())

    def next_nonce(self) -> int:
        """The nonce that the next intent gets. Raises AnotherSender: who only watches learns of another one too."""
        with self._engine.connect() as connection:
            query = select(_KEYS.c.next_nonce, _KEYS.c.claim).where(_KEYS.c.address == self._address)
            row = connection.execute(query).one()
        if row.claim != self._claim:
            raise AnotherSender(self._address)
        return int(row.next_nonce)

    def peek_nonce(self) -> int | None:
        """The nonce that the next intent would get, whoever holds the key; None where it never sent from here."""
        with self._engine.connect() as connection:
            query = select(_KEYS.c.next_nonce).where(_KEYS.c.address == self._address)
            return connection.execute(query).scalar_one_or_none()

    @contextmanager
    def _write(self) -> Iterator[Connection]:
        """A transaction that holds the key's row. Raises AnotherSender."""
        with self._engine.begin() as connection:
            mine = (_KEYS.c.address == self._address) & (_KEYS.c.claim == self._claim)
            if connection.execute(update(_KEYS).where(mine).values(claim=self._claim)).rowcount == 0:
                raise AnotherSender(self._address)
            yield connection

    # --- intents ---

    def submit(self, rows: Sequence[tuple[str, Address | None, bytes, int | None]]) -> None:
        """Adds intents (name, to, data, gas) in one transaction. Raises IntentConflict.

        It writes before it reads: two processes may submit at once, and a database that locks on the first write
        (SQLite) refuses one who read before.
        """
        new = {row[0]: row for row in rows}
        for row in rows:
            if new[row[0]][1:3] != row[1:3]:
                raise IntentConflict(row[0])
        while new:
            try:
                with self._engine.begin() as connection:
                    connection.execute(insert(_INTENTS), [self._intent_row(row) for row in new.values()])
                return
            except IntegrityError:
                known = self._contents(list(new))
                for intent, content in known.items():
                    if content != new.pop(intent)[1:3]:
                        raise IntentConflict(intent) from None
                if not known:
                    raise

    def _intent_row(self, row: tuple[str, Address | None, bytes, int | None]) -> dict[str, object]:
        intent, to, data, gas = row
        return {"address": self._address, "intent": intent, "to_address": to, "data": data, "gas": gas}

    def _contents(self, intents: Sequence[str]) -> dict[str, tuple[bytes | None, bytes]]:
        """Receiver and data of those that are there."""
        columns = (_INTENTS.c.intent, _INTENTS.c.to_address, _INTENTS.c.data)
        found: dict[str, tuple[bytes | None, bytes]] = {}
        with self._engine.connect() as connection:
            for start in range(0, len(intents), 500):
                query = select(*columns).where(self._mine(), _INTENTS.c.intent.in_(intents[start : start + 500]))
                for row in connection.execute(query):
                    found[row.intent] = (_address(row.to_address), bytes(row.data))
        return found

    def queued(self, limit: int | None) -> list[Queued]:
        """Intents without a nonce, in order of submission; all of them where there is no limit."""
        columns = (_INTENTS.c.id, _INTENTS.c.intent, _INTENTS.c.to_address, _INTENTS.c.data, _INTENTS.c.gas)
        query = select(*columns).where(self._mine(), _INTENTS.c.settled.is_(False), _INTENTS.c.nonce.is_(None))
        with self._engine.connect() as connection:
            rows = connection.execute(query.order_by(_INTENTS.c.id).limit(limit)).all()
        return [Queued(r.id, r.intent, _address(r.to_address), bytes(r.data), r.gas) for r in rows]

    def content(self, intent_id: int) -> tuple[Address | None, bytes]:
        """Receiver and call data of an intent."""
        query = select(_INTENTS.c.to_address, _INTENTS.c.data).where(_INTENTS.c.id == intent_id)
        with self._engine.connect() as connection:
            row = connection.execute(query).one()
        return _address(row.to_address), bytes(row.data)

    def pending(self) -> list[Pending]:
        """Signed intents that are not mined, by nonce."""
        query = (
            select(_INTENTS.c.id, _INTENTS.c.intent, _INTENTS.c.nonce, _ATTEMPTS.c.tx_hash)
            .join(_ATTEMPTS, _ATTEMPTS.c.intent_id == _INTENTS.c.id)
            .where(self._mine(), _INTENTS.c.settled.is_(False), _INTENTS.c.nonce.is_not(None))
            .where(_INTENTS.c.block_number.is_(None), _ATTEMPTS.c.void.is_(False))
            .order_by(_INTENTS.c.nonce, _ATTEMPTS.c.max_fee)
        )
        with self._engine.connect() as connection:
            rows = connection.execute(query).all()
        grouped: dict[int, tuple[str, int, list[Hash]]] = {}
        for row in rows:
            grouped.setdefault(row.id, (row.intent, row.nonce, []))[2].append(Hash(bytes(row.tx_hash)))
        return [Pending(id_, intent, nonce, tuple(hashes)) for id_, (intent, nonce, hashes) in grouped.items()]

    def mined(self) -> list[Mined]:
        """Mined intents before finality."""
        columns = (_INTENTS.c.id, _INTENTS.c.block_number, _INTENTS.c.block_hash)
        query = select(*columns).where(self._mine(), _INTENTS.c.settled.is_(False))
        with self._engine.connect() as connection:
            rows = connection.execute(query.where(_INTENTS.c.block_number.is_not(None))).all()
        return [Mined(row.id, row.block_number, Hash(bytes(row.block_hash))) for row in rows]

    def last_settled(self) -> tuple[int, int] | None:
        """The highest nonce and the highest block that were final when last seen."""
        query = select(func.max(_INTENTS.c.nonce), func.max(_INTENTS.c.block_number))
        with self._engine.connect() as connection:
            nonce, block = connection.execute(query.where(self._mine(), _INTENTS.c.settled.is_(True))).one()
        return None if nonce is None else (int(nonce), int(block))

    def row(self, intent: str) -> Any | None:
        """The whole row of an intent, or None."""
        with self._engine.connect() as connection:
            return connection.execute(select(_INTENTS).where(self._mine(), _INTENTS.c.intent == intent)).one_or_none()

    # --- attempts ---

    def attempts(self, hashes: Sequence[Hash]) -> list[Attempt]:
        """The attempts of these hashes, in the order given."""
        found: dict[bytes, Attempt] = {}
        with self._engine.connect() as connection:
            for start in range(0, len(hashes), 500):
                query = select(_ATTEMPTS).where(_ATTEMPTS.c.tx_hash.in_(hashes[start : start + 500]))
                for row in connection.execute(query):
                    found[bytes(row.tx_hash)] = _attempt(row)
        return [found[name] for name in hashes]

    def assign(self, signed: Sequence[tuple[int, Attempt]], next_nonce: int) -> None:
        """Gives intents their nonces and keeps their signed bytes, in one transaction. Raises AnotherSender."""
        with self._write() as connection:
            here = _KEYS.c.address == self._address
            connection.execute(update(_KEYS).where(here).values(next_nonce=next_nonce))
            statement = update(_INTENTS).where(_INTENTS.c.id == bindparam("row")).values(nonce=bindparam("given"))
            connection.execute(statement, [{"row": attempt.intent_id, "given": nonce} for nonce, attempt in signed])
            connection.execute(insert(_ATTEMPTS), [_columns(attempt) for _, attempt in signed])

    def add_attempts(self, attempts: Sequence[Attempt]) -> None:
        """Keeps replacements. Raises AnotherSender."""
        with self._write() as connection:
            connection.execute(insert(_ATTEMPTS), [_columns(attempt) for attempt in attempts])

    # --- outcomes ---

    def record(self, results: Sequence[Result]) -> None:
        """Keeps what receipts say. Raises AnotherSender."""
        names = ("tx_hash", "block_number", "block_hash", "success", "error")
        statement = update(_INTENTS).where(_INTENTS.c.id == bindparam("row"))
        statement = statement.values({name: bindparam(f"new_{name}") for name in names})
        with self._write() as connection:
            values = [{"row": r.id} | {f"new_{name}": getattr(r, name) for name in names} for r in results]
            connection.execute(statement, values)

    def forget_results(self, ids: Sequence[int]) -> None:
        """A reorganisation dropped these: they are pending again. Raises AnotherSender."""
        statement = update(_INTENTS).where(_INTENTS.c.id == bindparam("row"))
        statement = statement.values(tx_hash=None, block_number=None, block_hash=None, success=None, error=None)
        with self._write() as connection:
            connection.execute(statement, [{"row": row} for row in ids])

    def settle(self, ids: Sequence[int]) -> None:
        """These are final. Raises AnotherSender."""
        statement = update(_INTENTS).where(_INTENTS.c.id == bindparam("row")).values(settled=True)
        with self._write() as connection:
            connection.execute(statement, [{"row": row} for row in ids])

    def adopt(self, done: Sequence[Adopted], restarted: Sequence[str], next_nonce: int) -> None:
        """These are final, by transactions of other bytes than ours; these others lose their nonces and start again;
        the next intent gets ``next_nonce``, or what it would have got where that is later. Raises AnotherSender."""
        named = [*restarted, *(one.intent for one in done)]
        with self._write() as connection:
            here = (_KEYS.c.address == self._address) & (_KEYS.c.next_nonce < next_nonce)
            connection.execute(update(_KEYS).where(here).values(next_nonce=next_nonce))
            for intent in named:
                mine = self._mine() & (_INTENTS.c.intent == intent)
                rows = select(_INTENTS.c.id).where(mine)
                connection.execute(update(_ATTEMPTS).where(_ATTEMPTS.c.intent_id.in_(rows)).values(void=True))
                connection.execute(update(_INTENTS).where(mine).values(nonce=None))
            for one in done:
                values = {
                    **{"nonce": one.nonce, "tx_hash": one.tx_hash, "block_number": one.block_number},
                    **{"block_hash": one.block_hash, "success": one.success, "settled": True},
                    "error": None if one.success else b"",
                }
                mine = self._mine() & (_INTENTS.c.intent == one.intent)
                if connection.execute(update(_INTENTS).where(mine).values(values)).rowcount == 0:
                    row = self._intent_row((one.intent, one.to, one.data, None))
                    connection.execute(insert(_INTENTS).values(row | values))

    def _mine(self) -> Any:
        return _INTENTS.c.address == self._address


def _columns(attempt: Attempt) -> dict[str, object]:
    return {
        "tx_hash": attempt.tx_hash,
        "intent_id": attempt.intent_id,
        "raw": attempt.raw,
        "gas": attempt.gas,
        "max_fee": attempt.max_fee,
        "priority_fee": attempt.priority_fee,
    }


def _attempt(row: Any) -> Attempt:
    return Attempt(row.intent_id, Hash(bytes(row.tx_hash)), bytes(row.raw), row.gas, row.max_fee, row.priority_fee)


def _address(value: Any) -> Address | None:
    return None if value is None else Address(bytes(value))
