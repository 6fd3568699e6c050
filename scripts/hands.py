"""Hands of the office: who asks for runs and who approves them, each with a key of its own in the home."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

from billing.policy import Policy, sign
from billing.publishing import TariffWord
from billing.requests import ApprovalRequest, CorrectionRequest, Hand, RunRequest
from billing.run import Run
from scripts.home import Home

_UNSIGNED = Hand("", b"")
_Asked = TypeVar("_Asked", RunRequest, CorrectionRequest, ApprovalRequest, TariffWord)


def office_policy(home: Home, hands: list[str], needs_passports: bool = False) -> Policy:
    """A policy of these hands; a key is drawn where a hand has none."""
    return Policy({name: home.address(_key_name(name)) for name in hands}, needs_passports)


def signed(home: Home, request: _Asked, by: str | None) -> _Asked:
    """What a hand asks for, signed by it; as it is where there is nobody to sign."""
    return request if by is None else replace(request, hand=sign(by, home.key(_key_name(by)), request))


def signed_word(home: Home, run: Run, by: str, leaves_out: bool = False, refusal: str = "") -> ApprovalRequest:
    """A hand's signed word on a run: it approves, unless there is a reason to refuse."""
    return signed(home, ApprovalRequest(run.id, run.proposal.root, _UNSIGNED, not refusal, leaves_out, refusal), by)


def _key_name(hand: str) -> str:
    return f"hand-{hand}"
