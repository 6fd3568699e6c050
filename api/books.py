"""What is known of bills and money: the ledger's queries joined with billing's register and the names of parties."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol, cast
from zoneinfo import ZoneInfo

from api.explanation import explanation_of, moment
from api.models import (
    Account,
    Benefit,
    Bill,
    BillStateName,
    BillSummary,
    Charged,
    GrantBatch,
    Leg,
    Line,
    Proof,
    Receipt,
    Statement,
    Status,
    Supplier,
    WelfareCase,
)
from api.models import StatementRow as StatementLine
from api.orders import Network
from api.parties import Names
from api.people import People
from api.problems import NotReady
from billing.read import CaseSummary
from contracts.wire.ids import BillKey, BillState, Hash, Period, SupplierId, address_text
from ledger.queries import Ledger
from ledger.queries.views import (
    BillView,
    GrantView,
    LineView,
    ReceiptKind,
    ReceiptView,
    RunState,
    StatementRow,
)

STATES: dict[BillState, BillStateName] = {
    BillState.OPEN: "open",
    BillState.PARTIAL: "partial",
    BillState.PAID: "paid",
    BillState.SUPERSEDED: "superseded",
}
STATEMENT_KINDS = {"PREPAYMENT": "prepaid"}
"""On a bill a prepayment is netted; to the supplier it is money that came ahead."""
KINDS = ("bill", "debit-note", "credit-note")
MOSCOW = "Europe/Moscow"


class Register(Protocol):
    """What of billing's read door (BillingRead) is used here."""

    def zone_of(self, account: str) -> str | None:
        """IANA zone of the account's house; None where there is no such account."""
        ...

    def bills_of(self, account: str) -> Sequence[BillKey]:
        """Keys of an account's bills."""
        ...

    def account_of(self, bill: BillKey) -> str | None:
        """Whose bill it is."""
        ...

    def disputed_of(self, account: str, ledger: Ledger) -> Mapping[BillKey, int]:
        """What of an account's open bills waits for the decision of a dispute, in kopecks."""
        ...

    def document_of(self, bill: BillKey) -> bytes | None:
        """The bill's document, the very bytes that its commitment holds."""
        ...

    def welfare_cases(self, ledger: Ledger) -> Sequence[CaseSummary]:
        """Every case of help in sums."""
        ...


