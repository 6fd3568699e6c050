"""Puts a prepared run on the chain: its files first, then the proposal, then, after the delay, the activation.

Each step is an intent of the biller's sender under the run's root, so a collector that died goes on where it was.
"""

from __future__ import annotations

import structlog

from billing.office import BILLER, Office
from billing.run import Run, RunStage, StoredBill, supplier_lines
from contracts.client.sender import Outcome
from contracts.wire.calls import encode_activate, encode_propose
from contracts.wire.errors import ChargeBookBillNotOpen, ChargeBookRunNotProposed, ChargeBookTooEarly
from contracts.wire.events import RunProposed
from contracts.wire.files import LeafLine, encode_file
from contracts.wire.ids import Hash, RunId
from contracts.wire.leaf import decode_bill, encode_supplier_line
from contracts.wire.merkle import leaf_hash
from contracts.wire.structs import Proposal

_log = structlog.get_logger()

FOR_GOOD = (ChargeBookBillNotOpen, ChargeBookRunNotProposed)
"""What stands against an activation for ever: a bill to be replaced has moved, or the run was vetoed."""


class KeyGone(LookupError):
    """An account's key was destroyed while its bill waited to be proposed."""

    def __init__(self, account: str) -> None:
        super().__init__(
            f"the key of account {account} was destroyed before its bill was proposed; ask for the run again"
        )
        self.account = account


