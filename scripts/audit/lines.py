"""One explained line of a bill worked out again: its formulas, the tariffs and the readings that it names."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from fractions import Fraction
from functools import lru_cache
from struct import Struct
from typing import Any
from zoneinfo import ZoneInfo

from contracts.wire.ids import Hash, SourceClass
from contracts.wire.leaf import Decision, Profile, Quality, Record, RegisterReading, decode_record
from contracts.wire.structs import Proposal
from scripts.audit.anchors import Anchors, Batch
from scripts.audit.formula import FormulaError, half_up, inputs_of, is_same, number_of, ratio_of, value_of
from scripts.audit.leaves import Content, Files
from scripts.audit.runs import Runs

_BASE = 1000
"""Base units of a quantity in one of its natural units, but for heat's: Wh, litres."""
_UNUSABLE = (Quality.NOT_FOR_SETTLEMENT, Quality.MISSING)
_RATES = ("T", "N", "K")
"""Symbols whose values are rates: what a published document must hold."""
_QUALITY_NAMES = {int(quality): quality.name.lower() for quality in Quality}
_CLASS_NAMES = {class_: class_.name.lower() for class_ in SourceClass}
_REGISTER = Struct(">B16sB5sQBBH")
"""A counter's record, docs/protocol.md §3."""
_DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a line, both values in words."""

    slug: str
    what: str
    expected: str
    found: str


@dataclass(frozen=True, slots=True)
class Document:
    """A tariff document: every number in it, and when it holds."""

    numbers: frozenset[Fraction]
    effective_from: str
    effective_to: str | None
    _known: dict[str, bool] = field(default_factory=dict)

    def holds(self, text: str) -> bool:
        """Whether a number, as a bill writes it, is in the document. Raises FormulaError where it is none."""
        found = self._known.get(text)
        if found is None:
            found = self._known[text] = number_of(text) in self.numbers
        return found


Documents = dict[Hash, Document | None]
"""Tariff documents that were read; None for one that can't be."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What a line stands in: its house's time zone, its run's proposal, and the last epoch and sequence of each source
    that the run used."""

    zone: str
    proposal: Proposal
    used: Mapping[int, tuple[int, int]]


def used_by(proposal: Proposal) -> dict[int, tuple[int, int]]:
    """The last epoch and sequence of each source that a run used."""
    out: dict[int, tuple[int, int]] = {}
    for head in proposal.heads:
        out[head.source] = max(out.get(head.source, (0, 0)), (head.epoch, head.sequence))
    return out


class Lines:
    """Works lines out again from what the bundle holds."""

    def __init__(self, files: Files, runs: Runs, anchors: Anchors, documents: Documents) -> None:
        self._bundle = files.bundle
        self._checked = files.findings.checked
        self._runs = runs
        self._anchors = anchors
        self._documents = documents

    def faults(self, line: Mapping[str, Any], setting: Setting) -> Iterator[Fault]:
        """What is wrong with an explained line. Raises KeyError, TypeError, ValueError where it is no such line."""
        for place, part in enumerate(line["parts"]):
            yield from self._part(f"part {place}", part, len(line["readings"]))
            yield from self._versions(f"part {place}", part, line, setting)
        total = sum(part["amount_kopecks"] for part in line["parts"])
        if line["amount_kopecks"] != max(0, total):
            yield Fault("line-sum", "its amount", f"{max(0, total)} kopecks, as its parts come to", _kopecks(line))
        if line.get("carried_over_kopecks", 0) != max(0, -total):
            found = str(line.get("carried_over_kopecks", 0))
            yield Fault("line-sum", "what it carries over", f"{max(0, -total)} kopecks", found)
        are_profiles = []
        for place, told in enumerate(line["readings"]):
            if self._is_plain(told, setting):
                are_profiles.append(False)
                continue
            record, fault = self._reading(f"reading {place}", told, setting)
            if record is not None:
                are_profiles.append(isinstance(record, Profile))
            if fault is not None:
                yield fault
        if len(are_profiles) == len(line["readings"]):
            yield from self._volumes(line, are_profiles, setting)
        self._checked["lines worked out again"] += 1

    # --- formulas ---

    def _part(self, name: str, part: Mapping[str, Any], readings: int) -> Iterator[Fault]:
        self._checked["formulas worked out again"] += 1
        try:
            inputs = inputs_of(part)
            for given in part["inputs"]:
                first, end = given.get("readings") or (0, 0)
                if not 0 <= first <= end <= readings:
                    yield Fault(
                        "reading-unnamed",
                        f"{name}, {given['symbol']}",
                        f"readings within {readings}",
                        f"{first} to {end}",
                    )
                if given.get("formula"):
                    found = value_of(given["formula"], inputs)
                    if given.get("rounded_to"):
                        above, below = ratio_of(given["rounded_to"])
                        found = half_up((found[0] * below, found[1] * above)) * above, below
                    if not is_same(found, inputs[given["symbol"]]):
                        told = str(given["value"])
                        yield Fault("input-differs", f"{name}, {given['symbol']}", str(Fraction(*found)), told)
            left, _, right = part["formula"].partition("=")
            if left.strip() != "P":
                raise FormulaError(f"{part['formula']!r} is not a formula of P")
            above, below = value_of(right, inputs)
            due = half_up((100 * above, below))
        except FormulaError as error:
            yield Fault("formula", name, "a formula with all its inputs", str(error))
            return
        if due != part["amount_kopecks"]:
            yield Fault("amount-differs", f"{name}, {part['formula']}", f"{due} kopecks", _kopecks(part))
        if not part["act"]:
            yield Fault("no-act", name, "an act behind it", "none")

    # --- tariffs ---

    def _versions(
        self, name: str, part: Mapping[str, Any], line: Mapping[str, Any], setting: Setting
    ) -> Iterator[Fault]:
        named = {row["version"]: row["document"] for row in line["tariffs"]}
        documents: list[Document] = []
        for version in part["tariff_versions"]:
            published = self._runs.tariffs.get(version)
            if published is None or version > setting.proposal.tariff_version:
                expected = f"a version up to {setting.proposal.tariff_version}, as the run proposed"
                yield Fault("tariff-version", f"{name}, tariff version {version}", expected, "none published by then")
                return
            if named.get(version) != "0x" + published.document.hex():
                expected = f"document 0x{published.document.hex()}"
                yield Fault("tariff-document", f"{name}, tariff version {version}", expected, str(named.get(version)))
                return
            document = self._document(published.document)
            if document is None:
                continue  # missing or altered: that was told
            documents.append(document)
            if part["from"] < document.effective_from or (document.effective_to or "9999") < part["to"]:
                expected = f"a part within {document.effective_from} to {document.effective_to or 'now'}"
                yield Fault(
                    "tariff-out-of-time",
                    f"{name}, tariff version {version}",
                    expected,
                    f"{part['from']} to {part['to']}",
                )
        self._checked["tariff versions held against documents"] += len(part["tariff_versions"])
        if len(documents) < len(part["tariff_versions"]):
            return
        for given in part["inputs"]:
            is_rate = given["symbol"].partition("_")[0] in _RATES and not given.get("formula")
            if is_rate and not any(document.holds(given["value"]) for document in documents):
                expected = f"a rate of versions {part['tariff_versions']}"
                yield Fault("rate-differs", f"{name}, {given['symbol']}", expected, str(given["value"]))

    def _document(self, name: Hash) -> Document | None:
        if name not in self._documents:
            data = self._bundle.read("tariffs", name)
            try:
                value = json.loads(data or b"")
                numbers = frozenset(_numbers(value))
                self._documents[name] = Document(numbers, str(value["effective_from"]), value.get("effective_to"))
            except (ValueError, KeyError, TypeError):
                self._documents[name] = None
        return self._documents[name]

    # --- readings ---

    def _reading(self, name: str, told: Mapping[str, Any], setting: Setting) -> tuple[Record | None, Fault | None]:
        root, index = Hash(bytes.fromhex(told["root"][2:])), int(told["leaf"])
        where = f"{name}, leaf {index} of readings/{told['root']}.jsonl"
        batch = self._anchors.by_root.get(root)
        if batch is None:
            return None, Fault("reading-not-anchored", where, "a batch on the chain", "none of that root")
        if not _is_used(batch, setting):
            return None, Fault("reading-not-used", where, "a batch up to a head that the run names", "one behind it")
        if not 0 <= index < len(batch.file.records):
            return None, self._unread(batch, where)
        data = batch.file.records[index]
        if data is None:
            is_erased = batch.file.content(index) is Content.ERASED
            self._checked["readings that are erased" if is_erased else "readings that stay closed"] += 1
            return None, None
        over = self._anchors.overlaid.get((root, index))
        if over is not None and _is_used(self._anchors.by_root[over], setting):
            return None, Fault("reading-overlaid", where, "a reading that stands", f"one struck out by 0x{over.hex()}")
        self._checked["readings held against batches"] += 1
        record = decode_record(data)
        quality = None
        if isinstance(record, Decision):
            quality = record.quality
            record = record.instead or record
        fault = _differs(where, told, record, quality, batch, setting)
        return (record, None) if fault is None else (None, fault)

    def _is_plain(self, told: Mapping[str, Any], setting: Setting) -> bool:
        """Whether a reading is a counter's that no decision touched, and is told as it is: most are."""
        root, index = bytes.fromhex(told["root"][2:]), told["leaf"]
        batch = self._anchors.by_root.get(Hash(root))
        if batch is None or not _is_used(batch, setting) or not 0 <= index < len(batch.file.records):
            return False
        data = batch.file.records[index]
        if data is None or data[0] != 0 or (root, index) in self._anchors.overlaid:
            return False
        _, meter, register, taken_at, value, _, quality, _ = _REGISTER.unpack(data)
        due = value, int.from_bytes(taken_at, "big"), register, meter.hex()
        names = _QUALITY_NAMES[quality], _CLASS_NAMES[batch.class_]
        is_told = due == (told["value"], told["at"], told["register"], told["meter"])
        if not is_told or names != (told["quality"], told["source"]):
            return False
        self._checked["readings held against batches"] += 1
        return True

    def _unread(self, batch: Batch, where: str) -> Fault | None:
        if len(batch.file.records):
            return Fault("reading-not-anchored", where, f"one of {len(batch.file.records)} leaves", "no such leaf")
        self._checked["readings whose file is missing"] += 1  # that was told
        return None

    # --- volumes ---

    def _volumes(self, line: Mapping[str, Any], are_profiles: Sequence[bool], setting: Setting) -> Iterator[Fault]:
        """What the named counters moved by is what the line's volumes come to."""
        volumes: dict[tuple[int, int], dict[tuple[str, str], int | Fraction]] = {}
        own = [p for p in line["parts"] if p["kind"] == "charge" and p.get("scope", "individual") == "individual"]
        for part in own:
            for given in part["inputs"]:
                if given.get("readings") and given["unit"] in ("m3", "kWh"):
                    slot, key = volumes.setdefault(tuple(given["readings"]), {}), (part["from"], part["zone"])
                    slot[key] = max(slot.get(key, 0), _base_units(given["value"]))
        is_whole_month = all(any(given.get("readings") for given in part["inputs"]) for part in own)
        for (first, end), parts in volumes.items():
            used = line["readings"][first:end]
            moved = _moved(used, are_profiles[first:end])
            if moved is None or not is_whole_month or line.get("estimated_intervals"):
                self._checked["volumes that rest on an act or an estimate"] += 1
                continue
            told = sum(parts.values())
            if told == moved:
                self._checked["volumes derived from readings"] += 1
            elif told < moved and min(row["at"] for row in used) < _month_start(setting) - _DAY_S:
                self._checked["volumes less what was estimated before"] += 1
            else:
                expected = f"{moved} base units between the readings it names"
                yield Fault("volume-differs", f"volume of readings {first} to {end}", expected, str(told))


