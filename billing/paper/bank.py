"""What a bank says of an account: a statement's entries and totals, and readers of the two forms it comes in.

1CClientBankExchange 1.01 to 1.03 (the standard of 1C for exchange with client banks), and tables that a profile lays
out. Sums are whole kopecks, above zero where they came to the account. What is wrong is named line by line; a total
that its documents do not make is told, since a statement cut short must never pass for a whole one.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from importlib.resources import files
from typing import Any

from billing.paper.registers import ENCODINGS, Problem, RegisterError, decoded

FORMAT = 1
MARK = "1CClientBankExchange"
DAY = "%d.%m.%Y"
_ENCODINGS = ("utf-8-sig", "cp1251", "cp866", "koi8-r", "utf-16")
_WORD = "ВерсияФормата"
_COLUMNS = frozenset({"date", "number", "counterparty", "credit", "debit", "amount", "purpose", "skip"})


@dataclass(frozen=True, slots=True)
class BankEntry:
    """One entry of an account, in kopecks: above zero what came, below what went. ``line`` is its place in the file."""

    line: int
    on: date | None
    amount_kopecks: int
    number: str = ""
    counterparty: str = ""
    purpose: str = ""


@dataclass(frozen=True, slots=True)
class BankStatement:
    """An account's entries. Totals are None where the bank gives none."""

    account: str
    entries: tuple[BankEntry, ...]
    problems: tuple[Problem, ...]
    encoding: str
    first: date | None = None
    last: date | None = None
    opening_kopecks: int | None = None
    credited_kopecks: int | None = None
    debited_kopecks: int | None = None
    closing_kopecks: int | None = None


@dataclass(frozen=True, slots=True)
class StatementProfile:
    """How a bank's table of entries is laid out: ``credit`` and ``debit`` apart, or one signed ``amount``."""

    name: str
    encoding: str
    delimiter: str
    decimal_mark: str
    date: str
    header_lines: int
    columns: tuple[str, ...]

    def __post_init__(self) -> None:
        given = {*self.columns}
        if given - _COLUMNS or "date" not in given or not given & {"amount", "credit"}:
            raise RegisterError(f"profile {self.name}: columns are of {sorted(_COLUMNS)}, with a date and a sum")
        if self.encoding not in ENCODINGS or len(self.delimiter) != 1 or self.decimal_mark not in (".", ","):
            raise RegisterError(f"profile {self.name}: encoding one of {ENCODINGS}, delimiter one character")


def statement_profiles() -> dict[str, StatementProfile]:
    """The profiles that ship with billing, by name."""
    folder = files("billing.paper") / "data" / "statements"
    found = [entry for entry in folder.iterdir() if entry.name.endswith(".json")]
    parsed = [parse_statement_profile(json.loads(entry.read_text(encoding="utf-8"))) for entry in found]
    return {profile.name: profile for profile in sorted(parsed, key=lambda p: p.name)}


def parse_statement_profile(value: Mapping[str, Any]) -> StatementProfile:
    """The profile that a document holds. Raises RegisterError."""
    name = str(value.get("name", "without a name"))
    try:
        if value["format"] != FORMAT or not value["act"]:
            raise RegisterError(f"profile {name}: format is {FORMAT}, and the agreement behind it is named as its act")
        texts = {key: str(value[key]) for key in ("encoding", "delimiter", "decimal_mark", "date")}
        lines, columns = int(value["header_lines"]), tuple(value["columns"])
        return StatementProfile(name=name, **texts, header_lines=lines, columns=columns)
    except (KeyError, TypeError, AttributeError) as error:
        raise RegisterError(f"profile {name}: {error!r} is missing or of another kind; correct the document") from error


def is_exchange(data: bytes) -> bool:
    """Whether a file is of 1CClientBankExchange, in whatever encoding."""
    return any(data.startswith(mark + MARK.encode(code)) for mark, code in _MARKS)


_MARKS = ((b"", "ascii"), (b"\xef\xbb\xbf", "ascii"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))


def kopecks_of(text: str, decimal_mark: str = ".") -> int:
    """A sum in roubles such as ``700``, ``1052.98``. Raises RegisterError."""
    body = text.strip().replace("\u00a0", "").replace(" ", "").replace(decimal_mark, ".")
    sign = -1 if body.startswith("-") else 1
    whole, mark, part = body.removeprefix("-").partition(".")
    digits = whole + part
    if not (whole and digits.isascii() and digits.isdigit()) or len(part) > 2 or (mark and not part):
        raise RegisterError(f"{text!r} is no sum in roubles such as 1052{decimal_mark}98")
    return sign * (int(whole) * 100 + int(part.ljust(2, "0")))


