"""The forms of key rates, holidays and moratoria: each file becomes one document of billing.debt.penalty_rules."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import date
from pathlib import PurePath
from typing import Any

from billing.debt.penalty_rules import RulesError, rules_of
from billing.domain.numbers import exact
from billing.reference import cells
from billing.reference.faults import BadCell, RowFault
from billing.reference.table import Table
from billing.reference.tariff_form import Sourced

KEY_RATES = ("since", "percent", "act")
MORATORIA = ("effective_from", "last_day", "to_included", "act")
HOLIDAYS = ("day", "day_kind", "act")
_MOST_PERCENT = 100
_DAY_KINDS = {"off": "days_off", "работы нет": "days_off", "выходной": "days_off",
              "working": "working_weekends", "рабочий": "working_weekends",
              "every_year": "every_year", "ежегодно": "every_year"}  # fmt: skip


def read_key_rates(table: Table) -> tuple[list[Sourced], list[RowFault]]:
    """Key rates, the Bank's decision behind each."""
    rates, faults = _each(table, _key_rate)
    seen: dict[str, int] = {}
    for number, rate in rates:
        if rate["since"] in seen:
            reason = f"has a rate in row {seen[rate['since']]} already"
            faults.append(RowFault(number, "since", rate["since"], reason, "leave one of the two out"))
        seen.setdefault(rate["since"], number)
    found = sorted((rate for _, rate in rates), key=lambda rate: rate["since"])
    acts = "; ".join(dict.fromkeys(rate["act"] for rate in found))
    return _one(table, faults, rates, {"kind": "key_rates", "act": acts, "rates": found})


def read_moratoria(table: Table) -> tuple[list[Sourced], list[RowFault]]:
    """Moratoria. Whether the last day is part of one has to be said: acts and courts differ."""
    found, faults = _each(table, _moratorium)
    return _one(table, faults, found, {"kind": "moratoria", "moratoria": [moratorium for _, moratorium in found]})


def read_holidays(table: Table) -> tuple[list[Sourced], list[RowFault]]:
    """Days off, weekends that are worked, and days that are off every year. Moved days are of one year each."""
    found, faults = _each(table, _holiday)
    by_kind = {name: sorted(day for _, (kind, day, _) in found if kind == name) for name in set(_DAY_KINDS.values())}
    if moved := [number for number, (kind, _, _) in found if kind != "every_year"]:
        every = [(number, day) for number, (kind, day, _) in found if kind == "every_year"]
        faults += [
            RowFault(
                number, "day_kind", day, f"is of every year, row {moved[0]} of one", "put it into a file of its own"
            )
            for number, day in every
        ]
    years = sorted({day[:4] for _, (kind, day, _) in found if kind != "every_year"})
    starts = f"{years[0]}-01-01" if years else "2013-01-01"
    end = f"{int(years[-1]) + 1}-01-01" if years else None
    acts = "; ".join(dict.fromkeys(act for _, (_, _, act) in found))
    head = {"kind": "holidays", "effective_from": starts, "effective_to": end, "act": acts}
    return _one(table, faults, found, {**head, **by_kind})


def write_calendar(value: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    """The rows of the form that a document of these kinds comes of."""
    if value["kind"] == "key_rates":
        for rate in value["rates"]:
            yield {"since": rate["since"], "percent": rate["percent"], "act": rate.get("act", value["act"])}
    elif value["kind"] == "moratoria":
        for m in value["moratoria"]:
            included = "yes" if m["to_included"] else "no"
            yield {"effective_from": m["from"], "last_day": m["to"], "to_included": included, "act": m["act"]}
    else:
        for column, name in (("days_off", "off"), ("working_weekends", "working"), ("every_year", "every_year")):
            for found in value[column]:
                yield {"day": found, "day_kind": name, "act": value["act"]}


def _key_rate(row: Mapping[str, str]) -> dict[str, Any]:
    percent = cells.decimal({"percent": row.get("percent", "").removesuffix("%")}, "percent")
    if exact(percent) > _MOST_PERCENT:
        raise BadCell("percent", row["percent"], "is over 100 %", "write the rate a year in percent, like 16.5")
    return {"since": cells.day(row, "since").isoformat(), "percent": percent, "act": cells.required(row, "act")}


def _moratorium(row: Mapping[str, str]) -> dict[str, Any]:
    first, last = cells.day(row, "effective_from"), cells.day(row, "last_day")
    if last < first:
        raise BadCell("last_day", row["last_day"], f"is before it begins on {first}", "give a later day")
    included, act = cells.yes(row, "to_included"), cells.required(row, "act")
    return {"from": first.isoformat(), "to": last.isoformat(), "to_included": included, "act": act}


def _holiday(row: Mapping[str, str]) -> tuple[str, str, str]:
    text = cells.required(row, "day_kind").lower()
    if text not in _DAY_KINDS:
        raise BadCell("day_kind", row["day_kind"], "is no kind of day", "write off, working or every_year")
    kind, act = _DAY_KINDS[text], cells.required(row, "act")
    if kind != "every_year":
        return kind, cells.day(row, "day").isoformat(), act
    try:  # a leap year, so that 29 February is a day
        return kind, date.fromisoformat(f"2000-{cells.required(row, 'day')}").isoformat()[5:], act
    except ValueError:
        raise BadCell("day", row["day"], "is no day of a year", "write it as month-day, like 05-09") from None


def _each(table: Table, parse: Callable[[Mapping[str, str]], Any]) -> tuple[list[tuple[int, Any]], list[RowFault]]:
    found: list[tuple[int, Any]] = []
    faults: list[RowFault] = []
    for row in table.rows:
        try:
            found.append((row.number, parse(row.cells)))
        except BadCell as bad:
            faults.append(bad.at(row.number))
    return found, faults


def _one(
    table: Table, faults: list[RowFault], rows: list[tuple[int, Any]], body: Mapping[str, Any]
) -> tuple[list[Sourced], list[RowFault]]:
    """The file's one document, named after the file; a row that is refused is left out of it."""
    if not rows:
        return [], faults
    value = {"format": 1, "name": PurePath(table.file).stem, **body}
    try:
        rules_of([value])
    except RulesError as error:
        faults.append(RowFault(rows[0][0], "", table.file, error.reason, "mend the rows"))
        return [], faults
    return [Sourced(value, tuple(number for number, _ in rows))], faults
