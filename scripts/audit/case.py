"""What the checks of one audit share: the bundle, the findings, and where on the chain they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from contracts.client.deployments import Deployment
from contracts.wire.events import Event
from contracts.wire.ids import Address
from scripts.audit.finding import Finding, Findings, Place
from scripts.audit.leaves import Files
from scripts.audit.node import Transaction


@dataclass(frozen=True, slots=True)
class Moment:
    """The transaction that a check looks at, and its block's time."""

    block: int
    timestamp: int
    transaction: Transaction

    def place(self, event: Event | None = None) -> Place:
        """Where an event of the transaction stands; without one the transaction itself, after its events."""
        return Place(self.block, 1 << 32 if event is None else event.log.log_index, self.transaction.hash)


@dataclass
class Case:
    """One audit at work."""

    deployment: Deployment
    files: Files
    findings: Findings
    custodians: frozenset[Address] = field(init=False)
    """Contracts that hold no token after any transaction."""

    def __post_init__(self) -> None:
        names = ("Settlement", "ChargeBook", "SubsidyBook")
        self.custodians = frozenset(self.deployment.addresses[name] for name in names)

    def tell(  # noqa: PLR0917  one finding's own words
        self, check: str, slug: str, record: str, expected: object, found: object, remedy: str,
        *, place: Place, invariant: int | None = None, evidence: Mapping[str, object] | None = None,
    ) -> None:  # fmt: skip
        """One more finding."""
        self.findings.add(
            Finding(check, slug, record, str(expected), str(found), remedy, place, invariant, evidence or {})
        )
