"""Registers that banks and payees exchange: one payment or debt a line, in columns that a profile names.

A profile is a JSON document: delimiter, encoding, forms of dates and sums, the columns in their order, and the closing
line with its totals. Sums are whole kopecks. A bad line is named and left out; totals that do not agree are told.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from importlib.resources import files
from typing import Any

from billing.paper.qr import QrError, parse_period
from contracts.wire.ids import Period

FORMAT = 1
ENCODINGS = ("cp1251", "utf-8", "koi8-r")
COLUMNS = frozenset(
    {"date", "time", "branch", "cashier", "operation", "account", "holder", "address", "period", "amount",
     "to_transfer", "fee", "service", "skip"}
)  # fmt: skip
TOTALS = frozenset({"count", "amount", "to_transfer", "fee", "skip"})
SUMS = ("amount", "to_transfer", "fee")
FREQUENT = frozenset("оеаинтсрвлк")
"""Letters that make up most of Russian text: a wrong encoding turns them into rare ones."""


class RegisterError(ValueError):
    """A profile, a row or a file is not what it should be; names it and the remedy."""


@dataclass(frozen=True, slots=True)
class Profile:
    """How a register is laid out. ``closing`` are the columns of its last line, which begins with ``mark``."""

    name: str
    kind: str
    encoding: str
    delimiter: str
    line_end: str
    decimal_mark: str
    date: str
    time: str
    columns: tuple[str, ...]
    mark: str = ""
    closing: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        unknown = {*self.columns} - COLUMNS | {*self.closing} - TOTALS
        twice = {c for c in self.columns if self.columns.count(c) > 1} - {"skip"}
        if unknown or twice:
            raise RegisterError(f"profile {self.name}: no column may be {sorted(unknown | twice)}; it knows {COLUMNS}")
        if not {"account", "amount"} <= {*self.columns}:
            raise RegisterError(f"profile {self.name} has no account or no amount among its columns; name both")
        if self.encoding not in ENCODINGS or len(self.delimiter) != 1 or self.decimal_mark not in ",.":
            raise RegisterError(f"profile {self.name}: encoding one of {ENCODINGS}, delimiter one character")
        if self.decimal_mark == self.delimiter or bool(self.closing) != bool(self.mark):
            raise RegisterError(f"profile {self.name}: delimiter and decimal mark differ; a closing line has a mark")


@dataclass(frozen=True, slots=True)
class Row:
    """One payment or debt. ``line`` is its place in the file it was read from."""

    account: str
    amount_kopecks: int
    paid_on: date | None = None
    paid_at: time | None = None
    period: Period | None = None
    operation: str = ""
    to_transfer_kopecks: int | None = None
    fee_kopecks: int | None = None
    texts: Mapping[str, str] = field(default_factory=dict)
    """Branch, cashier, holder, address, service: what a profile has and no rule reads."""
    line: int = 0


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a line, or (line 0) with the whole, and what to do."""

    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class Register:
    """What a file holds: good rows, and everything that is wrong with the rest."""

    rows: tuple[Row, ...]
    problems: tuple[Problem, ...]
    encoding: str

    @property
    def amount_kopecks(self) -> int:
        """Sum of the good rows."""
        return sum(row.amount_kopecks for row in self.rows)


# --- profiles ---


def shipped_profiles() -> dict[str, Profile]:
    """The profiles that ship with billing, by name."""
    folder = files("billing.paper") / "data" / "registers"
    found = [entry for entry in folder.iterdir() if entry.name.endswith(".json")]
    profiles = [parse_profile(json.loads(entry.read_text(encoding="utf-8"))) for entry in found]
    return {profile.name: profile for profile in sorted(profiles, key=lambda p: p.name)}