# --- tables ---


def read_table(data: bytes, profile: StatementProfile, account: str = "") -> BankStatement:
    """The entries of a bank's table, each bad line named."""
    encoding, text = decoded(data, profile.encoding)
    entries: list[BankEntry] = []
    problems: list[Problem] = []
    reader = csv.reader(io.StringIO(text), delimiter=profile.delimiter)
    for cells in reader:
        if reader.line_num <= profile.header_lines or not any(cell.strip() for cell in cells):
            continue
        try:
            entries.append(_table_entry(cells, reader.line_num, profile))
        except RegisterError as error:
            problems.append(Problem(reader.line_num, str(error)))
    return BankStatement(account, tuple(entries), tuple(problems), encoding)


def _table_entry(cells: list[str], line: int, profile: StatementProfile) -> BankEntry:
    if len(cells) != len(profile.columns):
        raise RegisterError(f"{len(cells)} columns, not {len(profile.columns)} of profile {profile.name}")
    given = {name: cell.strip() for name, cell in zip(profile.columns, cells, strict=True) if name != "skip"}
    sums = {name: kopecks_of(given[name], profile.decimal_mark) for name in ("amount", "credit", "debit")
            if given.get(name)}  # fmt: skip
    amount = sums.get("amount", sums.get("credit", 0) - sums.get("debit", 0))
    if not amount:
        raise RegisterError("no sum, or two that leave none; ask the bank what it was")
    texts = (given.get(name, "") for name in ("number", "counterparty", "purpose"))
    return BankEntry(line, _day(given["date"], profile.date), amount, *texts)


def _day(text: str, form: str) -> date:
    try:
        return datetime.strptime(text, form).replace(tzinfo=UTC).date()
    except ValueError as error:
        raise RegisterError(f"the date {text!r} is not of the form {form}") from error


# --- 1CClientBankExchange ---


@dataclass(slots=True)
class _Section:
    """Fields of a section, and where it begins. Names may repeat: the last counts."""

    line: int
    kind: str
    fields: dict[str, str] = field(default_factory=dict)


def exchange_text(data: bytes) -> tuple[str, str]:
    """Encoding and text. A file's own word on its encoding is not believed: banks say Windows and send UTF-8. Raises
    RegisterError."""
    for encoding in _ENCODINGS:
        try:
            text = data.decode(encoding)
        except UnicodeError:
            continue
        if text.startswith(MARK) and _WORD in text:
            return encoding.removesuffix("-sig"), text
    raise RegisterError(f"the file does not begin with {MARK}, or is in none of {', '.join(_ENCODINGS)}; export anew")


def read_exchange(data: bytes, account: str = "") -> BankStatement:
    """An account's statement out of 1CClientBankExchange; ``account`` chooses among several. Raises RegisterError
    where the file is none, or has not that account."""
    encoding, text = exchange_text(data)
    problems: list[Problem] = []
    sections = list(_sections(text.splitlines(), problems))
    head = sections[0].fields
    accounts = [s for s in sections if s.kind == "РасчСчет"]
    own = account or head.get("РасчСчет", "") or (accounts[0].fields.get("РасчСчет", "") if accounts else "")
    known = {s.fields.get("РасчСчет", "") for s in accounts} | {head.get("РасчСчет", "")}
    if own not in known or not own:
        raise RegisterError(f"the file is of accounts {', '.join(sorted(known - {''})) or 'none'}, not {own or 'any'}")
    entries = []
    for section in sections:
        if section.kind not in ("", "РасчСчет"):
            try:
                entries.append(_document(section, own))
            except RegisterError as error:
                problems.append(Problem(section.line, str(error)))
    mine = [s for s in accounts if s.fields.get("РасчСчет") == own]
    totals = _totals(mine, problems)
    found = BankStatement(
        own, tuple(entries), (), encoding, _given_day(head, "ДатаНачала"), _given_day(head, "ДатаКонца"), *totals
    )
    problems += _disagreements(found)
    return BankStatement(
        own, found.entries, tuple(sorted(problems, key=lambda p: (p.line == 0, p.line))), encoding, found.first,
        found.last, *totals,
    )  # fmt: skip