class LedgerBooks:
    """The books of a running town."""

    def __init__(self, ledger: Ledger, register: Register, people: People, network: Network) -> None:
        self._ledger = ledger
        self._register = register
        self._people = people
        self._network = network

    def now(self) -> int:
        """Timestamp of the latest block the ledger read. Raises NotReady before its first."""
        head = self._ledger.head()
        if head is None:
            raise NotReady("the ledger has not read a block yet")
        return head.timestamp

    def status(self) -> Status:
        """How far the ledger has read."""
        head = self._ledger.head()
        return Status(
            chain_id=self._network.chain_id,
            head=head.number if head else 0,
            finalised=max(0, self._ledger.finalized_height()),
            head_at=moment(head.timestamp) if head else None,
            tariff_version=self._ledger.tariff_version(),
        )

    def account(self, account: str) -> Account | None:
        """An account with its bills, newest first, and no address."""
        zone = self._register.zone_of(account)
        if zone is None:
            return None
        views = self._ledger.bills(self._register.bills_of(account))
        shown = sorted((v for v in views if _is_shown(v)), key=lambda v: (v.period, v.key), reverse=True)
        disputed = self._register.disputed_of(account, self._ledger)
        bills = [BillSummary(**_summary(view, account, disputed)) for view in shown]
        return Account(
            account=account,
            address=None,
            zone=zone,
            open_kopecks=sum(bill.open_kopecks for bill in bills),
            disputed_kopecks=sum(bill.disputed_kopecks for bill in bills),
            bills=bills,
        )

    def account_of(self, bill: BillKey) -> str | None:
        """Whose bill it is."""
        return self._register.account_of(bill)

    def bill(self, bill: BillKey) -> Bill | None:
        """A bill with everything that moved on it; None also for a run that is not active."""
        view = self._ledger.bill(bill)
        account = self._register.account_of(bill)
        if view is None or account is None or not _is_shown(view):
            return None
        names = Names(self._ledger, self._people)
        document = self._document(bill)
        rows = {row["line"]: row for row in document.get("lines", []) if row["line"] is not None}
        lines = [_line(line, rows.get(line.line, {}), names) for line in view.lines]
        benefits = [self._benefit(grant, view) for grant in self._ledger.grants(bill)]
        receipts = [_receipt(receipt, names) for receipt in self._ledger.receipts(bill)]
        return Bill(
            **_summary(view, account, self._register.disputed_of(account, self._ledger)),
            commit=_hex(view.blob[:32]),
            zone=self._register.zone_of(account) or MOSCOW,
            paid_kopecks=sum(line.paid_kopecks for line in view.lines),
            granted_kopecks=sum(line.granted_kopecks for line in view.lines),
            netted_kopecks=sum(line.netted_kopecks for line in view.lines),
            written_off_kopecks=sum(line.written_off_kopecks for line in view.lines),
            refunded_kopecks=sum(line.refunded_kopecks for line in view.lines),
            lines=lines,
            benefits=benefits,
            receipts=receipts,
            act=document.get("act"),
            without_charge=[row["service"] for row in document.get("lines", []) if row["line"] is None],
            original=str(view.original) if view.original is not None else None,
            notes=[str(note) for note in view.notes if self._is_active(note)],
        )

    def proof(self, bill: BillKey) -> Proof | None:
        """What proves a bill's place in its run."""
        view, run = self._ledger.bill(bill), self._ledger.run(bill.run)
        if view is None or run is None:
            return None
        return Proof(
            bill=str(bill),
            chain_id=self._network.chain_id,
            charge_book=address_text(self._network.charge_book),
            run=bill.run,
            index=bill.index,
            count=run.count,
            blob=_hex(view.blob),
            bill_id=_hex(view.bill_id) if view.bill_id is not None else None,
            salt=_hex(view.salt) if view.salt is not None else None,
            document=_hex(view.document) if view.document is not None else None,
            siblings=[_hex(sibling) for sibling in self._ledger.proof(bill)],
            root=_hex(run.root),
        )

    def suppliers(self) -> list[Supplier]:
        """All suppliers."""
        names = Names(self._ledger, self._people)
        return [
            Supplier(
                supplier=s.supplier, name=names.supplier(s.supplier), wallet=address_text(s.payout), active=s.is_active
            )
            for s in self._ledger.suppliers()
        ]

    def grant_batches(self) -> list[GrantBatch]:
        """Batches of grants, newest first."""
        return [
            GrantBatch(
                batch=b.batch,
                wallet=address_text(b.wallet),
                root=_hex(b.root),
                count=b.count,
                total_kopecks=b.total_kopecks,
                used_kopecks=b.used_kopecks,
                reversed=b.is_reversed,
                act=_hex(b.act),
                finalised=b.is_final,
            )
            for b in reversed(self._ledger.grant_batches())
        ]

    def welfare_cases(self) -> list[WelfareCase]:
        """Cases of help in sums."""
        return [
            WelfareCase(
                account=c.account,
                case=c.case,
                kind=c.kind,
                first=str(c.first),
                last=None if c.last is None else str(c.last),
                revision=c.revision,
                months_given=c.months_given,
                given_kopecks=c.given_kopecks,
                owed_back_kopecks=c.owed_back_kopecks,
            )
            for c in self._register.welfare_cases(self._ledger)
        ]

    def statement(self, supplier: SupplierId, period: Period | None) -> Statement | None:
        """A supplier's month, by the calendar of the houses it bills; by default the month the chain is in."""
        found = next((s for s in self._ledger.suppliers() if s.supplier == supplier), None)
        if found is None:
            return None
        zone_name = self.zone_of_supplier(supplier)
        zone = ZoneInfo(zone_name)
        today = moment(self.now()).astimezone(zone)
        month = period or Period(today.year, today.month)
        first, last = _month(month, zone)
        names = Names(self._ledger, self._people)
        rows = self._ledger.statement(supplier, int(first.timestamp()), int(last.timestamp()))
        return Statement(
            supplier=supplier,
            name=names.supplier(supplier),
            wallet=address_text(found.payout),
            zone=zone_name,
            period=str(month),
            first=first,
            last=last,
            received_kopecks=sum(row.amount_kopecks for row in rows),
            balance_kopecks=self._ledger.balance(found.payout),
            rows=[_statement_line(row, names) for row in rows],
            charged=self._charged(supplier),
        )

    def zone_of_supplier(self, supplier: SupplierId) -> str:
        """Zone of a house that the supplier bills: of the first bill of its latest run."""
        runs = [run for run in self._ledger.runs() if any(t.supplier == supplier for t in run.suppliers)]
        account = self._register.account_of(BillKey(runs[-1].run, 0)) if runs else None
        return (self._register.zone_of(account) if account else None) or MOSCOW

    def _charged(self, supplier: SupplierId) -> list[Charged]:
        """What a supplier is owed by each active run, with the root that proves its lines complete."""
        return [
            Charged(
                run=run.run,
                period=str(run.period),
                lines=total.lines,
                total_kopecks=total.total_kopecks,
                root=_hex(total.root),
            )
            for run in self._ledger.runs()
            if run.state is RunState.ACTIVE
            for total in run.suppliers
            if total.supplier == supplier
        ]

    def supplier_of_lines(self, root: Hash) -> SupplierId | None:
        """Whose lines the file of this root holds."""
        return next((t.supplier for run in self._ledger.runs() for t in run.suppliers if t.root == root), None)

    def _is_active(self, bill: BillKey) -> bool:
        run = self._ledger.run(bill.run)
        return run is not None and run.state is RunState.ACTIVE

    def _benefit(self, grant: GrantView, bill: BillView) -> Benefit:
        applied = grant.used_kopecks or 0
        if grant.used_kopecks is not None:
            state, tx = "applied", self._grant_tx(grant)
        elif grant.is_reversed:
            state, tx = "reversed", None
        elif grant.expires_at <= self.now() or bill.state in (BillState.PAID, BillState.SUPERSEDED):
            state, tx = "void", None
        else:
            state, tx = "waiting", None
        return Benefit(
            batch=grant.batch,
            index=grant.index,
            line=grant.line,
            maximum_kopecks=grant.maximum_kopecks,
            applied_kopecks=applied,
            expires_at=moment(grant.expires_at),
            state=cast(Any, state),
            tx_hash=tx,
        )

    def _grant_tx(self, grant: GrantView) -> str | None:
        """Which transaction moved a grant: the receipt from its wallet on its line."""
        for receipt in self._ledger.receipts(grant.bill):
            same = receipt.kind is ReceiptKind.GRANT and receipt.payer == grant.wallet
            if same and receipt.legs[0].line == grant.line and receipt.amount_kopecks == grant.used_kopecks:
                return _hex(receipt.tx_hash)
        return None

    def _document(self, bill: BillKey) -> dict[str, Any]:
        data = self._register.document_of(bill)
        return {} if data is None else dict(json.loads(data))


