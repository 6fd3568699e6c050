"""Who is who, block by block: roles, suppliers with their payouts, sources with their keys (invariant 9)."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from contracts.wire import events as chain
from contracts.wire.ids import Address, SourceClass
from scripts.audit.case import Case, Moment
from scripts.audit.node import show

OPERATOR, HOLDER = 1, 8
"""Roles in the AccessManager, as contracts/src/libraries/Roles.sol numbers them."""
_REMEDY = "Freeze the payout, ask supplier and operator who signed, and have the guardian cancel what is under way"


@dataclass
class Supplier:
    """A supplier as it stands; ``proposed`` is the payout asked for and from when on it may be set."""

    key: Address
    payout: Address
    proposed: tuple[Address, int | None] | None = None


@dataclass
class Source:
    """A source of readings; ``keys`` are all it ever signed with."""

    key: Address
    class_: SourceClass
    valid_from: int
    revoked_at: int | None = None
    keys: set[Address] = field(default_factory=set)


class Registry:
    """The registry's state as its events build it."""

    def __init__(self, case: Case) -> None:
        self._case = case
        self.suppliers: dict[int, Supplier] = {}
        self.sources: dict[int, Source] = {}
        self.suspended: set[int] = set()
        self.roles: defaultdict[int, set[Address]] = defaultdict(set)

    def take(self, event: chain.Event, at: Moment) -> None:
        """The next event of AccessManager or Registry."""
        if isinstance(event, chain.RoleGranted):
            self.roles[event.role_id].add(event.account)
        elif isinstance(event, chain.RoleRevoked):
            self.roles[event.role_id].discard(event.account)
        elif isinstance(event, chain.SourceRegistered):
            self.sources[event.source] = Source(event.key, event.class_, event.valid_from, keys={event.key})
        elif isinstance(event, chain.SourceRotated):
            source = self.sources[event.source]
            source.key, source.valid_from = event.key, event.valid_from
            source.keys.add(event.key)
        elif isinstance(event, chain.SourceRevoked):
            self.sources[event.source].revoked_at = event.revoked_at
        else:
            self._supplier(event, at)

    def payout(self, supplier: int) -> Address | None:
        """Where a supplier's money goes now."""
        found = self.suppliers.get(supplier)
        return None if found is None else found.payout

    def _supplier(self, event: chain.Event, at: Moment) -> None:
        if isinstance(event, chain.SupplierRegistered):
            self.suppliers[event.supplier] = Supplier(event.key, event.payout)
        elif isinstance(event, chain.SupplierStatusChanged):
            (self.suspended.discard if event.active else self.suspended.add)(event.supplier)
        elif isinstance(event, chain.SupplierKeyChanged):
            self.suppliers[event.supplier].key = event.key
        elif isinstance(event, chain.PayoutChangeProposed):
            supplier = self.suppliers[event.supplier]
            self._sent_by(event.supplier, {supplier.key}, "the supplier's own key", event, at)
            supplier.proposed = event.payout, None
        elif isinstance(event, chain.PayoutChangeApproved):
            self._sent_by(event.supplier, self.roles[OPERATOR], "an operator", event, at)
            self.suppliers[event.supplier].proposed = event.payout, event.executable_at
        elif isinstance(event, chain.PayoutChangeCancelled):
            self.suppliers[event.supplier].proposed = None
        elif isinstance(event, chain.PayoutChanged):
            self._changed(event, at)

    def _sent_by(self, number: int, allowed: set[Address], who: str, event: chain.Event, at: Moment) -> None:
        direct = at.transaction.to == "0x" + self._case.deployment.addresses["Registry"].hex()
        if direct and at.transaction.sender not in allowed:
            self._case.tell(
                "registry", "payout-by-stranger", f"payout of supplier {number}", f"a call by {who}",
                f"a call by {show(at.transaction.sender)}", _REMEDY, place=at.place(event), invariant=9,
            )  # fmt: skip

    def _changed(self, event: chain.PayoutChanged, at: Moment) -> None:
        supplier = self.suppliers[event.supplier]
        due = supplier.proposed
        before = "nothing" if due is None else f"{show(due[0])} due"
        self._case.findings.count("payout changes")
        if due is None or due[1] is None or due[0] != event.payout or at.timestamp < due[1]:
            self._case.tell(
                "registry", "payout-not-agreed", f"payout of supplier {event.supplier}",
                "a change that the supplier asked for, an operator approved, after its delay",
                f"a change to {show(event.payout)} with {before} before it",
                _REMEDY, place=at.place(event), invariant=9,
            )  # fmt: skip
        supplier.payout, supplier.proposed = event.payout, None