def _sections(lines: Iterable[str], problems: list[Problem]) -> Iterator[_Section]:
    """The head as a section without a kind, then each account's and each document's."""
    head = _Section(1, "")
    current, rest, number = head, [], 0
    is_ended = False
    for number, line in enumerate(lines, start=1):
        name, _, value = line.strip().partition("=")
        if name == "КонецФайла":
            is_ended = True
        elif name in ("СекцияДокумент", "СекцияРасчСчет"):
            if current is not head:
                problems.append(Problem(current.line, "its section does not end; ask for the file anew"))
            current = _Section(number, value or "РасчСчет" if name == "СекцияДокумент" else "РасчСчет")
        elif name in ("КонецДокумента", "КонецРасчСчет"):
            rest.append(current)
            current = head
        elif value or current is not head:
            current.fields[name] = value.strip()
    if current is not head or not is_ended:
        problems.append(Problem(number, "the file does not end with КонецФайла: it may be cut off; ask for it anew"))
    yield head
    yield from rest


def _document(section: _Section, own: str) -> BankEntry:
    given = section.fields
    payee = own in (given.get("ПолучательСчет"), given.get("ПолучательРасчСчет"))
    payer = own in (given.get("ПлательщикСчет"), given.get("ПлательщикРасчСчет"))
    if payee == payer:
        raise RegisterError(f"document {given.get('Номер', '?')} is neither to nor from {own}; ask the bank")
    amount = kopecks_of(given.get("Сумма", ""))
    if amount <= 0:
        raise RegisterError(f"document {given.get('Номер', '?')} has no sum above zero; ask the bank")
    moved = given.get("ДатаПоступило" if payee else "ДатаСписано") or given.get("Дата", "")
    other = "Плательщик" if payee else "Получатель"
    return BankEntry(
        section.line,
        _day(moved, DAY),
        amount if payee else -amount,
        given.get("Номер", ""),
        given.get(f"{other}1") or given.get(other, ""),
        given.get("НазначениеПлатежа", ""),
    )


def _totals(sections: list[_Section], problems: list[Problem]) -> tuple[int | None, int | None, int | None, int | None]:
    """Opening, credited, debited, closing over an account's sections (a bank may give one a day)."""
    found: dict[str, list[int | None]] = {}
    for name in ("НачальныйОстаток", "ВсегоПоступило", "ВсегоСписано", "КонечныйОстаток"):
        for section in sections:
            text = section.fields.get(name, "")
            try:
                found.setdefault(name, []).append(kopecks_of(text) if text else None)
            except RegisterError as error:
                problems.append(Problem(section.line, f"{name}: {error}"))
                found.setdefault(name, []).append(None)
    openings, credited, debited, closings = (
        found.get(name, [None]) for name in ("НачальныйОстаток", "ВсегоПоступило", "ВсегоСписано", "КонечныйОстаток")
    )
    for section, before, after in zip(sections[1:], closings, openings[1:], strict=False):
        if before is not None and after is not None and before != after:
            problems.append(Problem(section.line, f"it opens with {after} kopecks, after a close with {before}"))
    return openings[0], _summed(credited), _summed(debited), closings[-1]


def _summed(values: list[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) if known and len(known) == len(values) else None


def _given_day(given: Mapping[str, str], name: str) -> date | None:
    try:
        return _day(given[name], DAY) if given.get(name) else None
    except RegisterError:
        return None


def _disagreements(found: BankStatement) -> Iterator[Problem]:
    """Totals that do not follow from each other, or not from the documents."""
    opening, credited, debited, closing = (
        found.opening_kopecks, found.credited_kopecks, found.debited_kopecks, found.closing_kopecks
    )  # fmt: skip
    if (
        None not in (opening, credited, debited, closing)
        and (opening or 0) + (credited or 0) - (debited or 0) != closing
    ):
        yield Problem(0, f"{opening} + {credited} - {debited} kopecks do not make the closing {closing}; ask the bank")
    came = sum(entry.amount_kopecks for entry in found.entries if entry.amount_kopecks > 0)
    went = -sum(entry.amount_kopecks for entry in found.entries if entry.amount_kopecks < 0)
    for said, made, what in ((credited, came, "came"), (debited, went, "went")):
        if said is not None and said != made:
            yield Problem(0, f"the bank says that {said} kopecks {what}, its documents make {made}: some are missing")