def _is_shown(view: BillView) -> bool:
    """A proposed run can still be vetoed: its bills are nobody's debt yet."""
    return view.run_state is RunState.ACTIVE


def _summary(view: BillView, account: str, disputed: Mapping[BillKey, int]) -> dict[str, Any]:
    return {
        "key": str(view.key),
        "account": account,
        "kind": KINDS[view.kind],
        "state": STATES[view.state],
        "period": str(view.period),
        "charged_kopecks": view.charged_kopecks,
        "open_kopecks": view.open_kopecks,
        "disputed_kopecks": disputed.get(view.key, 0),
    }


def _line(line: LineView, row: Mapping[str, Any], names: Names) -> Line:
    """A line as the chain has it, with what the bill's document says of it: in a note, how it stands now."""
    return Line(
        line=line.line,
        service=row.get("service") or "unknown",
        supplier=line.supplier,
        supplier_name=names.supplier(line.supplier),
        charged_kopecks=line.charged_kopecks,
        paid_kopecks=line.paid_kopecks,
        granted_kopecks=line.granted_kopecks,
        netted_kopecks=line.netted_kopecks,
        written_off_kopecks=line.written_off_kopecks,
        refunded_kopecks=line.refunded_kopecks,
        open_kopecks=line.open_kopecks,
        explanation=explanation_of(row.get("now") or row),
    )


def _receipt(view: ReceiptView, names: Names) -> Receipt:
    legs = [
        Leg(
            line=leg.line,
            supplier=leg.supplier,
            supplier_name=names.supplier(leg.supplier),
            party=names.supplier_party(leg.supplier, leg.wallet),
            amount_kopecks=leg.amount_kopecks,
        )
        for leg in view.legs
    ]
    return Receipt(
        kind=view.kind.value,
        payer=names.payer(view),
        refunded_to=names.refunded_to(view),
        reference=_hex(view.reference) if view.reference is not None else None,
        tx_hash=_hex(view.tx_hash),
        block_number=view.block_number,
        block_hash=_hex(view.block_hash),
        at=moment(view.timestamp),
        finalised=view.is_final,
        amount_kopecks=view.amount_kopecks,
        legs=legs,
    )


def _statement_line(row: StatementRow, names: Names) -> StatementLine:
    return StatementLine(
        at=moment(row.timestamp),
        kind=STATEMENT_KINDS.get(row.kind.name, row.kind.name.lower()),
        bill=str(row.bill) if row.bill is not None else None,
        line=row.line,
        payer=names.party(row.counterparty),
        amount_kopecks=row.amount_kopecks,
        tx_hash=_hex(row.tx_hash),
        block_number=row.block_number,
        finalised=row.is_final,
    )


def _month(period: Period, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """First and last second of a month, by the local calendar."""
    after = period.next()
    first = datetime(period.year, period.month, 1, tzinfo=zone).astimezone(UTC)
    end = datetime(after.year, after.month, 1, tzinfo=zone).astimezone(UTC)
    return first, datetime.fromtimestamp(end.timestamp() - 1, UTC)


def _hex(data: bytes) -> str:
    return "0x" + data.hex()
