"""The town's less ordinary days: a batch of benefits, a correction of what was paid and of what was not, a refund."""

from __future__ import annotations

from datetime import date

from billing.inbox import Item
from billing.requests import AgentPayment, CorrectionRequest, RefundOrder
from contracts.wire.ids import BillKey, Hash, Period
from contracts.wire.keccak import keccak
from contracts.wire.leaf import BillKind
from contracts.wire.typed_data import Purpose, SplitAuthorization, sign_digest
from ledger.queries.views import BillView
from scripts.cli.console import Steps
from scripts.hands import signed
from scripts.town.plan import Flat, Habit
from scripts.town.stage import Stage
from scripts.town.two_hands import CLERK, posted

ORDER_VALID_S = 90 * 86_400


def correct(stage: Stage, steps: Steps, period: Period) -> None:
    """Two flats were billed as if nobody lived there: one had paid and is refunded, one had not and is billed anew."""
    paid = next(flat for flat in stage.town.flats if flat.overcharged)
    unpaid = next(flat for flat in stage.town.flats if flat.habit is Habit.DEBTOR and flat.miscounted)
    since = date(period.year, period.month, 1)
    with steps.step("corrections", f"correcting {period} and refunding"):
        original = stage.bill(paid.account, period)
        stage.accounts.set_residents(paid.account, since, paid.residents)
        stage.accounts.set_residents(unpaid.account, since, unpaid.residents)
        act = f"act of {since}: residents of {paid.account} and {unpaid.account} counted again"
        request = CorrectionRequest(period, (paid.account, unpaid.account), act)
        asked = signed(stage.home, request, CLERK)
        posted(stage, f"correct {period}", asked, f"the correction of {period}")
        stage.until(lambda: bool(stage.ledger.bills([original.key])[0].notes), "the notes of the corrected bill")
        for note in stage.ledger.bills(stage.ledger.bills([original.key])[0].notes):
            if note.kind is BillKind.CREDIT_NOTE:
                refund(stage, original.key, note)
            else:
                pay_note(stage, paid, note)


def refund(stage: Stage, original: BillKey, note: BillView) -> None:
    """Each supplier signs the refund of its own line of a credit note; what was paid goes back to the agent."""
    recipient = stage.parties.address("agent")
    items: list[Item] = []
    for line in note.lines:
        if line.charged_kopecks == 0:
            continue
        party = f"supplier-{line.supplier}"
        authorization = SplitAuthorization(
            payer=stage.parties.address(party),
            spender=stage.deployment.addresses["Settlement"],
            maximum_kopecks=line.charged_kopecks,
            purpose=Purpose("refund", int(note.key.run), note.key.index, line.line, recipient),
            nonce=int.from_bytes(keccak(f"refund {note.key} {line.line}".encode())[:16], "big"),
            valid_before=stage.opened_at + ORDER_VALID_S,
        )
        signature = sign_digest(stage.home.key(party), stage.domain.digest(authorization.struct_hash()))
        items.append(stage.ask(f"refund {note.key} {line.line}", RefundOrder(authorization, signature)))
    stage.finish(items, f"the refunds on bill {original}")


def pay_note(stage: Stage, flat: Flat, note: BillView) -> None:
    """What a correction adds is paid as any bill."""
    key = f"pay note {note.key} {flat.account}"
    stage.finish([stage.ask(key, AgentPayment(note.key, note.charged_kopecks))], f"the debit note {note.key}")


def act_hash(text: str) -> Hash:
    """How an act is named on the chain."""
    return Hash(keccak(text.encode()))
