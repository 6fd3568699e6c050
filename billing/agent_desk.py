"""Spends the pooled agent's balance: batches of many residents' payments, and prepayments."""

from __future__ import annotations

import secrets
from collections import defaultdict
from collections.abc import Sequence
from functools import partial

from sqlalchemy import func, insert, select, update

from billing.desk import Desk
from billing.inbox import Item, State
from billing.office import AGENT, NoSuchBill, Office, transaction
from billing.requests import AgentPayment, Prepayment
from billing.schema import agent_batches, agent_payments, prepayments
from contracts.client.sender import Outcome
from contracts.wire.calls import encode_approve, encode_pay_batch, encode_prepay
from contracts.wire.errors import SettlementPaused
from contracts.wire.events import BillPaid
from contracts.wire.ids import BillKey, Reference, RunId, Tag, prepayment_tag
from contracts.wire.leaf import prepayment_id
from contracts.wire.structs import BatchBill

BATCH_BILLS = 100
UNLIMITED = (1 << 256) - 1
PLENTY = 1 << 200


class AgentDesk(Desk):
    """The agent's batches and prepayments, by the agent's key."""

    def __init__(self, office: Office) -> None:
        super().__init__(office)
        self._writes = office.engine.execution_options(writes=True)
        self._seen: dict[Reference, bool | None] = {}

    def step(self) -> None:
        """One round: what was sent is followed to its end, what came in is tried and sent."""
        self._follow_batches()
        self._prepayments()
        self._new_batches()

    # --- the pooled agent's batches ---

    def _new_batches(self) -> None:
        items = self.inbox.unsettled(AgentPayment.kind, State.ACCEPTED)
        if not items or not self._agent_may_spend():
            return
        known = self.office.runs.bills_at([_payment(item).bill for item in items])
        by_run: defaultdict[RunId, dict[int, Item]] = defaultdict(dict)
        for item in items:
            bill = _payment(item).bill
            if bill not in known:
                self.refuse([item], NoSuchBill(bill))
            else:
                # A second payment on one bill goes with the next batch: a batch names a bill once.
                by_run[bill.run].setdefault(bill.index, item)
        for run, chosen in sorted(by_run.items()):
            indices = sorted(chosen)
            for start in range(0, len(indices), BATCH_BILLS):
                self._send_batch(run, [chosen[index] for index in indices[start : start + BATCH_BILLS]])

    def _send_batch(self, run: RunId, items: Sequence[Item]) -> None:
        """One batch; where it would be refused, its halves, down to the one payment that is at fault."""
        reference = Reference(secrets.token_bytes(32))
        refusal = self.office.refusal(AGENT, "Settlement", self._batch_call(reference, run, items))
        if refusal is None:
            self._store_batch(reference, run, items)
        elif len(items) == 1 or isinstance(refusal, SettlementPaused):
            self.refuse(items, refusal)
        else:
            middle = len(items) // 2
            self._send_batch(run, items[:middle])
            self._send_batch(run, items[middle:])

    def _batch_call(self, reference: Reference, run: RunId, items: Sequence[Item]) -> bytes:
        known = self.office.runs.bills_at([_payment(item).bill for item in items])
        bills = [
            BatchBill(_payment(item).bill.index, _payment(item).maximum_kopecks, known[_payment(item).bill].blob)
            for item in items
        ]
        tree = self.office.tree(next(iter(known.values())).run)
        return encode_pay_batch(reference, run, bills, tree.multiproof([bill.index for bill in bills]))

    def _store_batch(self, reference: Reference, run: RunId, items: Sequence[Item]) -> None:
        with self._writes.begin() as connection:
            connection.execute(
                insert(agent_batches).values(reference=reference, run=int(run), state=State.WORKING.value)
            )
            rows = [
                {
                    "item": item.id,
                    "reference": reference,
                    "bill_index": _payment(item).bill.index,
                    "maximum": _payment(item).maximum_kopecks,
                }
                for item in items
            ]
            connection.execute(insert(agent_payments), rows)
        self.inbox.working([item.id for item in items])
        self._submit_batch(reference, run, items)

    def _submit_batch(self, reference: Reference, run: RunId, items: Sequence[Item]) -> None:
        self.office.submit(AGENT, _batch_intent(reference), "Settlement", self._batch_call(reference, run, items))

    def _follow_batches(self) -> None:
        with self.office.engine.connect() as connection:
            query = select(agent_batches).where(agent_batches.c.state == State.WORKING.value)
            batches = connection.execute(query).all()
        for row in batches:
            reference = Reference(bytes(row.reference))
            if not self.office.knows(AGENT, _batch_intent(reference)):  # died between storing and submitting
                items = self._items_of(reference)
                self.inbox.working([item.id for item in items])
                self._submit_batch(reference, RunId(row.run), items)
                continue
            outcome = self.office.outcome(AGENT, _batch_intent(reference))
            stands = None if outcome is None else outcome.final
            if stands or stands is not self._seen.get(reference):
                self._seen[reference] = stands
                self._tell(reference, self._items_of(reference), outcome)

    def _items_of(self, reference: Reference) -> list[Item]:
        with self.office.engine.connect() as connection:
            query = select(agent_payments.c.item).where(agent_payments.c.reference == reference)
            numbers = list(connection.execute(query).scalars())
        return sorted(self.inbox.get_many(numbers), key=lambda item: _payment(item).bill)

    def _tell(self, reference: Reference, items: Sequence[Item], outcome: Outcome | None) -> None:
        """Says of each payment of a batch what became of it."""
        if outcome is None:
            self.inbox.working([item.id for item in items])
            return
        if not outcome.success:
            self.fail(items, outcome.error, outcome.final)
        else:
            paid = self._receipts(outcome)
            for item in items:
                self._tell_one(item, reference, paid.get(_payment(item).bill, 0), outcome)
        if outcome.final:
            with self._writes.begin() as connection:
                here = agent_batches.c.reference == reference
                connection.execute(update(agent_batches).where(here).values(state=State.DONE.value))

    def _tell_one(self, item: Item, reference: Reference, paid: int, outcome: Outcome) -> None:
        bill = _payment(item).bill
        if paid:
            result = {"bill": str(bill), "paid_kopecks": paid, "reference": "0x" + reference.hex()}
            self.inbox.done([item.id], {**result, **transaction(outcome)}, outcome.final)
        else:
            reason = f"nothing was open on bill {bill} that could be paid; nothing was taken"
            self.inbox.failed([item.id], "bill-closed", reason, outcome.final)

    def _receipts(self, outcome: Outcome) -> dict[BillKey, int]:
        return {
            event.bill: sum(leg.amount_kopecks for leg in event.legs)
            for event in self.office.events_of(outcome)
            if isinstance(event, BillPaid)
        }

    def _agent_may_spend(self) -> bool:
        """The Settlement moves the agent's money under the agent's own allowance, given once."""
        agent, settlement = self.office.senders[AGENT].address, self.office.address_of("Settlement")
        if int(self.office.reader.view("Rouble", "allowance", agent, settlement)) >= PLENTY:
            return True
        self.office.submit(AGENT, "allow:settlement", "Rouble", encode_approve(settlement, UNLIMITED))
        return False

    # --- prepayments ---

    def _prepayments(self) -> None:
        for item in self.to_do(Prepayment.kind):
            request = item.request
            if not isinstance(request, Prepayment):
                continue
            intent = f"prepay:{item.id}"
            if item.state is State.ACCEPTED and not self.office.knows(AGENT, intent):
                if self._agent_may_spend():
                    self._send_prepayment(item, request, intent)
                continue
            self.follow(item, AGENT, intent, partial(_prepaid, request))

    def _send_prepayment(self, item: Item, request: Prepayment, intent: str) -> None:
        try:
            tag = self._tag(item, request)
        except LookupError as error:
            self.refuse([item], error)
            return
        data = encode_prepay(request.supplier, request.amount_kopecks, tag)
        refusal = self.office.refusal(AGENT, "Settlement", data)
        if refusal is not None:
            self.refuse([item], refusal)
            return
        self.office.submit(AGENT, intent, "Settlement", data)
        self.inbox.working([item.id])

    def _tag(self, item: Item, request: Prepayment) -> Tag:
        """The item's tag, drawn from the account's key once and kept."""
        account = self.office.register.account(request.account)
        secret = self.office.keyring.secret(account.key_id)
        if secret is None:
            raise LookupError(f"the key of account {request.account} was destroyed; nothing can be paid ahead for it")
        p = prepayments.c
        with self._writes.begin() as connection:
            known = connection.execute(select(p.tag).where(p.item == item.id)).scalar_one_or_none()
            if known is not None:
                return Tag(bytes(known))
            last = connection.execute(select(func.max(p.counter)).where(p.account == request.account)).scalar()
            counter = 0 if last is None else int(last) + 1
            tag = prepayment_tag(secret, counter)
            connection.execute(
                insert(prepayments).values(
                    prepayment=prepayment_id(self.office.senders[AGENT].address, tag),
                    tag=tag,
                    item=item.id,
                    account=request.account,
                    supplier=int(request.supplier),
                    amount=request.amount_kopecks,
                    counter=counter,
                )
            )
        return tag


def _payment(item: Item) -> AgentPayment:
    assert isinstance(item.request, AgentPayment)
    return item.request


def _batch_intent(reference: Reference) -> str:
    return f"batch:{reference.hex()}"


def _prepaid(request: Prepayment, outcome: Outcome) -> dict[str, object]:
    return {**request.to_json(), **transaction(outcome)}
