"""Invariant 5: every charge of an active run names what is behind it, and that is there: an anchored reading that two
holders acknowledged, a norm or a tariff published with its act, or the act of a correction."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from contracts.client.files import FileSource
from contracts.client.keyring import KeyRing
from contracts.wire.events import Acknowledged, Anchored, Event, RunActivated, RunProposed, TariffPublished
from contracts.wire.files import parse_file
from contracts.wire.ids import NO_HASH, Address, Hash
from contracts.wire.keccak import keccak
from contracts.wire.leaf import BillKind, Profile, Record, RegisterReading, decode_bill, split_reading_blob
from contracts.wire.sealed import unseal

_METERED = {"meter", "profile"}
HOLDERS = 2


@dataclass(frozen=True)
class Paper:
    """A bill as a reader with the keys sees it: its place, the leaf on chain and the document behind it."""

    name: str
    kind: BillKind
    amounts: tuple[int, ...]
    document: Mapping[str, Any]


@dataclass(frozen=True)
class Evidence:
    """What the chain anchored before a run was proposed, and the files and keys to open it with."""

    anchored: Mapping[Hash, Anchored]
    holders: Mapping[Hash, frozenset[Address]]
    published: Mapping[Hash, TariffPublished]
    heads: Mapping[int, tuple[int, int]]
    files: FileSource
    keys: KeyRing

    def reading(self, root: Hash, leaf: int) -> Record | None:
        """The record of a leaf; None where file, leaf or key is missing. Raises FileError for another root."""
        data = self.files.get("readings", root)
        lines = parse_file(data, root)[1] if data is not None else []
        if not 0 <= leaf < len(lines):
            return None
        line = lines[leaf]
        secret = self.keys.secret(line.key) if line.key else None
        if line.sealed is None or secret is None:
            return None
        return split_reading_blob(unseal(secret, line.leaf, line.sealed))[1]


def papers(events: Sequence[Event], files: FileSource, keys: KeyRing) -> Iterator[tuple[Paper, Evidence]]:
    """Every bill of every active run, with the evidence that there was when it was proposed."""
    active = {event.run for event in events if isinstance(event, RunActivated)}
    for place, event in enumerate(events):
        if isinstance(event, RunProposed) and event.run in active:
            evidence = _evidence(events[:place], event, files, keys)
            data = files.get("bills", event.proposal.root)
            assert data is not None, f"the file of run {event.run} is missing"
            for index, line in enumerate(parse_file(data, event.proposal.root)[1]):
                assert line.blob is not None
                assert line.sealed is not None
                assert line.key is not None
                secret = keys.secret(line.key)
                assert secret is not None
                document = json.loads(unseal(secret, line.leaf, line.sealed)[64:])
                bill = decode_bill(line.blob)
                amounts = tuple(x.amount_kopecks for x in bill.lines)
                yield Paper(f"{event.run}-{index}", bill.kind, amounts, document), evidence


def _evidence(before: Sequence[Event], run: RunProposed, files: FileSource, keys: KeyRing) -> Evidence:
    holders: defaultdict[Hash, set[Address]] = defaultdict(set)
    for event in before:
        if isinstance(event, Acknowledged):
            holders[event.root].add(event.holder)
    return Evidence(
        {event.root: event for event in before if isinstance(event, Anchored)},
        {root: frozenset(names) for root, names in holders.items()},
        {event.document: event for event in before if isinstance(event, TariffPublished)},
        {head.source: (head.epoch, head.sequence) for head in run.proposal.heads},
        files,
        keys,
    )


def check_evidence(found: Iterable[tuple[Paper, Evidence]]) -> list[str]:
    """What is charged with nothing behind it; empty when every line can be named."""
    return [f"bill {paper.name}: {fault}" for paper, evidence in found for fault in _faults(paper, evidence)]


def _faults(paper: Paper, evidence: Evidence) -> Iterator[str]:
    shown = {line["line"]: line for line in paper.document["lines"] if line["line"] is not None}
    for place, amount in enumerate(paper.amounts):
        line = shown.get(place)
        if line is None or line["amount_kopecks"] != amount:
            yield f"line {place} charges {amount} kopecks and the document does not say so"
        elif amount and paper.kind is not BillKind.BILL:
            if not paper.document.get("act"):
                yield f"line {place} is corrected without an act"
        elif amount:
            yield from (f"line {place}: {fault}" for fault in _line_faults(line, evidence))


def _line_faults(line: Mapping[str, Any], evidence: Evidence) -> Iterator[str]:
    if not line["parts"] or not all(part["act"] for part in line["parts"]):
        yield "a part without an act"
    kinds = set()
    for version in line["tariffs"]:
        kinds.add(version["kind"])
        yield from _tariff_faults(Hash(bytes.fromhex(version["document"][2:])), evidence)
    if "tariff" not in kinds:
        yield "no tariff"
    if line["method"] in _METERED and not line["readings"]:
        yield "metered without a reading"
    if line["method"] == "norm" and "norm" not in kinds:
        yield "by a norm that is not named"
    for reading in line["readings"]:
        yield from _reading_faults(reading, evidence)


def _tariff_faults(name: Hash, evidence: Evidence) -> Iterator[str]:
    published = evidence.published.get(name)
    document = evidence.files.get("tariffs", name)
    if published is None or published.act == NO_HASH:
        yield f"tariff 0x{name.hex()} is not published with an act"
    if document is None or keccak(document) != name or not json.loads(document)["act"]:
        yield f"tariff document 0x{name.hex()} is missing, altered, or names no act"


def _reading_faults(reading: Mapping[str, Any], evidence: Evidence) -> Iterator[str]:
    root = Hash(bytes.fromhex(reading["root"][2:]))
    name = f"reading {reading['leaf']} of {reading['root']}"
    anchored = evidence.anchored.get(root)
    if anchored is None:
        yield f"{name} is not anchored"
        return
    if len(evidence.holders.get(root, ())) < HOLDERS:
        yield f"{name} is not kept by two holders"
    if (anchored.epoch, anchored.sequence) > evidence.heads.get(anchored.source, (0, 0)):
        yield f"{name} is past the head that the run names"
    record = evidence.reading(root, reading["leaf"])
    if record is None:
        yield f"{name} cannot be opened"
    elif not _says(record, reading):
        yield f"{name} says something else"


def _says(record: Record, reading: Mapping[str, Any]) -> bool:
    if isinstance(record, RegisterReading):
        stands = record.meter.hex(), record.register, record.taken_at, record.value
        return stands == (reading["meter"], reading["register"], reading["at"], reading["value"])
    if isinstance(record, Profile):
        return (record.meter.hex(), record.register, record.start) == (
            reading["meter"], reading["register"], reading["at"],
        )  # fmt: skip
    return record.instead is not None and _says(record.instead, reading)