def _is_used(batch: Batch, setting: Setting) -> bool:
    last = setting.used.get(batch.source)
    return last is not None and (batch.epoch, batch.sequence) <= last


@lru_cache(maxsize=65536)
def _base_units(text: str) -> int | Fraction:
    """A quantity in base units."""
    above, below = ratio_of(text)
    whole, rest = divmod(above * _BASE, below)
    return Fraction(above * _BASE, below) if rest else whole


def _differs(  # noqa: PLR0917  one reading as told and as it is
    where: str, told: Mapping[str, Any], record: Record, quality: Quality | None, batch: Batch, setting: Setting
) -> Fault | None:
    if isinstance(record, Decision):
        return Fault("reading-differs", where, "a reading", "a decision that puts nothing in its place")
    is_register = isinstance(record, RegisterReading)
    worst = record.quality if isinstance(record, RegisterReading) else max(record.qualities, default=Quality.MISSING)
    due: dict[str, object] = {
        "meter": record.meter.hex(),
        "register": record.register,
        "at": record.taken_at if isinstance(record, RegisterReading) else record.start,
        "source": batch.class_.name.lower(),
    }
    if is_register:
        due["quality"] = (worst if quality is None else quality).name.lower()
    for name, value in due.items():
        if told[name] != value:
            return Fault("reading-differs", f"{where}, {name}", str(value), str(told[name]))
    sums = [record.value] if isinstance(record, RegisterReading) else _sums(record, setting)
    if told["value"] not in sums:
        return Fault("reading-differs", f"{where}, value", str(sums[0]), str(told["value"]))
    return None


