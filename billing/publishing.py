"""Four eyes on a tariff document: one hand asks to publish it, another that has seen it says so too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from sqlalchemy import Engine, insert, select

from billing.policy import NotAHand, Policy
from billing.requests import Hand
from billing.schema import tariff_words
from contracts.wire.ids import Hash


class NobodyAsked(ValueError):
    """A document is to be approved that no hand has asked to publish; names it and the remedy."""

    def __init__(self, name: str) -> None:
        super().__init__(f"nobody has asked to publish {name!r}; ask with `kopeck tariff publish {name} --by NAME`")
        self.name = name


class SameHand(ValueError):
    """The hand that asked to publish a document approves it too."""

    def __init__(self, name: str, hand: str) -> None:
        super().__init__(f"{hand!r} asked to publish {name!r} and can't approve it; another hand has to")
        self.name, self.hand = name, hand


class NotApproved(ValueError):
    """A document is to be published that one hand alone has seen; names it and the remedy."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name!r} waits for another hand; approve it with `kopeck tariff approve {name} --by NAME`")
        self.name = name


@dataclass(frozen=True, slots=True)
class TariffWord:
    """A hand's word that a document may be published: under its hash, so under every figure of it."""

    kind: ClassVar[str] = "publishing of a document"
    document: Hash
    hand: Hand | None = None

    def signed(self) -> dict[str, object]:
        """What a hand signs."""
        return {"document": self.document.hex()}


class TariffWords:
    """The words as they stand in the books. Only those count that a hand of the policy has signed."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._writes = engine.execution_options(writes=True)

    def ask(self, word: TariffWord, policy: Policy) -> None:
        """Keeps the word of a hand that asks; the same again changes nothing. Raises NotAHand."""
        policy.check(word)
        known = {hand.name for hand in self._hands(word.document)}
        if word.hand is not None and word.hand.name not in known:
            row = {"document": word.document, "hand": word.hand.name, "signature": word.hand.signature}
            with self._writes.begin() as connection:
                connection.execute(insert(tariff_words).values(**row))

    def approve(self, word: TariffWord, name: str, policy: Policy) -> None:
        """Keeps the word of another hand than those that asked. Raises NotAHand, NobodyAsked and SameHand."""
        approver = policy.check(word)
        asked = self.hands_of(word.document, policy)
        if not asked:
            raise NobodyAsked(name)
        if all(policy.same_key(hand, approver) for hand in asked):
            raise SameHand(name, approver)
        self.ask(word, policy)

    def hands_of(self, document: Hash, policy: Policy) -> list[str]:
        """Hands of the policy whose word on a document is signed by them, in the order they gave it."""
        return [hand.name for hand in self._hands(document) if _counts(TariffWord(document, hand), policy)]

    def require(self, document: Hash, name: str, policy: Policy) -> None:
        """Raises NotApproved where a document may not go into the book: two keys have to stand under it, unless one
        hand is enough."""
        if policy.four_eyes and len({policy.hands[hand] for hand in self.hands_of(document, policy)}) < 2:
            raise NotApproved(name)

    def _hands(self, document: Hash) -> Sequence[Hand]:
        query = select(tariff_words).where(tariff_words.c.document == document).order_by(tariff_words.c.id)
        with self._engine.connect() as connection:
            return [Hand(row.hand, bytes(row.signature)) for row in connection.execute(query)]


def _counts(word: TariffWord, policy: Policy) -> bool:
    try:
        policy.check(word)
    except NotAHand:
        return False
    return True
