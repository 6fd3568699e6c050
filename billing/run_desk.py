"""Carries out requests for runs and corrections, and what follows an activation by itself.

A correction whose run can't be activated, since a payment came first, is decided again by the ledger as it then is.
"""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from billing.approve import ApprovalRefused, Approvals, was_refused
from billing.debt.cases import correction_of
from billing.debt.requests import DisputeRequest, PenaltyRequest
from billing.inbox import Item, State
from billing.office import RELAY, Office, transaction
from billing.policy import NotAHand, Policies
from billing.post import Poster
from billing.prepare import MonthNotBegun, MonthNotOver, NothingToBill, Preparer, ProblemsFound
from billing.requests import ApprovalRequest, CorrectionRequest, RunRequest
from billing.run import Run, RunStage
from billing.tariffs import UnknownDocument
from contracts.client.sender import Outcome
from contracts.wire.calls import encode_net, encode_refund
from contracts.wire.ids import NO_ADDRESS, BillKey, Period
from contracts.wire.leaf import BillKind, decode_bill
from contracts.wire.structs import SignedSplit
from ledger.queries.readings import DecisionsOutstanding

_log = structlog.get_logger()

DECISIONS = 5
"""How often a correction is decided before it is given up: each time a payment raced it."""
FOLLOWED = (RunRequest.kind, CorrectionRequest.kind, DisputeRequest.kind, PenaltyRequest.kind)
"""Requests that lead to a run; those about debts are begun at a desk of their own."""
NO_SIGNATURE = SignedSplit(NO_ADDRESS, 0, 0, 0, b"")


