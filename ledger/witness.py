"""An observer's witness: signs a checkpoint only where its own node and its own ledger come to the very same.

It keeps the last it signed, durably and before the signature leaves: one text a height, and heights only grow. What it
finds at odds it raises as an alarm with the evidence; after a split view or a rollback it signs nothing more until a
person has looked and moved the alarm aside.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine

from contracts.client.reader import Reader
from contracts.wire.canonical import canonical_json
from contracts.wire.capsule import parse_cosigned
from contracts.wire.checkpoint import Checkpoint, Cosignature, Cosigned
from contracts.wire.ids import Address
from contracts.wire.typed_data import address_of
from ledger.checkpoints import NothingFinal, make_checkpoint
from ledger.errors import ChainMoved, ChainOlderThanLedger, FinalityCrossed
from ledger.follow import Follower
from ledger.published import BadPublication, Published, write_durably
from ledger.store import read_position

HALTING = ("split-view", "rollback")
"""After these nothing is signed: whoever saw two histories can't vouch for one."""


@dataclass(frozen=True)
class Alarm:
    """What is at odds. ``evidence`` is plain values: texts and signatures that anyone can check again."""

    kind: str
    detail: str
    evidence: Mapping[str, object]

    def encode(self) -> bytes:
        """The bytes of its file; the same alarm is the same file."""
        return canonical_json({"kind": self.kind, "detail": self.detail, "evidence": self.evidence})


@dataclass(frozen=True)
class Round:
    """What one look found: the checkpoints signed now, and every alarm that stands."""

    signed: tuple[Checkpoint, ...]
    alarms: tuple[Alarm, ...]
    is_halted: bool


@dataclass(frozen=True)
class Watch:
    """Which other observers are expected to sign, and how many blocks each may be late."""

    observers: frozenset[Address] = frozenset()
    grace_blocks: int = 0


