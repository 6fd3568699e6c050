"""Where suppliers want to be told of their receipts, and the queue of what they are to be told.

Receipts and how far they are queued are written in one transaction, and a message's name follows from what it tells:
whatever dies when, nothing is left out and nothing is queued twice. Only what is final is told.
"""

from __future__ import annotations

import base64
import ipaddress
import json
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol
from urllib.parse import urlsplit

from sqlalchemy import Engine, delete, func, insert, select, update

from api.problems import BadRequest
from api.tables import webhook_messages, webhooks
from contracts.wire.ids import Hash, SupplierId, address_text
from ledger.queries.supplier_views import SupplierReceipt

SECRET_MARK = "whsec_"
MOST_A_SUPPLIER = 10
_SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class Webhook:
    """An address that is told. ``ended`` says why it is told no more."""

    id: str
    supplier: SupplierId
    url: str
    secret: str = field(repr=False)
    told_to: int
    ended: str | None


@dataclass(frozen=True, slots=True)
class Message:
    """One thing to tell; ``body`` is signed as it stands, at every attempt."""

    id: str
    webhook: str
    body: str
    attempts: int


@dataclass(frozen=True, slots=True)
class Queue:
    """How a webhook's messages stand."""

    waiting: int
    delivered: int
    given_up: int


class Receipts(Protocol):
    """What of the ledger is used here."""

    def finalized_height(self) -> int:
        """Height up to which nothing is taken back."""
        ...

    def receipts_between(self, supplier: SupplierId, after: int, height: int) -> list[SupplierReceipt]:
        """Receipts above a block up to a height."""
        ...


class Webhooks:
    """The directory and the queue, in the people store's database. Times are seconds UTC by the machine's clock."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    # --- the directory ---

    def add(self, supplier: SupplierId, url: str, told_to: int) -> Webhook:
        """Registers an address for receipts above a block. Raises BadRequest."""
        check_url(url)
        secret = SECRET_MARK + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()
        made = Webhook(secrets.token_hex(16), supplier, url, secret, told_to, None)
        w = webhooks.c
        with self._engine.begin() as connection:
            query = select(func.count()).where(w.supplier == int(supplier), w.ended.is_(None))
            if (connection.execute(query).scalar() or 0) >= MOST_A_SUPPLIER:
                raise BadRequest(f"supplier {supplier} has {MOST_A_SUPPLIER} webhooks; remove one first")
            row = {"id": made.id, "supplier": int(supplier), "url": url, "secret": secret, "told_to": told_to}
            connection.execute(insert(webhooks).values(**row))
        return made

    def remove(self, supplier: SupplierId, name: str) -> bool:
        """Forgets a supplier's webhook with its queue; whether there was one."""
        w = webhooks.c
        with self._engine.begin() as connection:
            mine = select(w.id).where(w.id == name, w.supplier == int(supplier))
            connection.execute(delete(webhook_messages).where(webhook_messages.c.webhook.in_(mine)))
            return connection.execute(delete(webhooks).where(w.id == name, w.supplier == int(supplier))).rowcount > 0

    def all(self, supplier: SupplierId | None = None) -> list[Webhook]:
        """Webhooks, of one supplier or of all."""
        query = select(webhooks).order_by(webhooks.c.supplier, webhooks.c.id)
        if supplier is not None:
            query = query.where(webhooks.c.supplier == int(supplier))
        with self._engine.connect() as connection:
            return [
                Webhook(row.id, SupplierId(row.supplier), row.url, row.secret, row.told_to, row.ended)
                for row in connection.execute(query)
            ]

    def end(self, name: str, why: str) -> None:
        """Tells an address nothing more; its messages stay."""
        m = webhook_messages.c
        with self._engine.begin() as connection:
            connection.execute(update(webhooks).where(webhooks.c.id == name).values(ended=why))
            waiting = update(webhook_messages).where(m.webhook == name, m.due_at.is_not(None))
            connection.execute(waiting.values(due_at=None))

    # --- the queue ---

    def enqueue(self, webhook: Webhook, ledger: Receipts, now: int) -> int:
        """Queues what became final since; how many messages."""
        height = ledger.finalized_height()
        if height <= webhook.told_to:
            return 0
        rows = [
            {"id": name, "webhook": webhook.id, "body": body, "attempts": 0, "due_at": now, "answer": ""}
            for name, body in _messages(webhook, ledger.receipts_between(webhook.supplier, webhook.told_to, height))
        ]
        w = webhooks.c
        with self._engine.begin() as connection:
            # Two notifiers at once: the second finds the place moved on and queues nothing.
            moved = update(webhooks).where(w.id == webhook.id, w.told_to == webhook.told_to).values(told_to=height)
            if connection.execute(moved).rowcount == 0:
                return 0
            if rows:
                connection.execute(insert(webhook_messages), rows)
        return len(rows)

    def due(self, now: int, most: int = 100) -> list[Message]:
        """Messages to be sent now, oldest first."""
        m = webhook_messages.c
        query = select(webhook_messages).where(m.due_at <= now).order_by(m.due_at, m.id).limit(most)
        with self._engine.connect() as connection:
            return [Message(row.id, row.webhook, row.body, row.attempts) for row in connection.execute(query)]

    def delivered(self, message: Message, now: int, answer: str) -> None:
        """The other side has it."""
        self._note(message, delivered_at=now, due_at=None, attempts=message.attempts + 1, answer=answer)

    def failed(self, message: Message, next_at: int | None, answer: str) -> None:
        """It has it not; the next attempt is at a moment, or never."""
        self._note(message, due_at=next_at, attempts=message.attempts + 1, answer=answer)

    def postponed(self, message: Message, next_at: int) -> None:
        """Not tried, since another message to the same address failed just now."""
        self._note(message, due_at=next_at)

    def queue(self, name: str) -> Queue:
        """How a webhook's messages stand."""
        m = webhook_messages.c
        query = select(
            func.count(m.due_at), func.count(m.delivered_at), func.count().label("all")
        ).where(m.webhook == name)  # fmt: skip
        with self._engine.connect() as connection:
            waiting, delivered, total = connection.execute(query).one()
        return Queue(waiting, delivered, total - waiting - delivered)

    def again(self, name: str, now: int) -> int:
        """Queues what was given up once more; how many."""
        m = webhook_messages.c
        lost = update(webhook_messages).where(m.webhook == name, m.due_at.is_(None), m.delivered_at.is_(None))
        with self._engine.begin() as connection:
            connection.execute(update(webhooks).where(webhooks.c.id == name).values(ended=None))
            return connection.execute(lost.values(due_at=now, attempts=0)).rowcount

    def _note(self, message: Message, **values: object) -> None:
        with self._engine.begin() as connection:
            chosen = update(webhook_messages).where(webhook_messages.c.id == message.id)
            connection.execute(chosen.values(**values))