def _sums(profile: Profile, setting: Setting) -> list[int]:
    """What a profile may have given: all its intervals within the month, or those before or after a change of meter."""
    start, end = _month_start(setting), _month_end(setting)
    inside = [
        value or 0 if quality not in _UNUSABLE and start <= profile.start + i * profile.step_s < end else 0
        for i, (value, quality) in enumerate(zip(profile.values, profile.qualities, strict=True))
    ]
    out = [sum(inside)]
    for i in range(1, len(inside)):
        out += (sum(inside[:i]), sum(inside[i:]))
    return out


def _moved(used: Sequence[Mapping[str, Any]], are_profiles: Sequence[bool]) -> int | None:
    """By how much the counters moved, with the sum of the intervals; None where an act of installation counts too."""
    registers: dict[tuple[str, int], list[tuple[int, int]]] = {}
    total = 0
    for row, is_profile in zip(used, are_profiles, strict=True):
        if is_profile:
            total += row["value"]
        else:
            registers.setdefault((row["meter"], row["register"]), []).append((row["at"], row["value"]))
    for rows in registers.values():
        if len(rows) != 2:
            return None
        (_, first), (_, last) = sorted(rows)
        if last < first:
            return None
        total += last - first
    return total


def _month_start(setting: Setting) -> int:
    period = setting.proposal.period
    return _local(period.year, period.month, setting)


def _month_end(setting: Setting) -> int:
    period = setting.proposal.period.next()
    return _local(period.year, period.month, setting)


def _local(year: int, month: int, setting: Setting) -> int:
    moment = datetime(year, month, 1, tzinfo=ZoneInfo(setting.zone))
    return int(moment.astimezone(UTC).timestamp())


def _numbers(value: object) -> Iterator[Fraction]:
    """Every number that a document holds, wherever."""
    if isinstance(value, Mapping):
        for item in value.values():
            yield from _numbers(item)
    elif isinstance(value, list):
        for item in value:
            yield from _numbers(item)
    elif isinstance(value, str):
        try:
            yield Fraction(value)
        except (ValueError, ZeroDivisionError):
            return


def _kopecks(row: Mapping[str, Any]) -> str:
    return f"{row['amount_kopecks']} kopecks"