def parse_profile(value: Mapping[str, Any]) -> Profile:
    """The profile that a document holds. Raises RegisterError."""
    name = str(value.get("name", "without a name"))
    try:
        if value["format"] != FORMAT or not value["act"]:
            raise RegisterError(f"profile {name}: format is {FORMAT}, and the agreement behind it is named as its act")
        closing = value["closing"] or {"mark": "", "columns": []}
        texts = {key: str(value[key]) for key in ("kind", "encoding", "delimiter", "line_end", "decimal_mark")}
        return Profile(
            name=name,
            **texts,
            date=str(value["date"]),
            time=str(value["time"]),
            columns=tuple(value["columns"]),
            mark=str(closing["mark"]),
            closing=tuple(closing["columns"]),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise RegisterError(f"profile {name}: {error!r} is missing or of another kind; correct the document") from error


# --- writing ---


def write_register(rows: Sequence[Row], profile: Profile, encoding: str | None = None) -> bytes:
    """The file of a register. Raises RegisterError where a row lacks what a column needs.

    A text may not hold the delimiter: it is written as a space, and what the encoding lacks as ``?``.
    """
    lines = [profile.delimiter.join(_cell(row, column, profile) for column in profile.columns) for row in rows]
    wrong = next((line for line in lines if profile.mark and line.startswith(profile.mark)), None)
    if wrong is not None:
        raise RegisterError(
            f"the line {wrong!r} begins like the closing one; take {profile.mark} from its first column"
        )
    if profile.closing:
        totals = {name: sum(getattr(row, f"{name}_kopecks") or 0 for row in rows) for name in SUMS}
        cells = [str(len(rows)) if c == "count" else _sum(totals[c], profile) if c in SUMS else ""
                 for c in profile.closing]  # fmt: skip
        lines.append(profile.mark + profile.delimiter.join(cells))
    text = "".join(line + profile.line_end for line in lines)
    return text.encode(encoding or profile.encoding, errors="replace")


def debts_file_name(inn: str, account: str, number: int, period: Period) -> str:
    """The name of a register of debts: ``ИНН_РС_НОМЕР_ММГГ.txt``. Raises RegisterError."""
    if not (len(inn) in (10, 12) and len(account) == 20 and 1 <= number <= 999):
        raise RegisterError(f"no register {number} of payee {inn}, account {account}: numbers go from 1 to 999")
    return f"{inn}_{account}_{number:03d}_{period.month:02d}{period.year % 100:02d}.txt"


def _cell(row: Row, column: str, profile: Profile) -> str:
    if column in SUMS:
        kopecks = getattr(row, f"{column}_kopecks")
        if kopecks is None:
            raise RegisterError(f"account {row.account}: no {column}, which profile {profile.name} has a column for")
        return _sum(kopecks, profile)
    if column == "date":
        return "" if row.paid_on is None else row.paid_on.strftime(profile.date)
    if column == "time":
        return "" if row.paid_at is None else row.paid_at.strftime(profile.time)
    if column == "period":
        return "" if row.period is None else f"{row.period.month:02d}{row.period.year:04d}"
    text = {"account": row.account, "operation": row.operation}.get(column, row.texts.get(column, ""))
    return " ".join(text.replace(profile.delimiter, " ").split())


def _sum(kopecks: int, profile: Profile) -> str:
    sign, whole = ("-" if kopecks < 0 else ""), abs(kopecks)
    return f"{sign}{whole // 100}{profile.decimal_mark}{whole % 100:02d}"


# --- reading ---


def read_register(data: bytes, profile: Profile) -> Register:
    """The rows of a file, each bad line named. Nothing is raised for what a bank sent."""
    encoding, text = decoded(data, profile.encoding)
    rows: list[Row] = []
    problems: list[Problem] = []
    closing: tuple[int, str] | None = None
    for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), start=1):
        if not line.strip():
            continue
        if closing is not None:
            problems.append(Problem(number, "it comes after the closing line; ask for the file anew"))
        elif profile.mark and line.startswith(profile.mark):
            closing = number, line
        else:
            try:
                rows.append(_row(line, number, profile))
            except RegisterError as error:
                problems.append(Problem(number, str(error)))
    problems += _repeated(rows)
    if profile.closing:
        problems += _closing(rows, closing, profile)
    return Register(tuple(rows), tuple(sorted(problems, key=lambda p: (p.line == 0, p.line))), encoding)