class RunDesk:
    """Runs and corrections."""

    def __init__(self, office: Office) -> None:
        self._office = office
        self._poster = Poster(office)
        self._policies = Policies(office.engine)
        self._approvals = Approvals(office.engine, office.runs, office.inbox)
        self._preparer = Preparer(office.engine, office.register, office.keyring, office.tariffs, office.ledger)
        office.runs.drop_unfinished()

    def step(self, now: int) -> None:
        """One round; ``now`` is the latest block's time."""
        for kind in (RunRequest.kind, CorrectionRequest.kind):
            for item in self._office.inbox.unsettled(kind, State.ACCEPTED):
                self._start(item)
        for item in self._office.inbox.unsettled(ApprovalRequest.kind, State.ACCEPTED):
            self._decide(item)
        self._poster.step(now)
        for kind in FOLLOWED:
            for item in self._office.inbox.unsettled(kind, State.WORKING, State.DONE):
                self._follow(item)

    # --- start ---

    def _start(self, item: Item) -> None:
        if self._office.runs.of_item(item.id):  # the collector died between storing the run and saying so
            self._office.inbox.working([item.id])
            return
        self._prepare(item)

    def _prepare(self, item: Item) -> None:
        inbox = self._office.inbox
        policy = self._policies.get()
        try:
            if isinstance(item.request, RunRequest):
                if policy.four_eyes:
                    policy.check(item.request)
                self._preparer.bill_period(item.request, item.id, policy)
            elif isinstance(item.request, CorrectionRequest):
                if policy.four_eyes and not self._is_of_dispute(item, item.request):
                    policy.check(item.request)
                self._preparer.correct(item.request, item.id, policy)
        except NotAHand as error:
            inbox.failed([item.id], "not-signed", str(error))
            return
        except MonthNotBegun as error:
            inbox.failed([item.id], "month-not-begun", str(error))
            return
        except MonthNotOver as error:
            inbox.failed([item.id], "month-not-over", str(error))
            return
        except ProblemsFound as error:
            inbox.failed([item.id], "accounts-with-problems", str(error), result={"problems": error.problems})
            return
        except NothingToBill as nothing:
            self._say_nothing(item, nothing)
            return
        except DecisionsOutstanding as error:
            if item.reason != str(error):
                inbox.waiting([item.id], str(error))
                _log.warning("run.waits", item=item.id, reason=str(error))
            return
        except UnknownDocument as error:
            inbox.failed([item.id], "unknown-tariff-document", str(error))
            return
        inbox.working([item.id])

    def _is_of_dispute(self, item: Item, request: CorrectionRequest) -> bool:
        """Whether a dispute upheld in the register asks for exactly this correction: nobody else may without a hand."""
        cases = self._office.cases().of_accounts(request.accounts)
        return any(
            correction_of(case) == (item.client_key, request)
            for account in request.accounts
            for case in cases.get(account, [])
        )

    def _say_nothing(self, item: Item, nothing: NothingToBill) -> None:
        """A run without a leaf: for what can't be billed, for what is billed already, or since nothing differs."""
        inbox, posted = self._office.inbox, []
        if isinstance(item.request, RunRequest):
            posted = sorted(self._office.runs.billed(nothing.period))
        if nothing.problems:
            inbox.failed([item.id], "nothing-to-bill", str(nothing), result={"problems": dict(nothing.problems)})
        elif posted:
            inbox.failed([item.id], "already-billed", _already_billed(nothing.period, posted))
        else:
            inbox.done([item.id], {"bills": 0, "charged_kopecks": 0, "problems": {}})

    # --- approve ---

    def _decide(self, item: Item) -> None:
        """A second hand's word on a run that waits for it."""
        request, inbox = item.request, self._office.inbox
        if not isinstance(request, ApprovalRequest):
            return
        try:
            approved = self._approvals.decide(request, item.id, self._policies.get())
        except ApprovalRefused as error:
            inbox.failed([item.id], error.slug, str(error))
            return
        inbox.done([item.id], {"run": request.run, "approved": approved})

    # --- follow ---

    def _follow(self, item: Item) -> None:
        attempts = self._office.runs.of_item(item.id)
        if not attempts:
            return
        run = attempts[-1]
        if run.stage is RunStage.WAITING:
            reason = f"run {run.id} waits until another hand approves it: `kopeck bill approve {run.id} --by NAME`"
            if item.reason != reason:
                self._office.inbox.working([item.id], reason)
        elif run.stage is RunStage.FAILED:
            self._again(item, run, len(attempts))
        elif run.stage is RunStage.ACTIVE:
            self._after_activation(item, run)

    def _again(self, item: Item, run: Run, attempts: int) -> None:
        if not isinstance(item.request, CorrectionRequest) or attempts >= DECISIONS or was_refused(run):
            self._office.inbox.failed([item.id], "run-not-activated", run.reason or f"run {run.id} failed")
            return
        head = self._office.ledger.head()
        if head is None or head.number < self._office.reader.head().number - 1:
            self._office.inbox.working([item.id], "waits for the ledger to catch up, to be decided again")
            return
        _log.info("correction.decided_again", item=item.id, failed_run=run.id, reason=run.reason)
        self._prepare(item)

    def _after_activation(self, item: Item, run: Run) -> None:
        outcome = self._poster.activation(run)
        if outcome is None:  # a reorganisation took it back: it is mined again, or came too early and is sent anew
            self._office.runs.set_stage(run.id, RunStage.PROPOSED)
            self._office.inbox.working([item.id])
            return
        if not outcome.success and not outcome.final:
            return  # the fork it failed on may go away again
        if not outcome.success:
            self._office.runs.set_stage(run.id, RunStage.FAILED, reason=f"not activated: {outcome.error}")
            return
        self._net_and_write_off(run)
        self._office.inbox.done([item.id], self._result(run, outcome), outcome.final)

    def _result(self, run: Run, outcome: Outcome) -> dict[str, object]:
        return {
            "run": run.chain_run,
            "bills": run.proposal.count,
            "charged_kopecks": sum(s.total_kopecks for s in run.proposal.suppliers),
            "superseded": [str(bill) for bill in run.superseded],
            "problems": dict(run.problems),
            "root": "0x" + run.proposal.root.hex(),
            **transaction(outcome),
        }

    def _net_and_write_off(self, run: Run) -> None:
        """Nets the prepayments that bills name, and carries out credits that need no money of a supplier's."""
        if run.chain_run is None:
            return
        for leaf in self._office.runs.bills(run.id):
            key, blob = BillKey(run.chain_run, leaf.index), decode_bill(leaf.blob)
            if blob.credits:
                self._once(f"net:{run.proposal.root.hex()}:{leaf.index}", encode_net(self._office.proven(key)))
            if blob.kind is BillKind.CREDIT_NOTE and blob.original is not None:
                note, bill = self._office.proven(key), self._office.proven(blob.original)
                for place, line in enumerate(blob.lines):
                    if line.amount_kopecks:
                        data = encode_refund(note, bill, place, NO_ADDRESS, NO_ADDRESS, NO_SIGNATURE)
                        self._once(f"writeoff:{run.proposal.root.hex()}:{leaf.index}:{place}", data)

    def _once(self, intent: str, data: bytes) -> None:
        """Sends a call that anyone may make, once, if it would do anything: without it the next payment nets, and a
        credit that needs money waits for the supplier's signature."""
        if self._office.knows(RELAY, intent) or self._office.refusal(RELAY, "Settlement", data) is not None:
            return
        self._office.submit(RELAY, intent, "Settlement", data)


def _already_billed(period: Period, accounts: Sequence[str]) -> str:
    names = ", ".join(accounts[:20]) + (" and others" if len(accounts) > 20 else "")
    return (
        f"all open accounts have a bill for {period} already, or one in a run that waits: {names}; correct a bill with "
        "`kopeck bill correct`, decide on a run that `kopeck bill waiting` lists"
    )
