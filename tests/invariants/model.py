"""The Settlement as docs/protocol.md and the design tell it, in Python: what every operation must do, and refuse.

Written from the documents, with Python's own whole numbers; shares no code with the contracts or the ledger.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from contracts.wire.ids import Address, BillKey, BillState
from contracts.wire.leaf import BillKind
from tests.invariants.books import (
    Batch,
    Bill,
    Grant,
    Line,
    Refused,
    Run,
    SourceHead,
    Supplier,
    by_largest_remainder,
    half_up,
    require,
)

NO_REF = bytes(32)
Receipt = tuple[object, ...]


@dataclass
class Money:
    """The token's books."""

    balances: Counter[Address] = field(default_factory=Counter)
    allowances: Counter[tuple[Address, Address]] = field(default_factory=Counter)
    frozen: set[Address] = field(default_factory=set)
    nonces: set[tuple[Address, int]] = field(default_factory=set)
    used_references: set[object] = field(default_factory=set)
    supply: int = 0

    def mint(self, account: Address, amount: int, deposit: bytes) -> None:
        require(deposit not in self.used_references, "RoubleDepositAlreadyMinted")
        self.used_references.add(deposit)
        require(account not in self.frozen, "RoubleAccountFrozen")
        self.balances[account] += amount
        self.supply += amount

    def redeem(self, account: Address, amount: int, redemption: bytes) -> None:
        require((account, redemption) not in self.used_references, "RoubleRedemptionRepeated")
        self.used_references.add((account, redemption))
        self.move(account, [])
        require(self.balances[account] >= amount, "RoubleBalanceTooLow")
        self.balances[account] -= amount
        self.supply -= amount

    def move(self, payer: Address, legs: Sequence[tuple[Address, int]]) -> None:
        """One debit, all credits, or nothing."""
        total = sum(amount for _, amount in legs)
        require(self.frozen.isdisjoint({payer, *(to for to, _ in legs)}), "RoubleAccountFrozen")
        own = sum(amount for to, amount in legs if to == payer)
        require(self.balances[payer] + own >= total, "RoubleBalanceTooLow")
        for to, amount in legs:
            self.balances[to] += amount
        self.balances[payer] -= total

    def transfer(self, payer: Address, to: Address, amount: int) -> None:
        require(payer not in self.frozen, "RoubleAccountFrozen")
        require(self.balances[payer] >= amount, "RoubleBalanceTooLow")
        self.move(payer, [(to, amount)])

    def spend(self, payer: Address, spender: Address, legs: Sequence[tuple[Address, int]]) -> None:
        """The same under an allowance."""
        self.move(payer, legs)
        total = sum(amount for _, amount in legs)
        require(self.allowances[payer, spender] >= total, "RoubleAllowanceTooLow")
        self.allowances[payer, spender] -= total

    def seize(self, account: Address, to: Address, amount: int) -> None:
        require(account in self.frozen, "RoubleAccountNotFrozen")
        require(self.balances[account] >= amount, "RoubleBalanceTooLow")
        require(to not in self.frozen, "RoubleAccountFrozen")
        self.balances[account] -= amount
        self.balances[to] += amount


@dataclass(frozen=True)
class Signed:
    """A payer's authorisation: who is named as the payer, who really signed, and whether it is for this purpose."""

    payer: Address
    maximum: int
    nonce: int
    valid_before: int
    is_genuine: bool
    digest: bytes


