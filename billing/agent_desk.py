"""Spends the pooled agent's balance: batches of many residents' payments, and prepayments."""

from __future__ import annotations

import secrets
from collections import defaultdict
from collections.abc import Sequence
from functools import partial

from sqlalchemy import delete, func, insert, select, update

from billing.desk import Desk
from billing.inbox import Item, State
from billing.office import AGENT, NoSuchBill, Office, transaction
from billing.requests import AgentPayment, Prepayment
from billing.schema import agent_batches, agent_payments, prepayments
from contracts.client.sender import Outcome
from contracts.wire.calls import encode_approve, encode_pay_batch, encode_prepay
from contracts.wire.errors import ContractError, RoubleBalanceTooLow, SettlementPaused
from contracts.wire.events import BillPaid
from contracts.wire.ids import BillKey, Reference, RunId, Tag, prepayment_tag
from contracts.wire.leaf import prepayment_id
from contracts.wire.structs import BatchBill

BATCH_BILLS = 100
UNLIMITED = (1 << 256) - 1
PLENTY = 1 << 200
WAITS = "waits until the agent's earlier payments are mined: its wallet may not hold enough for all of them"


class AgentDesk(Desk):
    """The agent's batches and prepayments, by the agent's key."""

    def __init__(self, office: Office) -> None:
        super().__init__(office)
        self._writes = office.engine.execution_options(writes=True)
        self._seen: dict[Reference, bool | None] = {}
        self._sums: dict[Reference, int] = {}
        self._purse = 0

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
        purse = self._count_purse()
        if purse is None:
            return
        self._purse = purse
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
        """One batch; where it would be refused, its halves, down to the one payment that is at fault.

        A trial knows nothing of what is sent and not mined yet: that is counted here, so that no batch meets an empty
        wallet on the chain. What can't be paid because of it waits until the rest is mined.
        """
        reference = Reference(secrets.token_bytes(32))
        data = self._batch_call(reference, run, items)
        refusal: ContractError | None = None
        try:
            agent = self.office.senders[AGENT].address
            total = int.from_bytes(self.office.reader.simulate(agent, "Settlement", data), "big")
        except ContractError as error:
            refusal, total = error, 0
        if refusal is None and total <= self._purse:
            self._purse -= total
            self._sums[reference] = total
            self._store_batch(reference, run, items)
        elif len(items) > 1 and not isinstance(refusal, SettlementPaused):
            middle = len(items) // 2
            self._send_batch(run, items[:middle])
            self._send_batch(run, items[middle:])
        elif refusal is None or (isinstance(refusal, RoubleBalanceTooLow) and self._is_spending()):
            self.inbox.waiting([item.id for item in items if item.reason != WAITS], WAITS)
        else:
            self._refuse_batch(items, refusal)

    def _refuse_batch(self, items: Sequence[Item], refusal: ContractError) -> None:
        if isinstance(refusal, RoubleBalanceTooLow):
            self._too_poor(items, refusal, True)
        else:
            self.refuse(items, refusal)

    def _too_poor(self, items: Sequence[Item], error: ContractError, final: bool) -> None:
        """Ends payments that the agent's wallet does not hold enough for."""
        for item in items:
            reason = (
                f"bill {_payment(item).bill} was not paid and nothing was taken: the agent's wallet holds "
                f"{error.balance} kopecks, {error.needed} are needed; top the agent's wallet up, then pay again"
            )
            self.inbox.failed([item.id], error.slug, reason, final)

    def _count_purse(self) -> int | None:
        """Kopecks that the agent holds and has not sent for yet; None while it is not known, which is after a start,
        until what was sent before is mined."""
        left = int(self.office.reader.view("Rouble", "balanceOf", self.office.senders[AGENT].address))
        for reference in self._unmined():
            if reference not in self._sums:
                return None
            left -= self._sums[reference]
        for item in self.inbox.unsettled(Prepayment.kind, State.WORKING):
            if isinstance(item.request, Prepayment):
                left -= item.request.amount_kopecks
        return left

    def _is_spending(self) -> bool:
        return bool(self._unmined()) or bool(self.inbox.unsettled(Prepayment.kind, State.WORKING, limit=1))

    def _unmined(self) -> list[Reference]:
        """Batches that are kept and not mined."""
        with self.office.engine.connect() as connection:
            query = select(agent_batches.c.reference).where(agent_batches.c.state == State.WORKING.value)
            kept = [Reference(bytes(reference)) for reference in connection.execute(query).scalars()]
        return [reference for reference in kept if self.office.outcome(AGENT, _batch_intent(reference)) is None]

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
        if isinstance(outcome.error, RoubleBalanceTooLow):
            self._tell_poor(reference, items, outcome.error, outcome.final)
        elif not outcome.success:
            self.fail(items, outcome.error, outcome.final)
        else:
            paid = self._receipts(outcome)
            for item in items:
                self._tell_one(item, reference, paid.get(_payment(item).bill, 0), outcome)
        if outcome.final:
            self._sums.pop(reference, None)
            with self._writes.begin() as connection:
                here = agent_batches.c.reference == reference
                connection.execute(update(agent_batches).where(here).values(state=State.DONE.value))

    def _tell_poor(self, reference: Reference, items: Sequence[Item], error: ContractError, final: bool) -> None:
        """The agent's money went elsewhere between trial and block: once it is final that nothing was taken, a batch
        of many is tried again, as far as the money goes."""
        if len(items) == 1:
            self._too_poor(items, error, final)
        elif final:
            self.inbox.again([item.id for item in items])
            with self._writes.begin() as connection:
                connection.execute(delete(agent_payments).where(agent_payments.c.reference == reference))
        else:
            self.inbox.working([item.id for item in items], WAITS)

    def _tell_one(self, item: Item, reference: Reference, paid: int, outcome: Outcome) -> None:
        bill = _payment(item).bill
        if paid:
            result = {"bill": str(bill), "paid_kopecks": paid, "reference": "0x" + reference.hex()}
            self.inbox.done([item.id], {**result, **transaction(outcome)}, outcome.final)
        else:
            self.inbox.failed([item.id], "bill-closed", self.office.why_closed(bill), outcome.final)

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
