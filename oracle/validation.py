"""Judging readings one by one: what is unknown, in the future or running backwards gets a decision beside it.

The batch stays as its source signed it. A decision is a leaf of the validation source's own chain that overlays the
faulty leaf: it rejects it, or puts a record in its place.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, MutableMapping, Sequence
from dataclasses import dataclass, replace

from contracts.wire.ids import Hash, MeterId
from contracts.wire.leaf import (
    Decision,
    DecisionReason,
    Profile,
    Quality,
    Record,
    RegisterReading,
    reading_blob,
)
from oracle.batch import meter_of
from oracle.windows import Window

CLOCK_TOLERANCE_S = 15 * 60
"""How far a reading may be ahead of the chain's clock: what clocks of concentrators are allowed to drift."""


REMEDIES = {
    DecisionReason.DECREASING: "check the counter; send it again in the next batch, corrected, or with the flag of a "
    "rollover or of a replaced meter",
    DecisionReason.JUMP: "two values came for one moment and the lower stands; if the other is right, have the "
    "operator correct it under an act",
    DecisionReason.FUTURE: "set the clock of the meter or of its concentrator, and send the reading again in a later "
    "batch once its time has come",
    DecisionReason.GAP: "send what is missing in the next batch",
    DecisionReason.UNKNOWN_METER: "have the operator bind the meter to an account, then send its readings again in a "
    "new batch",
}
"""What is to be done about a reading that does not stand."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A leaf that cannot stand: why, and what stands instead (None: nothing)."""

    index: int
    meter: MeterId | None
    reason: DecisionReason
    instead: RegisterReading | Profile | None = None

    @property
    def name(self) -> str:
        """The reason in words, as docs/oracle.md lists it."""
        return self.reason.name.lower().replace("_", " ")

    @property
    def remedy(self) -> str:
        """What to do about it."""
        return REMEDIES[self.reason]


def validate(
    records: Sequence[Record | None], known: Collection[MeterId], windows: MutableMapping[MeterId, Window], now: int
) -> list[Finding]:
    """Findings on a batch's records, in their order; takes what stands into ``windows``.

    ``known`` holds the meters that are bound to an account; ``now`` is the chain's time. An erased record is None.
    """
    limit = now + CLOCK_TOLERANCE_S
    findings: list[Finding] = []
    for index, record in enumerate(records):
        if isinstance(record, RegisterReading):
            if record.meter not in known:
                findings.append(Finding(index, record.meter, DecisionReason.UNKNOWN_METER))
            elif record.taken_at > limit:
                findings.append(Finding(index, record.meter, DecisionReason.FUTURE))
            else:
                reason = windows.setdefault(record.meter, Window()).place(record)
                if reason is not None:
                    findings.append(Finding(index, record.meter, reason))
        elif isinstance(record, Profile):
            if record.meter not in known:
                findings.append(Finding(index, record.meter, DecisionReason.UNKNOWN_METER))
            elif record.end > limit:
                findings.append(Finding(index, record.meter, DecisionReason.FUTURE, _cut(record, limit)))
    return findings


def _cut(profile: Profile, limit: int) -> Profile | None:
    """The profile with every interval that ends after ``limit`` taken for missing; None where nothing is left."""
    stand = (limit - profile.start) // profile.step_s
    if stand <= 0:
        return None
    cut = len(profile.values) - stand
    return replace(
        profile,
        values=profile.values[:stand] + (None,) * cut,
        qualities=profile.qualities[:stand] + (Quality.MISSING,) * cut,
    )


def decision_blob(root: Hash, finding: Finding) -> bytes:
    """Blob of the leaf that overlays leaf ``finding.index`` of the batch with this root."""
    quality = Quality.MISSING if finding.instead is None else Quality.SUBSTITUTED
    decision = Decision(root, finding.index, quality, finding.reason, finding.instead)
    return reading_blob(secrets.token_bytes(32), decision)


def meters_of(records: Sequence[Record]) -> list[MeterId]:
    """The meters that records speak of, each once, in order of first mention."""
    return list(dict.fromkeys(meter for record in records if (meter := meter_of(record)) is not None))