@dataclass
class Model:
    """The town. ``now`` is the time of the block that an operation stands in; ``receipts`` what the last one said."""

    settlement: Address
    now: int = 0
    money: Money = field(default_factory=Money)
    suppliers: dict[int, Supplier] = field(default_factory=dict)
    runs: dict[int, Run] = field(default_factory=dict)
    batches: dict[int, Batch] = field(default_factory=dict)
    prepayments: dict[bytes, tuple[int, int]] = field(default_factory=dict)
    contents: dict[tuple[Address, bytes], object] = field(default_factory=dict)
    heads: dict[int, SourceHead] = field(default_factory=dict)
    paused_until: int = 0
    receipts: list[Receipt] = field(default_factory=list)

    # --- what stands ---

    def bill(self, key: BillKey) -> Bill:
        """A bill of an active run."""
        run = self.runs[key.run]
        require(run.is_active, "ChargeBookRunNotActive")
        return run.bills[key.index]

    def can_pay(self, supplier: int) -> bool:
        known = self.suppliers.get(supplier)
        return known is not None and known.is_active and known.payout not in self.money.frozen

    def say(self, *receipt: object) -> None:
        self.receipts.append(receipt)

    def running(self) -> None:
        require(self.now >= self.paused_until, "SettlementPaused")

    def _leg(self, supplier: int, amount: int) -> tuple[Address, int]:
        return self.suppliers[supplier].payout, amount

    # --- runs ---

    def propose(self, run: int, bills: list[Bill], superseded: Sequence[BillKey] = ()) -> None:
        self.runs[run] = Run(bills, tuple(superseded))

    def activate(self, run: int, superseded: Sequence[BillKey]) -> None:
        require(not self.runs[run].is_active, "ChargeBookRunNotProposed")
        require(self.runs[run].superseded == tuple(superseded), "ChargeBookSupersededDiffer")
        self.runs[run].is_active = True
        for key in superseded:
            bill = self.bill(key)
            require(bill.state is BillState.OPEN, "ChargeBookBillNotOpen")
            bill.state = BillState.SUPERSEDED

    # --- payments ---

    def pay(self, payer: Address, key: BillKey, maximum: int) -> None:
        self.running()
        bill = self.bill(key)
        require(bill.kind is not BillKind.CREDIT_NOTE, "SettlementNotPayable")
        require(not bill.is_closed, "SettlementBillClosed")
        legs = self._take(key, bill, maximum, payer, NO_REF)
        require(bool(legs), "SettlementNothingToPay")
        self.money.spend(payer, self.settlement, legs)

    def pay_batch(self, agent: Address, ref: bytes, run: int, maxima: dict[int, int]) -> None:
        require(ref != NO_REF, "SettlementEmptyReference")
        content = (run, tuple(sorted(maxima.items())))
        known = self.contents.get((agent, ref))
        if known == content:
            self.say("BatchRepeated", agent, ref)
            return
        require(known is None, "SettlementReferenceReused")
        self.running()
        self.contents[agent, ref] = content
        legs: list[tuple[Address, int]] = []
        for index in sorted(maxima):
            key = BillKey(run, index)  # type: ignore[arg-type]
            bill = self.bill(key)
            taken: list[tuple[Address, int]] = []
            if not bill.is_closed:
                require(bill.kind is not BillKind.CREDIT_NOTE, "SettlementNotPayable")
                taken = self._take(key, bill, maxima[index], agent, ref)
            if not taken:
                self.say("BillSkipped", key, ref, bill.state)
            legs += taken
        self.say("BatchSettled", agent, ref, sum(amount for _, amount in legs))
        if legs:
            self.money.spend(agent, self.settlement, legs)

    def pay_order(self, key: BillKey, order: Signed) -> None:
        self.running()
        bill = self.bill(key)
        require(bill.kind is not BillKind.CREDIT_NOTE, "SettlementNotPayable")
        legs = [] if bill.is_closed else self._take(key, bill, order.maximum, order.payer, order.digest)
        if not legs:
            self.say("BillSkipped", key, order.digest, bill.state)
        self._use(order, legs)

    def _use(self, signed: Signed, legs: Sequence[tuple[Address, int]]) -> None:
        require(self.now < signed.valid_before, "RoubleExpired")
        require(signed.is_genuine, "RoubleWrongSigner")
        require((signed.payer, signed.nonce) not in self.money.nonces, "RoubleNonceAlreadyUsed")
        self.money.nonces.add((signed.payer, signed.nonce))
        self.money.move(signed.payer, legs)
        require(sum(amount for _, amount in legs) <= signed.maximum, "RoubleAboveMaximum")

    def _take(self, key: BillKey, bill: Bill, maximum: int, payer: Address, ref: bytes) -> list[tuple[Address, int]]:
        """Takes at most ``maximum`` of what is open and can be paid; gives the legs."""
        was_open = bill.state is BillState.OPEN
        netted = self._net(key, bill)
        payable = [line.open if self.can_pay(line.supplier) else 0 for line in bill.lines]
        everything = sum(line.open for line in bill.lines)
        self._say_skipped(key, bill)
        total = min(sum(payable), maximum)
        if total == 0:
            if netted or everything == 0:
                bill.set_by_lines()
            return []
        parts = payable if total == sum(payable) else by_largest_remainder(total, payable)
        for line, part in zip(bill.lines, parts, strict=True):
            line.paid += part
        bill.set_by_lines()
        can_pay_all = all(self.can_pay(line.supplier) for line in bill.lines)
        bill.whole = was_open and not bill.credits and can_pay_all and bill.state is BillState.PAID
        legs = tuple((i, x.supplier, part) for i, (x, part) in enumerate(zip(bill.lines, parts, strict=True)) if part)
        self.say("BillPaid", key, payer, ref, legs, bill.state)
        return [self._leg(supplier, amount) for _, supplier, amount in legs]

    def _say_skipped(self, key: BillKey, bill: Bill) -> None:
        for i, line in enumerate(bill.lines):
            if line.open and not self.can_pay(line.supplier):
                self.say("LegSkipped", key, i, line.supplier, line.open)

    # --- grants ---

    def post_grants(self, wallet: Address, batch: int, grants: list[Grant], total: int) -> None:
        committed = self.committed(wallet) + total
        require(self.money.allowances[wallet, self.settlement] >= committed, "SubsidyBookTotalNotAllowed")
        self.batches[batch] = Batch(wallet, grants, total)

    def committed(self, wallet: Address) -> int:
        """What a wallet's batches may still take."""
        return sum(b.total - b.used for b in self.batches.values() if b.wallet == wallet and not b.is_reversed)

    def reverse_batch(self, caller: Address, batch: int) -> None:
        self._owned(caller, batch).is_reversed = True

    def reverse_grant(self, caller: Address, batch: int, index: int) -> None:
        grant = self._owned(caller, batch).grants[index]
        require(not grant.is_spent, "SubsidyBookGrantSpent")
        grant.is_spent = True

    def _owned(self, caller: Address, batch: int) -> Batch:
        known = self.batches[batch]
        require(known.wallet == caller, "SubsidyBookNotWallet")
        require(not known.is_reversed, "SubsidyBookBatchReversed")
        return known

    def apply_grant(self, number: int, index: int, key: BillKey) -> None:
        self.running()
        batch = self.batches[number]
        require(not batch.is_reversed, "SubsidyBookBatchReversed")
        grant = batch.grants[index]
        require(not grant.is_spent, "SubsidyBookGrantSpent")
        require(self.now < grant.expires_at, "SubsidyBookGrantExpired")
        bill = self.bill(key)
        require(grant.bill == key, "SettlementGrantForOtherBill")
        require(bill.kind is not BillKind.CREDIT_NOTE, "SettlementNotPayable")
        require(grant.line < len(bill.lines), "SettlementNoSuchLine")
        ref = ((number << 32) | index).to_bytes(32, "big")
        netted = not bill.is_closed and self._net(key, bill)
        line = bill.lines[grant.line]
        amount = 0 if bill.is_closed else self._grantable(key, grant, batch, line)
        if amount:
            grant.is_spent = True
            line.granted += amount
            line.granter = batch.wallet
            batch.used += amount
        if amount or netted:
            bill.set_by_lines()
        if not amount:
            self.say("BillSkipped", key, ref, bill.state)
            return
        self.say("GrantApplied", number, index, key, grant.line, line.supplier, amount, bill.state)
        self.money.spend(batch.wallet, self.settlement, [self._leg(line.supplier, amount)])

    def _grantable(self, key: BillKey, grant: Grant, batch: Batch, line: Line) -> int:
        if line.granter not in {None, batch.wallet}:
            return 0
        if not self.can_pay(line.supplier):
            self.say("LegSkipped", key, grant.line, line.supplier, line.open)
            return 0
        return min(line.open, grant.maximum, batch.total - batch.used)

    # --- prepayments ---

    def prepay(self, payer: Address, supplier: int, amount: int, prepayment: bytes, tag: bytes) -> None:
        require(amount != 0, "SettlementAmountOutOfRange")
        self.running()
        require(supplier in self.suppliers, "SettlementUnknownSupplier")
        require(self.can_pay(supplier), "SettlementSupplierSuspended")
        require(prepayment not in self.prepayments, "SettlementTagAlreadyUsed")
        self.prepayments[prepayment] = (supplier, amount)
        self.say("Prepaid", prepayment, payer, supplier, amount, tag)
        self.money.spend(payer, self.settlement, [self._leg(supplier, amount)])

    def net(self, key: BillKey) -> None:
        self.running()
        bill = self.bill(key)
        require(not bill.is_closed, "SettlementBillClosed")
        require(bill.kind is not BillKind.CREDIT_NOTE, "SettlementNotPayable")
        require(self._net(key, bill), "SettlementNothingToPay")
        self.say("BillStateChanged", key, bill.set_by_lines())

    def _net(self, key: BillKey, bill: Bill) -> bool:
        """Nets what the bill names, each line once, from prepayments to the line's own supplier."""
        any_netted = False
        for number, most, prepayment in bill.credits:
            line = bill.lines[number]
            supplier, left = self.prepayments.get(prepayment, (0, 0))
            amount = min(most, line.open, left)
            if supplier != line.supplier or line.netted or not amount:
                continue
            line.netted = amount
            self.prepayments[prepayment] = (supplier, left - amount)
            self.say("PrepaymentNetted", prepayment, key, number, supplier, amount)
            any_netted = True
        return any_netted

    # --- refunds ---

    def refund(  # noqa: PLR0917  the order of the Solidity parameters
        self, note_key: BillKey, key: BillKey, number: int, recipient: Address, wallet: Address, signed: Signed
    ) -> None:
        self.running()
        bill = self.bill(key)
        require(bill.state is not BillState.SUPERSEDED, "SettlementBillClosed")
        note = self.bill(note_key)
        require(note.kind is BillKind.CREDIT_NOTE, "SettlementNotCreditNote")
        require(bill.kind is not BillKind.CREDIT_NOTE, "SettlementNotPayable")
        require(note.original == key, "SettlementNoteForOtherBill")
        require(number < len(bill.lines), "SettlementNoSuchLine")
        credit = note.lines[number].charged
        require(credit != 0 and number not in note.done, "SettlementNothingToRefund")
        line = bill.lines[number]
        to_payer, to_welfare, written_off = _credit(line, credit)
        self.say("CreditApplied", note_key, key, number, written_off)
        require(not to_welfare or line.granter == wallet, "SettlementWrongWallet")
        self._close_line(note_key, note, number)
        if bill.state is not BillState.PAID:
            self.say("BillStateChanged", key, bill.set_by_lines())
        if to_payer + to_welfare == 0:
            return
        payout = self.suppliers[line.supplier].payout
        require(signed.payer == payout, "SettlementNotSupplierWallet")
        granter = wallet if to_welfare else bytes(20)
        self.say("Refunded", note_key, key, number, line.supplier, recipient, to_payer, granter, to_welfare)
        self._use(signed, [(to, amount) for to, amount in ((recipient, to_payer), (wallet, to_welfare)) if amount])

    def _close_line(self, key: BillKey, note: Bill, number: int) -> None:
        """A note is paid once each of its lines with a sum was carried out; a superseded one never is."""
        require(not note.is_closed, "ChargeBookStateIsFinal")
        note.done.add(number)
        sums = {i for i, line in enumerate(note.lines) if line.charged}
        note.state = BillState.PAID if sums <= note.done else BillState.PARTIAL
        self.say("BillStateChanged", key, note.state)


def _credit(line: Line, credit: int) -> tuple[int, int, int]:
    """Writes off what is open and gives back the rest of what moved: (to the payer, to welfare, written off)."""
    written_off = min(credit, line.open)
    line.written_off += written_off
    back = min(credit - written_off, line.moved - line.refunded)
    if not back:
        return 0, 0, written_off
    before = half_up(line.refunded, line.granted, line.moved)
    line.refunded += back
    to_welfare = half_up(line.refunded, line.granted, line.moved) - before
    return back - to_welfare, to_welfare, written_off


__all__ = ["Model", "Money", "Refused", "Signed"]
