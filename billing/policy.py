"""The office's own rules of work, set by the operator and kept with the books: who approves a run, and what is asked
of a meter. Without them one hand is enough and a meter needs no passport."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Protocol

from sqlalchemy import Engine, insert, select, update

from billing.requests import Hand
from billing.schema import policies
from billing.store import dump, load
from contracts.wire.canonical import canonical_json, content_hash
from contracts.wire.ids import Address, Hash
from contracts.wire.typed_data import SignatureError, recover, sign_digest

_NAME = "office"


class Signed(Protocol):
    """An act of the office that a hand signs."""

    kind: ClassVar[str]

    @property
    def hand(self) -> Hand | None:
        """Who signed it."""

    def signed(self) -> dict[str, object]:
        """The act, and nothing of the hand."""


class NotAHand(ValueError):
    """An act of the office is not signed by a hand that may do it."""


@dataclass(frozen=True, slots=True)
class Policy:
    """``hands`` by name with their keys' addresses: where there are any, a run or a correction is asked for by one of
    them and waits until another approves it. ``needs_passports``: a meter without a passport in the Registry is not
    billed by."""

    hands: Mapping[str, Address]
    needs_passports: bool = False

    @property
    def four_eyes(self) -> bool:
        """Whether a run or a correction waits for a second hand."""
        return bool(self.hands)

    def check(self, request: Signed) -> str:
        """The name of the hand that signed a request. Raises NotAHand naming the remedy."""
        hand, names = request.hand, ", ".join(sorted(self.hands))
        if not self.hands:
            raise NotAHand("the office has no hands; name two with `kopeck bill policy`")
        if hand is None:
            raise NotAHand(f"the {request.kind} has no hand; ask for it as one of {names}")
        if hand.name not in self.hands:
            raise NotAHand(f"{hand.name!r} is no hand of the office; ask for the {request.kind} as one of {names}")
        try:
            signer = recover(digest_of(request), hand.signature)
        except SignatureError as error:
            raise NotAHand(f"{hand.name!r} left no signature: {error}; sign the {request.kind} again") from error
        if signer != self.hands[hand.name]:
            raise NotAHand(f"{hand.name!r} did not sign this {request.kind}; sign it with that hand's own key")
        return hand.name

    def same_key(self, one: str, other: str) -> bool:
        """Whether two names are one hand: by name, or by key."""
        return one == other or self.hands.get(one) == self.hands.get(other)


NO_POLICY = Policy({})


class Policies:
    """The policy as it stands in the books."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._writes = engine.execution_options(writes=True)

    def get(self) -> Policy:
        """The policy in force."""
        with self._engine.connect() as connection:
            text = connection.execute(select(policies.c.value).where(policies.c.name == _NAME)).scalar_one_or_none()
        if text is None:
            return NO_POLICY
        value = load(text)
        hands = {name: Address(bytes.fromhex(address)) for name, address in value["hands"].items()}
        return Policy(hands, bool(value["needs_passports"]))

    def set(self, policy: Policy) -> None:
        """Puts a policy in force. Raises ValueError where its hands are fewer than two, by key."""
        if policy.hands and len(set(policy.hands.values())) < 2:
            raise ValueError("four eyes need two hands with keys of their own; name another hand, or none at all")
        hands = {name: address.hex() for name, address in policy.hands.items()}
        text = dump({"hands": hands, "needs_passports": policy.needs_passports})
        with self._writes.begin() as connection:
            here = policies.c.name == _NAME
            if connection.execute(update(policies).where(here).values(value=text)).rowcount == 0:
                connection.execute(insert(policies).values(name=_NAME, value=text))


def digest_of(request: Signed) -> Hash:
    """What a hand signs: the act and nothing of the hand."""
    return content_hash(canonical_json({"kopeck": request.kind, **request.signed()}))


def sign(name: str, key: bytes, request: Signed) -> Hand:
    """A hand under a request. ``key`` is the hand's own private key."""
    return Hand(name, sign_digest(key, digest_of(request)))
