"""Settlement's events: payments, prepayments, credits and refunds."""

from __future__ import annotations

from contracts.wire import events as chain
from ledger import models
from ledger.models import EntryKind, MovementKind
from ledger.projection.handlers import Handlers
from ledger.projection.known import Known
from ledger.projection.money import Flow, TransactionMoney
from ledger.store import FactRows

_PAID = int(MovementKind.PAID)


def _bill_paid(e: chain.BillPaid, rows: FactRows, known: Known, money: TransactionMoney) -> None:
    block, _, tx_hash, log_index, _ = e.log
    bill, payer = e.bill, e.payer
    run, index, state = bill.run, bill.index, int(e.state)
    flows: list[Flow] = []
    movements = rows.of(models.movements)
    wallets = known.wallet_of_supplier
    total = 0
    for position, (line, supplier, amount) in enumerate(e.legs):
        total += amount
        wallet = wallets.get(supplier) or known.payout(supplier, block)
        flows.append(Flow(payer, wallet, amount, supplier, bill, line))
        movements.append((block, log_index, position, run, index, line, supplier, _PAID, amount))
    rows.add(models.payments, block, log_index, run, index, payer, e.ref, total, state, tx_hash)
    rows.add(models.bill_states, block, log_index, run, index, state, None)
    money.enter(e.log, EntryKind.PAYMENT, flows, e.ref)


def _bill_skipped(e: chain.BillSkipped, rows: FactRows, _k: Known, _: TransactionMoney) -> None:
    place = e.log.block_number, e.log.log_index
    bill = e.bill.run, e.bill.index
    rows.add(models.skips, *place, *bill, e.ref, int(e.state), None, None, None, e.log.tx_hash)
    rows.add(models.bill_states, *place, *bill, int(e.state), None)


def _leg_skipped(e: chain.LegSkipped, rows: FactRows, _k: Known, _: TransactionMoney) -> None:
    place = e.log.block_number, e.log.log_index
    bill = e.bill.run, e.bill.index
    rows.add(models.skips, *place, *bill, None, None, e.line, e.supplier, e.amount, e.log.tx_hash)


def _batch_settled(e: chain.BatchSettled, rows: FactRows, _k: Known, _: TransactionMoney) -> None:
    place = e.log.block_number, e.log.log_index
    rows.add(models.agent_batches, *place, e.agent, e.ref, e.content, e.total, e.log.tx_hash)


def _batch_repeated(e: chain.BatchRepeated, rows: FactRows, _k: Known, _: TransactionMoney) -> None:
    place = e.log.block_number, e.log.log_index
    rows.add(models.agent_batches, *place, e.agent, e.ref, None, None, e.log.tx_hash)


def _grant_applied(e: chain.GrantApplied, rows: FactRows, known: Known, money: TransactionMoney) -> None:
    log = e.log
    place = log.block_number, log.log_index
    bill = e.bill.run, e.bill.index
    wallet = known.welfare(e.batch, log.block_number)
    grant = e.batch, e.index
    rows.add(models.grant_uses, *place, *grant, *bill, e.line, e.supplier, e.amount, wallet, log.tx_hash)
    rows.add(models.movements, *place, 0, *bill, e.line, e.supplier, int(MovementKind.GRANTED), e.amount)
    rows.add(models.bill_states, *place, *bill, int(e.state), None)
    payout = known.payout(e.supplier, log.block_number)
    money.enter(log, EntryKind.GRANT, [Flow(wallet, payout, e.amount, e.supplier, e.bill, e.line)])


def _prepaid(e: chain.Prepaid, rows: FactRows, known: Known, money: TransactionMoney) -> None:
    log = e.log
    place = log.block_number, log.log_index
    rows.add(models.prepayments, *place, e.prepayment, e.tag, e.payer, e.supplier, e.amount, log.tx_hash)
    payout = known.payout(e.supplier, log.block_number)
    money.enter(log, EntryKind.PREPAYMENT, [Flow(e.payer, payout, e.amount, e.supplier)], e.prepayment)


def _netted(e: chain.PrepaymentNetted, rows: FactRows, _k: Known, _: TransactionMoney) -> None:
    place = e.log.block_number, e.log.log_index
    bill = e.bill.run, e.bill.index
    rows.add(models.nettings, *place, e.prepayment, *bill, e.line, e.supplier, e.amount, e.log.tx_hash)
    rows.add(models.movements, *place, 0, *bill, e.line, e.supplier, int(MovementKind.NETTED), e.amount)


def _credit_applied(e: chain.CreditApplied, rows: FactRows, _k: Known, _: TransactionMoney) -> None:
    place = e.log.block_number, e.log.log_index
    note, bill = (e.note.run, e.note.index), (e.bill.run, e.bill.index)
    rows.add(models.credits, *place, *note, *bill, e.line, e.written_off, e.log.tx_hash)
    if e.written_off:
        # The event does not name the supplier: the line of the bill does, and 0 stands for it here.
        rows.add(models.movements, *place, 0, *bill, e.line, 0, int(MovementKind.WRITTEN_OFF), e.written_off)


def _refunded(e: chain.Refunded, rows: FactRows, known: Known, money: TransactionMoney) -> None:
    log = e.log
    place = log.block_number, log.log_index
    note, bill = (e.note.run, e.note.index), (e.bill.run, e.bill.index)
    rows.add(
        models.refunds,
        *place,
        *note,
        *bill,
        e.line,
        e.supplier,
        e.recipient,
        e.to_payer,
        e.wallet,
        e.to_welfare,
        log.tx_hash,
    )
    total = e.to_payer + e.to_welfare
    rows.add(models.movements, *place, 0, *bill, e.line, e.supplier, int(MovementKind.REFUNDED), total)
    payout = known.payout(e.supplier, log.block_number)
    parts = ((e.recipient, e.to_payer), (e.wallet, e.to_welfare))
    flows = [Flow(payout, to, amount, e.supplier, e.bill, e.line, is_refund=True) for to, amount in parts if amount]
    money.enter(log, EntryKind.REFUND, flows)


HANDLERS: Handlers = {
    chain.BillPaid: _bill_paid,
    chain.BillSkipped: _bill_skipped,
    chain.LegSkipped: _leg_skipped,
    chain.BatchSettled: _batch_settled,
    chain.BatchRepeated: _batch_repeated,
    chain.GrantApplied: _grant_applied,
    chain.Prepaid: _prepaid,
    chain.PrepaymentNetted: _netted,
    chain.CreditApplied: _credit_applied,
    chain.Refunded: _refunded,
}
