"""Ends what is left of welfare's batches of grants, by the wallet that posted them."""

from __future__ import annotations

from functools import partial

from billing.desk import Desk
from billing.office import WELFARE, transaction
from billing.requests import ReverseGrants
from contracts.client.sender import Outcome
from contracts.wire.calls import encode_reverse_batch
from contracts.wire.canonical import content_hash


class ReversalDesk(Desk):
    """Reversals: one transaction each. A batch that is reversed already, or another wallet's, is refused."""

    def step(self) -> None:
        """One round."""
        for item in self.to_do(ReverseGrants.kind):
            if not isinstance(item.request, ReverseGrants):
                continue
            intent = f"reversal:{item.id}"
            if not self.office.knows(WELFARE, intent):
                act = content_hash(item.request.act.encode())
                data = encode_reverse_batch(item.request.batch, act)
                refusal = self.office.refusal(WELFARE, "SubsidyBook", data)
                if refusal is not None:
                    self.refuse([item], refusal)
                    continue
                self.office.submit(WELFARE, intent, "SubsidyBook", data)
            self.follow(item, WELFARE, intent, partial(_result, int(item.request.batch)))


def _result(batch: int, outcome: Outcome) -> dict[str, object]:
    return {"batch": batch, **transaction(outcome)}
