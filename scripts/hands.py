"""Hands of the office: who asks for runs and who approves them, each with a key of its own in the home."""

from __future__ import annotations

from dataclasses import replace

from billing.policy import Policy, sign
from billing.publishing import TariffWord
from billing.requests import ApprovalRequest, CorrectionRequest, Hand, RunRequest
from billing.run import Run
from contracts.wire.ids import Hash
from scripts.home import Home

_UNSIGNED = Hand("", b"")


def office_policy(home: Home, hands: list[str], needs_passports: bool = False) -> Policy:
    """A policy of these hands; a key is drawn where a hand has none."""
    return Policy({name: home.address(_key_name(name)) for name in hands}, needs_passports)


def signed_run(home: Home, request: RunRequest, by: str | None) -> RunRequest:
    """A request for a run under a hand; as it is where there is nobody to sign."""
    return request if by is None else replace(request, hand=sign(by, home.key(_key_name(by)), request))


def signed_correction(home: Home, request: CorrectionRequest, by: str | None) -> CorrectionRequest:
    """A request for a correction under a hand; as it is where there is nobody to sign."""
    return request if by is None else replace(request, hand=sign(by, home.key(_key_name(by)), request))


def signed_tariff(home: Home, document: Hash, by: str | None) -> TariffWord:
    """A word that a document may be published, under a hand; as it is where there is nobody to sign."""
    word = TariffWord(document)
    return word if by is None else replace(word, hand=sign(by, home.key(_key_name(by)), word))


def signed_word(home: Home, run: Run, by: str, leaves_out: bool = False, refusal: str = "") -> ApprovalRequest:
    """A hand's signed word on a run: it approves, unless there is a reason to refuse."""
    word = ApprovalRequest(run.id, run.proposal.root, _UNSIGNED, not refusal, leaves_out, refusal)
    return replace(word, hand=sign(by, home.key(_key_name(by)), word))


def _key_name(hand: str) -> str:
    return f"hand-{hand}"