class Witness:
    """One observer. One process at a time in a folder."""

    def __init__(
        self,
        folder: Path,
        engine: Engine,
        reader: Reader,
        key: bytes,
        *,
        published: Published,
        watch: Watch | None = None,
    ) -> None:
        self._folder = folder
        self._engine = engine
        self._reader = reader
        self._key = key
        self.address = address_of(key)
        self._published = published
        self._watch = watch or Watch()
        self._follower = Follower(engine, reader, reader.deployment.first_block)
        self._known: dict[int, Checkpoint] = {}
        """What it came to, by height: the blocks are final, and a digest reads every row below them."""

    def look(self) -> Round:
        """Follows its node, checks what is published, signs what it can vouch for. Raises NodeError."""
        alarms: list[Alarm] = []
        signed: list[Checkpoint] = []
        try:
            self._follow()
            published = self._read_published()
            last = self._last(published)
            alarms += [*self._against_own(published), *_double(published)]
            if last is not None and not alarms and self._is_due(published, last):
                alarms += self._check_last(last)
            if not (self.halted() or any(alarm.kind in HALTING for alarm in alarms)):
                signed = self._sign(published, last)
            alarms += self._silent()
        except (FinalityCrossed, ChainOlderThanLedger) as fault:
            alarms.append(Alarm("rollback", str(fault), {"last_signed": self._state_json()}))
        except BadPublication as fault:
            alarms.append(Alarm("bad-publication", str(fault), {"file": fault.path.name}))
        except NothingFinal:
            pass
        for alarm in alarms:
            self._keep(alarm)
        return Round(tuple(signed), tuple(alarms), self.halted())

    def halted(self) -> bool:
        """Whether an alarm stands after which nothing is signed."""
        kept = sorted((self._folder / "alarms").glob("*.json"))
        return any(json.loads(path.read_bytes())["kind"] in HALTING for path in kept)

    # --- its own view ---

    def _follow(self) -> None:
        while True:
            try:
                self._follower.catch_up()
            except ChainMoved:
                continue
            return

    def _final_height(self) -> int:
        with self._engine.connect() as connection:
            position = read_position(connection)
        return -1 if position is None else position.finalized_number

    def _own(self, height: int) -> Checkpoint:
        """What this observer comes to at a height that is final for it."""
        if height not in self._known:
            self._known[height] = self._own_anew(height)
        return self._known[height]

    def _own_anew(self, height: int) -> Checkpoint:
        block = self._reader.block(height)
        if block is None:
            raise ChainOlderThanLedger(self._reader.head().number, height)
        with self._engine.connect() as connection:
            return make_checkpoint(connection, self._reader.deployment, height, block.hash)

    # --- the last it signed ---

    @property
    def _state(self) -> Path:
        return self._folder / "signed.json"

    def _state_json(self) -> object:
        return json.loads(self._state.read_bytes()) if self._state.exists() else None

    def _read_published(self) -> list[Cosigned]:
        """What is published; what was signed and not published yet (a kill between the two) is published now."""
        if self._state.exists():
            own = parse_cosigned(self._state.read_bytes())
            self._published.put(own.checkpoint, *own.cosignatures)
        return self._published.all()

    def _last(self, published: Sequence[Cosigned]) -> Checkpoint | None:
        """The highest under its signature: by its own state, or by what is published where the state is an old copy."""
        own = [found.checkpoint for found in published if self.address in {c.observer for c in found.cosignatures}]
        return max(own, key=lambda point: point.height, default=None)

    def _is_due(self, published: Sequence[Cosigned], last: Checkpoint) -> bool:
        """Whether there is something to sign, so that the history below it is to be looked at again first."""
        final = self._final_height()
        return any(last.height < found.checkpoint.height <= final for found in published)

    def _check_last(self, last: Checkpoint) -> Iterator[Alarm]:
        """The history below the last signature is still the one that was signed."""
        if last.height <= self._final_height() and (now := self._own_anew(last.height)) != last:
            detail = f"what this observer signed at height {last.height} is not what its node and ledger come to now"
            yield Alarm("rollback", detail, {"signed": last.text, "now": now.text})

    # --- the others' view ---

    def _against_own(self, published: Sequence[Cosigned]) -> Iterator[Alarm]:
        final = self._final_height()
        deployment = self._reader.deployment
        for found in published:
            point = found.checkpoint
            if (point.chain_id, point.settlement) != (deployment.chain_id, deployment.addresses["Settlement"]):
                detail = f"checkpoint 0x{point.name.hex()} is of another chain or another Settlement"
                yield Alarm("foreign", detail, {"published": found.as_json()})
            elif point.height <= final and (own := self._own(point.height)) != point:
                is_split = own.block != point.block
                what = "block" if is_split else "ledger, of the same block"
                detail = f"at height {point.height} another {what} is published than this observer's own"
                evidence = {"published": found.as_json(), "own": self._signed(own).as_json()}
                yield Alarm("split-view" if is_split else "ledger-differs", detail, evidence)

    def _silent(self) -> Iterator[Alarm]:
        """Observers that are expected to sign and have not for longer than their grace."""
        published = self._published.all()
        final = self._final_height()
        for observer in sorted(self._watch.observers):
            signed = [f.checkpoint.height for f in published if observer in {c.observer for c in f.cosignatures}]
            highest = max(signed, default=-1)
            due = [f for f in published if highest < f.checkpoint.height <= final - self._watch.grace_blocks]
            if due:
                detail = (
                    f"observer 0x{observer.hex()} has signed nothing above height {highest}, and the checkpoint of "
                    f"{due[0].checkpoint.height} is due: ask it why"
                )
                yield Alarm("missing-signature", detail, {"published": due[0].as_json()})

    # --- signing ---

    def _signed(self, point: Checkpoint) -> Cosigned:
        return Cosigned(point, (Cosignature.make(self._key, self.address, point),))

    def _sign(self, published: Sequence[Cosigned], last: Checkpoint | None) -> list[Checkpoint]:
        final, highest = self._final_height(), -1 if last is None else last.height
        out: list[Checkpoint] = []
        for point in (found.checkpoint for found in published):
            if highest < point.height <= final and self._own(point.height) == point:
                made = self._signed(point)
                self._folder.mkdir(parents=True, exist_ok=True)
                write_durably(self._state, made.encode())
                self._published.put(point, *made.cosignatures)
                highest = point.height
                out.append(point)
        return out

    def _keep(self, alarm: Alarm) -> None:
        data = alarm.encode()
        folder = self._folder / "alarms"
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{alarm.kind}-{hashlib.sha256(data).hexdigest()[:16]}.json"
        if not path.exists():
            write_durably(path, data)


def _double(published: Sequence[Cosigned]) -> Iterator[Alarm]:
    """Observers that signed two texts of one height: proof of a split view by itself."""
    by_height: defaultdict[tuple[int, Address], list[Cosigned]] = defaultdict(list)
    for found in published:
        for cosignature in found.cosignatures:
            by_height[found.checkpoint.height, cosignature.observer].append(found)
    for (height, observer), both in sorted(by_height.items()):
        if len(both) > 1:
            detail = f"observer 0x{observer.hex()} signed two checkpoints of height {height}"
            yield Alarm("split-view", detail, {"published": [found.as_json() for found in both]})
