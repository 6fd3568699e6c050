"""The one way in: requests become durable before anyone answers, and the same request twice is one request.

The API and the command line put requests here; the collector carries them out and writes down how each ended.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import count

from sqlalchemy import Engine, Row, insert, select, update
from sqlalchemy.exc import IntegrityError

from billing.debt.requests import AccountPayment
from billing.requests import REQUESTS, AgentPayment, GrantsRequest, PayOrder, Prepayment, RefundOrder, Request
from billing.schema import inbox
from billing.store import dump, load
from contracts.wire.canonical import canonical_json, content_hash
from contracts.wire.ids import Hash
from contracts.wire.typed_data import Domain, SignatureError, recover

MAX_KOPECKS = (1 << 48) - 1


class InboxError(Exception):
    """A request that is not taken in. ``slug``, ``status`` and ``remedy`` are for RFC 9457."""

    slug = "request-refused"
    status = 422

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(f"{reason}; {remedy}")
        self.reason, self.remedy = reason, remedy


class InboxConflict(InboxError):
    """The same client key came with other content."""

    slug = "key-reused"
    status = 409

    def __init__(self, kind: str, client_key: str, item: int) -> None:
        super().__init__(
            f"the key {client_key!r} was used for another {kind}, item {item}",
            "send the first content again, or use a new key",
        )
        self.kind, self.client_key, self.item = kind, client_key, item


class WrongSigner(InboxError):
    """An order's signature is not its payer's."""

    slug = "wrong-signer"


class NotOurOrder(InboxError):
    """An order names another spender or purpose than the door it came in by."""

    slug = "not-our-order"


class BadAmount(InboxError):
    """A sum is not a positive number of kopecks below 2⁴⁸."""

    slug = "bad-amount"


class State(StrEnum):
    """Where a request stands. DONE and FAILED are the ends; a failure has a reason and a remedy."""

    ACCEPTED = "accepted"
    WORKING = "working"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Item:
    """A request with its fate. ``is_settled``: no reorganisation can change it any more. ``repeated`` says that this
    very answer found it there already."""

    id: int
    kind: str
    client_key: str
    request: Request
    digest: Hash | None
    state: State
    slug: str | None = None
    reason: str | None = None
    result: Mapping[str, object] | None = None
    is_settled: bool = False
    repeated: bool = False

    @property
    def is_over(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.state in (State.DONE, State.FAILED)


class Inbox:
    """Takes requests in and tells their fate. ``domain`` is the Rouble's, ``settlement`` who may spend."""

    def __init__(self, engine: Engine, domain: Domain, settlement: bytes) -> None:
        self._engine = engine
        self._writes = engine.execution_options(writes=True)
        self._domain = domain
        self._settlement = settlement

    def put(self, client_key: str, request: Request) -> Item:
        """Takes a request in, durably; the same key with the same content answers with the item that is there.

        An order that comes again under another key is the same order. Raises InboxError.
        """
        digest = self._check(request)
        content = content_hash(canonical_json({"kind": request.kind, **request.to_json()}))
        values = {
            "kind": request.kind,
            "client_key": client_key,
            "content": content,
            "digest": digest,
            "payload": dump(request.to_json()),
            "state": State.ACCEPTED.value,
            "is_settled": False,
        }
        found = self._find(request.kind, client_key, digest)
        if found is None:
            try:
                with self._writes.begin() as connection:
                    connection.execute(insert(inbox).values(**values))
                repeated = False
            except IntegrityError:
                repeated = True  # a double click got in between
            found = self._find(request.kind, client_key, digest)
        else:
            repeated = True
        if found is None:
            raise RuntimeError(f"the {request.kind} under {client_key!r} is neither there nor to be put there")
        if bytes(found.content) != content:
            raise InboxConflict(request.kind, client_key, found.id)
        return _item(found, repeated)

    def _find(self, kind: str, client_key: str, digest: Hash | None) -> Row[tuple[object, ...]] | None:
        with self._engine.connect() as connection:
            if digest is not None:
                row = connection.execute(select(inbox).where(inbox.c.digest == digest)).one_or_none()
                if row is not None:
                    return row
            here = (inbox.c.kind == kind) & (inbox.c.client_key == client_key)
            return connection.execute(select(inbox).where(here)).one_or_none()

    def _check(self, request: Request) -> Hash | None:
        if isinstance(request, PayOrder | RefundOrder):
            return self._check_order(request)
        if isinstance(request, AgentPayment):
            _check_amount(request.maximum_kopecks)
        elif isinstance(request, Prepayment | AccountPayment):
            _check_amount(request.amount_kopecks)
        elif isinstance(request, GrantsRequest):
            for grant in request.grants:
                _check_amount(grant.maximum_kopecks)
        return None

    def _check_order(self, order: PayOrder | RefundOrder) -> Hash:
        authorization = order.authorization
        action = "pay" if isinstance(order, PayOrder) else "refund"
        if authorization.spender != self._settlement or authorization.purpose.action != action:
            raise NotOurOrder(
                f"the order is for {authorization.purpose.action!r} by 0x{authorization.spender.hex()}",
                f"sign a {action} with the Settlement 0x{self._settlement.hex()} as the spender",
            )
        if authorization.maximum_kopecks <= 0:
            raise BadAmount("the order allows nothing", "sign a maximum above zero")
        digest = self._domain.digest(authorization.struct_hash())
        try:
            signer = recover(digest, order.signature)
        except SignatureError as error:
            raise WrongSigner(str(error), "sign the order again") from error
        if signer != authorization.payer:
            raise WrongSigner(
                f"0x{signer.hex()} signed, the payer is 0x{authorization.payer.hex()}",
                "sign with the payer's key, for this chain and this token",
            )
        return digest

    # --- reading ---

    def get(self, item: int) -> Item | None:
        """One item."""
        with self._engine.connect() as connection:
            row = connection.execute(select(inbox).where(inbox.c.id == item)).one_or_none()
        return None if row is None else _item(row)

    def get_many(self, items: Sequence[int]) -> list[Item]:
        """Several items, in the order they came."""
        found: list[Item] = []
        with self._engine.connect() as connection:
            for start in range(0, len(items), 500):
                query = select(inbox).where(inbox.c.id.in_(items[start : start + 500])).order_by(inbox.c.id)
                found += [_item(row) for row in connection.execute(query)]
        return sorted(found, key=lambda item: item.id)

    def by_key(self, kind: str, client_key: str) -> Item | None:
        """The item that a client put under a key of its own."""
        found = self._find(kind, client_key, None)
        return None if found is None else _item(found)

    def free_key(self, kind: str, name: str) -> str:
        """The first key after a name under which no request has failed: what failed may be asked for again."""
        for number in count(1):
            key = name if number == 1 else f"{name} ({number})"
            found = self.by_key(kind, key)
            if found is None or found.state is not State.FAILED:
                return key
        raise AssertionError("unreachable")

    def by_digest(self, digest: Hash) -> Item | None:
        """The order of an EIP-712 digest."""
        with self._engine.connect() as connection:
            row = connection.execute(select(inbox).where(inbox.c.digest == digest)).one_or_none()
        return None if row is None else _item(row)

    def items(self, state: State | None = None, kind: str | None = None, limit: int = 1000) -> list[Item]:
        """Items in the order they came."""
        query = select(inbox).order_by(inbox.c.id).limit(limit)
        if state is not None:
            query = query.where(inbox.c.state == state.value)
        if kind is not None:
            query = query.where(inbox.c.kind == kind)
        with self._engine.connect() as connection:
            return [_item(row) for row in connection.execute(query)]

    # --- for the collector ---

    def working(self, items: Sequence[int], reason: str | None = None) -> None:
        """Marks items as under way, with what they wait for where that is worth saying."""
        self._write(items, State.WORKING, final=False, reason=reason)

    def again(self, items: Sequence[int]) -> None:
        """Takes items that came to nothing on the chain back to the beginning."""
        self._write(items, State.ACCEPTED, final=False)

    def done(self, items: Sequence[int], result: Mapping[str, object], final: bool = True) -> None:
        """Says that items ended well; until ``final`` a reorganisation may still change that."""
        self._write(items, State.DONE, final=final, result=result)

    def failed(
        self,
        items: Sequence[int],
        slug: str,
        reason: str,
        final: bool = True,
        result: Mapping[str, object] | None = None,
    ) -> None:
        """Says that items ended badly; the reason names the record and the remedy, ``result`` what was found."""
        self._write(items, State.FAILED, final=final, slug=slug, reason=reason, result=result)

    def waiting(self, items: Sequence[int], reason: str) -> None:
        """Says what items wait for; they stay to be carried out."""
        with self._writes.begin() as connection:
            connection.execute(update(inbox).where(inbox.c.id.in_(items)).values(reason=reason))

    def unsettled(self, kind: str, *states: State, limit: int = 1000) -> list[Item]:
        """Items of a kind that are not over for good, in the order they came."""
        return self.unsettled_among((kind,), *states, limit=limit)

    def unsettled_among(self, kinds: Sequence[str], *states: State, limit: int = 1000) -> list[Item]:
        """The same of several kinds together."""
        query = select(inbox).where(inbox.c.is_settled.is_(False), inbox.c.kind.in_(kinds)).order_by(inbox.c.id)
        if states:
            query = query.where(inbox.c.state.in_([state.value for state in states]))
        with self._engine.connect() as connection:
            return [_item(row) for row in connection.execute(query.limit(limit))]

    def _write(
        self,
        items: Sequence[int],
        state: State,
        *,
        final: bool,
        slug: str | None = None,
        reason: str | None = None,
        result: Mapping[str, object] | None = None,
    ) -> None:
        values = {
            "state": state.value,
            "slug": slug,
            "reason": reason,
            "result": None if result is None else dump(result),
            "is_settled": final,
        }
        with self._writes.begin() as connection:
            for start in range(0, len(items), 500):
                chunk = items[start : start + 500]
                here = inbox.c.id.in_(chunk) & inbox.c.is_settled.is_(False)
                connection.execute(update(inbox).where(here).values(**values))


def _check_amount(kopecks: int) -> None:
    if not 0 < kopecks <= MAX_KOPECKS:
        raise BadAmount(f"{kopecks} kopecks is no sum to pay", f"give 1 to {MAX_KOPECKS} kopecks")


def _item(row: Row[tuple[object, ...]], repeated: bool = False) -> Item:
    return Item(
        row.id,
        row.kind,
        row.client_key,
        REQUESTS[row.kind].from_json(load(row.payload)),
        None if row.digest is None else Hash(bytes(row.digest)),
        State(row.state),
        row.slug,
        row.reason,
        None if row.result is None else load(row.result),
        row.is_settled,
        repeated,
    )
