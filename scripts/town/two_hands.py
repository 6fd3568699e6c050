"""The town's office works by four eyes: what one hand asks for, another looks at and approves."""

from __future__ import annotations

from billing.inbox import Item
from billing.requests import CorrectionRequest, RunRequest
from billing.run import RunStage
from scripts.hands import signed_word
from scripts.town.stage import Stage

CLERK, CHIEF = "clerk", "chief"
"""One asks for runs and corrections, the other looks and approves."""


def posted(stage: Stage, name: str, request: RunRequest | CorrectionRequest, what: str) -> Item:
    """Asks for a run or a correction, which the clerk has signed, and has the chief approve it, again where a payment
    made it another one meanwhile; returns once it is through for good. Raises RequestFailed."""
    asked, words = stage.ask(name, request), dict[int, Item]()

    def approved() -> bool:
        for run in stage.runs.of_item(asked.id):
            if run.stage is RunStage.WAITING and run.id not in words:
                word = signed_word(stage.home, run, CHIEF, leaves_out=bool(run.problems))
                words[run.id] = stage.ask(f"approve run {run.id}", word)
        return stage.is_over(asked)

    stage.until(approved, what)
    return stage.finish([asked, *words.values()], what)[0]
