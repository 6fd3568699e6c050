"""The token's own log: every kopeck that moved is claimed by a receipt or willed by its owner (invariants 1, 2, 8)."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

from contracts.wire import events as chain
from contracts.wire.ids import NO_ADDRESS, Address
from scripts.audit.case import Case, Moment
from scripts.audit.finding import Place
from scripts.audit.node import show

_REMEDY = "Stop payments, freeze the wallets, and hold the transaction against the bank's books"


class Tokens:
    """Balances by the Transfer logs, and transaction by transaction what explains each of them."""

    def __init__(self, case: Case) -> None:
        self._case = case
        self.balances: Counter[Address] = Counter()
        self.frozen: set[Address] = set()
        self._allowed: defaultdict[Address, set[Address]] = defaultdict(set)
        self.supply = 0
        self._claimed: Counter[tuple[Address, Address]] = Counter()
        self._moved: Counter[tuple[Address, Address]] = Counter()
        self._willing: set[Address] = set()

    def claim(self, sender: Address, recipient: Address, kopecks: int) -> None:
        """A receipt says that so much went from one wallet to another."""
        if kopecks:
            self._claimed[sender, recipient] += kopecks

    def claim_legs(self, sender: Address, legs: Sequence[tuple[Address | None, int]]) -> None:
        """The same for each leg of a receipt: to whom, and how many kopecks; none where nobody is named."""
        claimed = self._claimed
        for recipient, kopecks in legs:
            if recipient is not None:
                claimed[sender, recipient] += kopecks

    def take(self, event: chain.Event) -> None:
        """The next event of the Rouble."""
        if isinstance(event, chain.Transfer):
            self._moved[event.from_, event.to] += event.value
        elif isinstance(event, chain.Minted):
            self.claim(NO_ADDRESS, event.account, event.amount)
            self.supply += event.amount
        elif isinstance(event, chain.Redeemed):
            self.claim(event.account, NO_ADDRESS, event.amount)
            self.supply -= event.amount
        elif isinstance(event, chain.Seized):
            self.claim(event.from_, event.to, event.amount)
        elif isinstance(event, chain.Frozen):
            self.frozen.add(event.account)
        elif isinstance(event, chain.Unfrozen):
            self.frozen.discard(event.account)
        elif isinstance(event, chain.AuthorizationUsed):
            self._willing.add(event.authorizer)
        elif isinstance(event, chain.Approval):
            if event.value:
                self._allowed[event.owner].add(event.spender)
            else:
                self._allowed[event.owner].discard(event.spender)

    def end_transaction(self, at: Moment) -> None:
        """Holds what moved against what is claimed, and looks that no contract kept anything."""
        if not (self._claimed or self._moved):
            return
        self._case.findings.count("transactions with money")
        for pair in dict.fromkeys([*self._claimed, *self._moved]):
            claimed, moved = self._claimed[pair], self._moved[pair]
            if moved < claimed:
                self._wrong(pair, "not-moved", f"{claimed} kopecks, as its receipts claim", moved, 1, at)
            elif moved > claimed:
                self._unclaimed(pair, moved - claimed, at)
            self.balances[pair[0]] -= moved
            self.balances[pair[1]] += moved
        for custodian in self._case.custodians:
            if self.balances[custodian]:
                self._case.tell(
                    "money", "custody", f"balance of {show(custodian)}", "0 kopecks after any transaction",
                    f"{self.balances[custodian]} kopecks", _REMEDY, place=at.place(), invariant=2,
                )  # fmt: skip
        for wallet in {wallet for pair in self._moved for wallet in pair if wallet != NO_ADDRESS}:
            if self.balances[wallet] < 0:
                self._wrong((wallet, NO_ADDRESS), "negative", "no less than nothing", self.balances[wallet], 1, at)
        self._claimed.clear()
        self._moved.clear()
        self._willing.clear()

    def end(self) -> None:
        """At the end all balances are the supply."""
        held = sum(kopecks for wallet, kopecks in self.balances.items() if wallet != NO_ADDRESS)
        self._case.findings.count("wallets", len(self.balances))
        if held != self.supply:
            self._case.tell(
                "money", "supply-differs", "the token's supply", f"{self.supply} kopecks minted and not redeemed",
                f"{held} kopecks held", _REMEDY, place=Place(), invariant=1,
            )  # fmt: skip

    def _unclaimed(self, pair: tuple[Address, Address], kopecks: int, at: Moment) -> None:
        """A transfer that no receipt claims: its owner's own, or under the owner's allowance or authorisation."""
        owner = pair[0]
        if owner == NO_ADDRESS or not (
            at.transaction.sender == owner or owner in self._willing or self._allowed.get(owner)
        ):
            expected = "a signature or an allowance of the payer"
            self._wrong(pair, "unwilled-transfer", expected, f"{kopecks} kopecks moved without", 8, at)

    def _wrong(  # noqa: PLR0917
        self, pair: tuple[Address, Address], slug: str, expected: str, found: object, invariant: int, at: Moment
    ) -> None:
        record = f"transfer from {show(pair[0])} to {show(pair[1])} in {at.transaction.hash}"
        self._case.tell("money", slug, record, expected, found, _REMEDY, place=at.place(), invariant=invariant)
