"""A claim: all that a court needs to follow a debt, row by row, as values; and the register of many.

One claim is of one supplier against one account. Principal and penalty stand apart; every row of the penalty can be
recomputed from its own inputs alone: P = S · n · r · f, in roubles, half up to the kopeck. Nothing here is stored, and
no person is named: papers get the person from whoever prints them.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from billing.debt.balance import LineDebt, Move, Turnover
from billing.debt.books import Overdue
from billing.debt.table import explain_row
from billing.debt.work import Done
from billing.debt.work_rules import FeeRule
from billing.domain.numbers import exact_text
from contracts.wire.ids import Period, SupplierId

PENALTY_FORMULA = "P = S · n · r · f"
REGISTER_COLUMNS = (
    "account", "supplier", "from", "to", "principal_kopecks", "penalty_kopecks", "claimed_kopecks", "fee_kopecks",
    "procedure", "notices", "at",
)  # fmt: skip
PENALTY_COLUMNS = (
    "period", "service", "first", "last", "days", "S_kopecks", "r", "f", "amount_kopecks", "rate_act", "pause",
)  # fmt: skip


class NothingToClaim(LookupError):
    """An account owes a supplier nothing that is late enough and neither disputed nor agreed on."""

    def __init__(self, account: str, supplier: SupplierId, at: date) -> None:
        super().__init__(
            f"account {account} owes supplier {supplier} nothing to claim on {at}; `kopeck debt work` says why"
        )
        self.account, self.supplier, self.at = account, supplier, at


@dataclass(frozen=True, slots=True)
class Claim:
    """The claim as of ``at``. ``penalties_paid_kopecks`` came towards penalties already and is taken off."""

    account: str
    supplier: SupplierId
    at: date
    debts: tuple[LineDebt, ...]
    overdue: tuple[Overdue, ...]
    extract: tuple[Turnover, ...]
    notices: tuple[Done, ...]
    fees: FeeRule
    penalties_paid_kopecks: int = 0

    @property
    def principal_kopecks(self) -> int:
        """What is open of the claimed lines."""
        return sum(debt.open_kopecks for debt in self.debts)

    @property
    def penalty_kopecks(self) -> int:
        """What the tables come to, less what was paid of penalties."""
        return max(0, sum(late.table.amount_kopecks for late in self.overdue) - self.penalties_paid_kopecks)

    @property
    def claimed_kopecks(self) -> int:
        """Principal and penalty."""
        return self.principal_kopecks + self.penalty_kopecks

    @property
    def by_order(self) -> bool:
        """Whether a court order is enough, or a suit is needed (ст. 121 ГПК РФ)."""
        return self.claimed_kopecks <= self.fees.order_limit_kopecks

    @property
    def procedure(self) -> str:
        """What is applied for."""
        return "court order" if self.by_order else "suit"

    @property
    def fee_kopecks(self) -> int:
        """The court's fee."""
        whole = self.claimed_kopecks
        return self.fees.order_fee_kopecks(whole) if self.by_order else self.fees.fee_kopecks(whole)

    @property
    def periods(self) -> tuple[Period, Period]:
        """The first and the last period claimed."""
        found = sorted(debt.period for debt in self.debts)
        return found[0], found[-1]


def claim_json(claim: Claim) -> dict[str, object]:
    """The claim as plain values; sums are whole kopecks, rates exact decimals or fractions."""
    return {
        "account": claim.account,
        "supplier": int(claim.supplier),
        "at": claim.at.isoformat(),
        "debts": [_debt_json(debt) for debt in claim.debts],
        "penalty": {
            "rows": [row for late in claim.overdue for row in penalty_rows(late)],
            "paid_kopecks": claim.penalties_paid_kopecks,
        },
        "extract": [_turnover_json(row) for row in claim.extract],
        "notices": [journal_json(done) for done in claim.notices],
        "principal_kopecks": claim.principal_kopecks,
        "penalty_kopecks": claim.penalty_kopecks,
        "claimed_kopecks": claim.claimed_kopecks,
        "fee_kopecks": claim.fee_kopecks,
        "fee_act": claim.fees.act,
        "procedure": claim.procedure,
    }


def penalty_rows(late: Overdue) -> Iterator[dict[str, object]]:
    """The rows of one line's table, each with the inputs of its formula."""
    service = "" if late.debt.service is None else late.debt.service.name.lower()
    for row in late.table.rows:
        yield {"period": str(late.debt.period), "service": service, **explain_row(row)}


def _debt_json(debt: LineDebt) -> dict[str, object]:
    return {
        "bill": str(debt.leaf),
        "line": debt.line,
        "period": str(debt.period),
        "service": "" if debt.service is None else debt.service.name.lower(),
        "due": debt.due.isoformat(),
        "principal_kopecks": debt.principal_kopecks,
        "payments": [{"day": p.day.isoformat(), "amount_kopecks": p.amount_kopecks} for p in debt.payments],
        "open_kopecks": debt.open_kopecks,
    }


def _turnover_json(row: Turnover) -> dict[str, object]:
    moved = {move.value + "_kopecks": row.of(move) for move in Move}
    return {
        "month": str(row.month),
        "service": "" if row.service is None else row.service.name.lower(),
        "opening_kopecks": row.opening,
        **moved,
        "closing_kopecks": row.closing,
        "penalties_kopecks": row.penalties,
    }


def journal_json(done: Done) -> dict[str, object]:
    """An entry of the journal as plain values."""
    return {
        "number": done.number,
        "step": done.step.value,
        "day": done.day.isoformat(),
        "service": "" if done.service is None else done.service.name.lower(),
        "supplier": int(done.supplier),
        "amount_kopecks": done.amount_kopecks,
        "channel": done.channel,
        "proof": done.proof,
        "content": done.content,
        "about": done.about,
    }


# --- tables for spreadsheets ---


def penalty_csv(claim: Claim) -> str:
    """The rows of the penalty, separated by semicolons."""
    rows = []
    for late in claim.overdue:
        service = "" if late.debt.service is None else late.debt.service.name.lower()
        for row in late.table.rows:
            days, act = (row.first, row.last, row.days), "" if row.pause is None else row.pause.act
            sums = row.balance_kopecks, exact_text(row.rate), exact_text(row.fraction), row.amount_kopecks
            rows.append((late.debt.period, service, *days, *sums, row.rate_act, act))
    return _csv(PENALTY_COLUMNS, rows)


def register_json(claims: Iterable[Claim]) -> list[dict[str, object]]:
    """The register for a court: a row a claim."""
    return [dict(zip(REGISTER_COLUMNS, _register_row(claim), strict=True)) for claim in claims]


def register_csv(claims: Sequence[Claim]) -> str:
    """The register, separated by semicolons; the last row sums it up."""
    rows: list[Sequence[object]] = [_register_row(claim) for claim in claims]
    sums = [sum(int(str(row[place])) for row in rows) for place in (4, 5, 6, 7)]
    rows.append(("total", "", "", "", *sums, len(claims), "", ""))
    return _csv(REGISTER_COLUMNS, rows)


def _register_row(claim: Claim) -> tuple[object, ...]:
    first, last = claim.periods
    return (
        claim.account, int(claim.supplier), str(first), str(last), claim.principal_kopecks, claim.penalty_kopecks,
        claim.claimed_kopecks, claim.fee_kopecks, claim.procedure, len(claim.notices), claim.at.isoformat(),
    )  # fmt: skip


def _csv(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, delimiter=";", lineterminator="\r\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return out.getvalue()