def check_url(url: str) -> None:
    """Raises BadRequest for what no supplier's address looks like: https with a host, or http on loopback for tests."""
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018  # raises where it is no number
    except ValueError as error:
        raise BadRequest(f"the webhook's URL can't be read: {error}") from error
    if not parts.hostname or parts.username or parts.password or parts.fragment or len(url) > 500:
        raise BadRequest("a webhook's URL has a host, no user, no fragment, and at most 500 characters")
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(parts.hostname)):
        raise BadRequest("a webhook's URL begins with https://; http is for 127.0.0.1 alone")


def is_loopback(host: str) -> bool:
    """Whether a host is this machine by its own number."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _messages(webhook: Webhook, receipts: Sequence[SupplierReceipt]) -> Iterable[tuple[str, str]]:
    """Name and body of a message for each transaction."""
    by_transaction: dict[Hash, list[SupplierReceipt]] = {}
    for receipt in receipts:
        by_transaction.setdefault(receipt.tx_hash, []).append(receipt)
    for name, rows in by_transaction.items():
        yield f"{webhook.id}.{name.hex()[:40]}", _body(webhook.supplier, rows)


def _body(supplier: SupplierId, rows: Sequence[SupplierReceipt]) -> str:
    first = rows[0]
    value = {
        "type": "receipts.final",
        "timestamp": datetime.fromtimestamp(first.timestamp, UTC).isoformat().replace("+00:00", "Z"),
        "data": {
            "supplier": int(supplier),
            "transaction": "0x" + first.tx_hash.hex(),
            "block": first.block_number,
            "block_hash": "0x" + first.block_hash.hex(),
            "amount_kopecks": sum(row.amount_kopecks for row in rows if row.source.value != "netted"),
            "receipts": [
                {
                    "source": row.source.value,
                    "log": row.log_index,
                    "bill": None if row.bill is None else str(row.bill),
                    "line": row.line,
                    "counterparty": address_text(row.counterparty),
                    "amount_kopecks": row.amount_kopecks,
                }
                for row in rows
            ],
        },
    }
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