class Poster:
    """Posts runs. ``step`` moves every run on as far as the chain lets it, and never waits."""

    def __init__(self, office: Office) -> None:
        self._office = office
        self._runs = office.runs

    def step(self, now: int) -> None:
        """One round; ``now`` is the latest block's time. Raises NodeError, FileError."""
        for run in self._runs.at(RunStage.PREPARED):
            self._propose(run)
        for run in self._runs.at(RunStage.PROPOSED):
            self._activate(run, now)

    def activation(self, run: Run) -> Outcome | None:
        """What became of a run's activation; None while it was not mined, or came too early and is tried again."""
        return self._office.outcome(BILLER, self._activation_intent(run))

    def _activation_intent(self, run: Run) -> str:
        """The latest attempt. A reorganisation may bring the proposal back in a later block than the activation
        reckoned with; one that so came too early is followed by another."""
        attempt = 0
        while True:
            intent = intent_of(run, f"activate-{attempt}" if attempt else "activate")
            outcome = self._office.outcome(BILLER, intent)
            if outcome is None or not outcome.final or not isinstance(outcome.error, ChargeBookTooEarly):
                return intent
            attempt += 1

    # --- proposal ---

    def _propose(self, run: Run) -> None:
        intent = intent_of(run, "propose")
        outcome = self._office.outcome(BILLER, intent)
        if outcome is None:
            try:
                self._write_files(run)
            except KeyGone as error:
                self._fail(run, str(error))
                return
            self._office.submit(BILLER, intent, "ChargeBook", encode_propose(run.proposal))
        elif outcome.success:
            number = self._number_of(run, outcome)
            if number is not None:
                self._runs.set_stage(run.id, RunStage.PROPOSED, number)
                _log.info("run.proposed", run=run.id, chain_run=number, root="0x" + run.proposal.root.hex())
        elif outcome.final:
            self._fail(run, f"the proposal of run {run.id} was refused: {outcome.error}")

    def _number_of(self, run: Run, outcome: Outcome) -> RunId | None:
        for event in self._office.events_of(outcome):
            if isinstance(event, RunProposed) and event.proposal.root == run.proposal.root:
                return event.run
        return None  # the block was taken back in between; the sender finds it out and mines it again

    # --- activation ---

    def _activate(self, run: Run, now: int) -> None:
        intent = self._activation_intent(run)
        outcome = self._office.outcome(BILLER, intent)
        if outcome is not None:
            self._settle(run, outcome)
            return
        if run.chain_run is None or not self._is_due(run, run.chain_run, now):
            return
        data = encode_activate(run.chain_run, run.superseded)
        if self._office.knows(BILLER, intent):
            return
        refusal = self._office.refusal(BILLER, "ChargeBook", data)
        if refusal is None:
            self._office.submit(BILLER, intent, "ChargeBook", data)
        elif isinstance(refusal, FOR_GOOD):
            # Anyone may activate a run: it is given up only when what stands against it can't be taken back, or a
            # note could come on top of the very bill that replaces the other.
            final = self._office.refusal(BILLER, "ChargeBook", data, "finalized")
            if isinstance(final, FOR_GOOD):
                self._fail(run, f"run {run.chain_run} can't be activated: {final}")

    def _is_due(self, run: Run, number: RunId, now: int) -> bool:
        root, _count, _state, activatable_at, _superseded = self._office.reader.view("ChargeBook", "runOf", number)
        if bytes(root) != run.proposal.root:
            # A reorganisation gave the number to another run: look for ours again.
            self._runs.set_stage(run.id, RunStage.PREPARED)
            return False
        return now >= int(activatable_at)

    def _settle(self, run: Run, outcome: Outcome) -> None:
        if outcome.success:
            self._runs.set_stage(run.id, RunStage.ACTIVE)
            _log.info("run.active", run=run.id, chain_run=run.chain_run)
        elif outcome.final:
            self._fail(run, f"run {run.chain_run} was not activated: {outcome.error}")

    def _fail(self, run: Run, reason: str) -> None:
        self._runs.set_stage(run.id, RunStage.FAILED, reason=reason)
        _log.warning("run.failed", run=run.id, reason=reason)

    # --- files ---

    def _write_files(self, run: Run) -> None:
        leaves = self._runs.bills(run.id)
        secrets = self._office.keyring.secrets(leaf.key_id for leaf in leaves)
        gone = next((leaf.account for leaf in leaves if secrets.get(leaf.key_id) is None), None)
        if gone is not None:
            raise KeyGone(gone)
        lines = [LeafLine(leaf_hash(leaf.blob), leaf.blob, leaf.key_id, leaf.sealed) for leaf in leaves]
        head = {**_head(run.proposal), "superseded_bills": [str(bill) for bill in run.superseded]}
        if self._office.files.get("bills", run.proposal.root) is None:
            self._office.files.put("bills", run.proposal.root, encode_file(head, lines))
        self._write_supplier_files(run, leaves)

    def _write_supplier_files(self, run: Run, leaves: list[StoredBill]) -> None:
        own = supplier_lines(
            (leaf.index, leaf.kind, [(int(x.supplier), x.amount_kopecks) for x in decode_bill(leaf.blob).lines])
            for leaf in leaves
        )
        for total in run.proposal.suppliers:
            blobs = [encode_supplier_line(line) for line in own[int(total.supplier)]]
            head: dict[str, object] = {
                "kind": "lines",
                "run": _hex(run.proposal.root),
                "period": run.proposal.period.number,
                "supplier": int(total.supplier),
                "lines": total.lines,
                "total_kopecks": total.total_kopecks,
            }
            data = encode_file(head, [LeafLine(leaf_hash(blob), blob) for blob in blobs])
            self._office.files.put("lines", total.root, data)


def intent_of(run: Run, step: str) -> str:
    """The sender's name for a step of a run."""
    return f"run:{run.proposal.root.hex()}:{step}"


def _head(p: Proposal) -> dict[str, object]:
    return {
        "kind": "bills",
        "period": p.period.number,
        "count": p.count,
        "root": _hex(p.root),
        "tariff_version": p.tariff_version,
        "engine": _hex(p.engine),
        "superseded": _hex(p.superseded),
        "suppliers": [
            {
                "supplier": int(s.supplier),
                "lines": s.lines,
                "total_kopecks": s.total_kopecks,
                "root": _hex(s.root),
            }
            for s in p.suppliers
        ],
        "heads": [
            {"source": int(h.source), "epoch": h.epoch, "sequence": h.sequence, "hash": "0x" + h.hash.hex()}
            for h in p.heads
        ],
    }


def _hex(value: Hash) -> str:
    return "0x" + value.hex()