def decoded(data: bytes, expected: str) -> tuple[str, str]:
    """The text and its encoding: UTF-8 where the bytes are, else of the two Cyrillic ones the likelier."""
    try:
        text = data.decode("utf-8-sig")
        return ("utf-8", text) if not text.isascii() or expected == "utf-8" else (expected, text)
    except UnicodeDecodeError:
        tried = sorted(("cp1251", "koi8-r"), key=lambda name: name != expected)
        texts = {name: data.decode(name, errors="replace") for name in tried}
        best = max(tried, key=lambda name: sum(letter in FREQUENT for letter in texts[name].casefold()))
        return best, texts[best]


def _row(line: str, number: int, profile: Profile) -> Row:
    cells = line.split(profile.delimiter)
    while len(cells) > len(profile.columns) and not cells[-1].strip():
        cells.pop()
    if len(cells) != len(profile.columns):
        raise RegisterError(f"{len(cells)} columns, not {len(profile.columns)} of profile {profile.name}")
    given = {column: cell.strip() for column, cell in zip(profile.columns, cells, strict=True) if column != "skip"}
    amount = _kopecks(given["amount"], "amount", profile)
    if amount <= 0 or not given["account"]:
        raise RegisterError("the account is empty or the amount not above zero; ask the payer's bank what it was")
    transfer, fee = (_kopecks(given[c], c, profile) if given.get(c) else None for c in ("to_transfer", "fee"))
    if transfer is not None and fee is not None and transfer + fee != amount:
        raise RegisterError(f"{transfer} kopecks to transfer and a fee of {fee} do not make {amount}")
    day = _moment(given.get("date", ""), "date", profile.date)
    moment = _moment(given.get("time", ""), "time", profile.time)
    known = {"account", "operation", "date", "time", "period", *SUMS}
    return Row(
        given["account"], amount, day.date() if day else None, moment.time() if moment else None,
        _period(given.get("period", "")), given.get("operation", ""), transfer, fee,
        {name: text for name, text in given.items() if name not in known and text}, number,
    )  # fmt: skip


def _kopecks(text: str, column: str, profile: Profile) -> int:
    body = text.removeprefix("-").replace("\u00a0", "").replace(" ", "")
    whole, mark, part = body.partition(profile.decimal_mark)
    if not (whole.isascii() and whole.isdigit()) or (mark and not (part.isascii() and part.isdigit())) or len(part) > 2:
        raise RegisterError(f"{column} {text!r} is no sum in roubles such as 12{profile.decimal_mark}50")
    kopecks = int(whole) * 100 + int(part.ljust(2, "0") or 0)
    return -kopecks if text.startswith("-") else kopecks


def _moment(text: str, what: str, form: str) -> datetime | None:
    """A date or a time as the bank's own clock has it; the zone is not said, and nothing here depends on it."""
    try:
        return datetime.strptime(text, form).replace(tzinfo=UTC) if text else None
    except ValueError as error:
        raise RegisterError(f"the {what} {text!r} is not of the form {form}") from error


def _period(text: str) -> Period | None:
    try:
        return parse_period(text) if text else None
    except QrError as error:
        raise RegisterError(f"the period {text!r} is no month; MMYYYY, MM.YYYY and YYYYMM are known") from error


def _repeated(rows: Iterable[Row]) -> Iterator[Problem]:
    first: dict[str, int] = {}
    for row in rows:
        if row.operation and first.setdefault(row.operation, row.line) != row.line:
            where = first[row.operation]
            yield Problem(row.line, f"operation {row.operation} stands on line {where} already; post one of the two")


def _closing(rows: Sequence[Row], closing: tuple[int, str] | None, profile: Profile) -> Iterator[Problem]:
    if closing is None:
        yield Problem(0, f"the closing line, {profile.mark}…, is missing: the file may be cut off; ask for it anew")
        return
    number, line = closing
    cells = line.removeprefix(profile.mark).split(profile.delimiter)
    for column, cell in zip(profile.closing, cells, strict=False):
        if column == "skip" or not cell.strip():
            continue
        try:
            said = int(cell) if column == "count" else _kopecks(cell.strip(), column, profile)
        except ValueError:
            yield Problem(number, f"{column} {cell!r} of the closing line is no number; ask for the file anew")
            continue
        found = len(rows) if column == "count" else sum(getattr(row, f"{column}_kopecks") or 0 for row in rows)
        if said != found:
            yield Problem(number, f"the closing line says {column} {said}, the good lines make {found}; ask the bank")
