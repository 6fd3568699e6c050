"""Four eyes on a run or a correction: one hand asks, another looks at it and lets it be posted, or refuses it."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Engine, insert, select, update

from billing.inbox import Inbox
from billing.policy import NotAHand, Policy
from billing.requests import ApprovalRequest, CorrectionRequest, RunRequest
from billing.run import Run, Runs, RunStage
from billing.schema import approvals, runs


class ApprovalRefused(Exception):
    """A word on a run that does not count; names the run and the remedy."""

    def __init__(self, slug: str, reason: str) -> None:
        super().__init__(reason)
        self.slug = slug


@dataclass(frozen=True, slots=True)
class Approval:
    """Who asked for a run and who let it be posted; ``left_out`` is how many accounts both left out knowingly.
    ``asked_by`` is empty where the decision of a dispute asked."""

    run: int
    asked_by: str
    approved_by: str
    left_out: int


class Approvals:
    """Decides on waiting runs, and remembers who did."""

    def __init__(self, engine: Engine, books: Runs, inbox: Inbox) -> None:
        self._engine = engine
        self._writes = engine.execution_options(writes=True)
        self._runs = books
        self._inbox = inbox

    def decide(self, request: ApprovalRequest, item: int, policy: Policy) -> bool:
        """Lets a run be posted, or gives it up; True where it goes on. The same request again changes nothing.
        Raises ApprovalRefused."""
        try:
            run = self._runs.get(request.run)
            name = policy.check(request)
        except LookupError as error:
            raise ApprovalRefused("no-such-run", f"{error}; `kopeck bill waiting` names those that wait") from error
        except NotAHand as error:
            raise ApprovalRefused("not-signed", str(error)) from error
        known = self.of(run.id)
        if known is not None and known.approved_by == name and request.approves:
            return True  # the collector died between the decision and the answer
        if run.stage is RunStage.FAILED and run.reason == _refusal(request, name):
            return False
        asked_by = self._asked_by(run)
        _check(request, run, policy, asked_by, name)
        if request.approves:
            self._approve(run, item, asked_by, name)
        else:
            self._runs.set_stage(run.id, RunStage.FAILED, reason=_refusal(request, name))
        return request.approves

    def of(self, run: int) -> Approval | None:
        """The approval of a run by our own number; None where it had none."""
        with self._engine.connect() as connection:
            row = connection.execute(select(approvals).where(approvals.c.run == run)).one_or_none()
        return None if row is None else Approval(row.run, row.asked_by, row.approved_by, row.left_out)

    def _asked_by(self, run: Run) -> str:
        asked = None if run.item is None else self._inbox.get(run.item)
        if asked is None or not isinstance(asked.request, RunRequest | CorrectionRequest) or asked.request.hand is None:
            return ""
        return asked.request.hand.name

    def _approve(self, run: Run, item: int, asked_by: str, name: str) -> None:
        row = {"run": run.id, "item": item, "asked_by": asked_by, "approved_by": name, "left_out": len(run.problems)}
        with self._writes.begin() as connection:
            connection.execute(insert(approvals).values(**row))
            here = (runs.c.id == run.id) & (runs.c.state == RunStage.WAITING.value)
            connection.execute(update(runs).where(here).values(state=RunStage.PREPARED.value))


def was_refused(run: Run) -> bool:
    """Whether a run is given up because the second hand refused it."""
    return run.stage is RunStage.FAILED and f" refused run {run.id}: " in (run.reason or "")


def _refusal(request: ApprovalRequest, name: str) -> str:
    return f"{name} refused run {request.run}: {request.reason}"


def _check(request: ApprovalRequest, run: Run, policy: Policy, asked_by: str, name: str) -> None:
    """Raises ApprovalRefused."""
    if run.stage is not RunStage.WAITING:
        raise ApprovalRefused("run-not-waiting", f"run {run.id} is {run.stage.value}; only a waiting run is decided on")
    if request.root != run.proposal.root:
        raise ApprovalRefused(
            "another-run", f"run {run.id} has the root 0x{run.proposal.root.hex()}; look at it again and approve that"
        )
    if policy.same_key(asked_by, name):
        raise ApprovalRefused(
            "same-hand", f"{name!r} asked for run {run.id} and can't decide on it; another hand has to"
        )
    if request.approves and run.problems and not request.leaves_out_problems:
        raise ApprovalRefused(
            "problems-not-seen",
            f"run {run.id} leaves out {len(run.problems)}: {', '.join(sorted(run.problems)[:20])}; "
            "look at `kopeck bill problems`, then approve with --leave-out-problems, or refuse it",
        )
