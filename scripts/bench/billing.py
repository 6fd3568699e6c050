"""A city's month from database rows to leaves, beside the same six sums in plain SQL; a million bills' root and proofs;
one bill worked out and explained.

The accounts are generated into the real tables of a temporary home, KOPECK_BENCH_ACCOUNTS of them, all plain: metered,
with counters at both ends of the month. Every bench asserts what it leaves: the suppliers' totals that the run claims
are those of the statement in SQL, to the kopeck.
"""

from __future__ import annotations

import json
import os
import random
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from statistics import median

from sqlalchemy import insert

from billing.charges import charge_months
from billing.checks import Checks
from billing.documents import Title, draft_bill
from billing.domain.calendar import month_span
from billing.domain.tariff import Kind, TariffSet
from billing.explanation import explain_bill
from billing.months import Months
from billing.prepare import Preparer
from billing.requests import RunRequest
from billing.run import Runs
from billing.schema import inbox
from contracts.wire.ids import BillKey, Hash, Period, RunId, Service, SupplierId
from contracts.wire.leaf import BillBlob, BillKind, BillLine, encode_bill
from contracts.wire.merkle import Tree, leaf_hash, leaf_hashes, root_of
from scripts.bench import Result
from scripts.bench.city import AREAS, FEATURES, SERVICES, ZONE, CityBooks, fill

ACCOUNTS = int(os.environ.get("KOPECK_BENCH_ACCOUNTS", "100000"))
CORES = 2
MILLION = 1_000_000
PERIOD = Period(2026, 1)
EXPLAINED = 40
SEED = 354


class WrongBills(AssertionError):
    """The measured run does not come to what it should."""


@dataclass(frozen=True, slots=True)
class Measured:
    """A run in a process of its own. Memory is the sum of the peaks of it and its workers."""

    seconds: float
    cpu_s: float
    memory_mb: float
    bills: int
    totals: dict[str, int]


def measure() -> list[Result]:
    """billing.bills_per_s, billing.peak_memory_mb, billing.root_million_s, billing.explain_ms."""
    with tempfile.TemporaryDirectory(prefix="kopeck-bench-") as folder:
        home = Path(folder)
        _in_process("fill", home)
        by_sql_s, totals = _by_sql(home)
        run = Measured(**json.loads(_in_process("run", home)))
        if run.bills != ACCOUNTS or run.totals != totals:
            raise WrongBills(f"{run.bills} bills of {run.totals}, in SQL {ACCOUNTS} of {totals}")
        explained_ms, stored_ms = _explain(home)
    return [
        Result(
            "billing.bills_per_s", round(ACCOUNTS / run.seconds), "bills/s", "higher", 5_600,
            {"sql": round(ACCOUNTS / by_sql_s)},
        ),
        Result("billing.peak_memory_mb", round(run.memory_mb), "MB", "lower", 2_000),
        _root_of_a_million(),
        Result("billing.explain_ms", round(explained_ms, 1), "ms", "lower", 20, {"stored": round(stored_ms, 1)}),
    ]  # fmt: skip


def _in_process(step: str, home: Path) -> str:
    """A step in a process of its own, so that its memory is its own."""
    command = (sys.executable, "-m", "scripts.bench.billing", step, str(home))
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()[-1]


# --- the run ---------------------------------------------------------------------------------------------------------


def _run(home: Path) -> Measured:
    """What a collector does with the request for a month's run, on two cores."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    books = CityBooks(home)
    with books.engine.begin() as connection:
        row = {"kind": "run", "client_key": "bench", "content": bytes(32), "payload": "{}", "state": "working"}
        connection.execute(insert(inbox).values(id=1, is_settled=False, **row))
    preparer = Preparer(books.engine, books.register, books.keyring, books.tariffs, books.ledger)
    begun = time.perf_counter()
    number = preparer.bill_period(RunRequest(PERIOD), 1)
    seconds = time.perf_counter() - begun
    spent = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    run = Runs(books.engine, books.keyring).get(number)
    if run.problems:
        raise WrongBills(
            f"{len(run.problems)} accounts were not billed, for example {next(iter(run.problems.items()))}"
        )
    own, worker = (usage.ru_maxrss for usage in spent)
    cpu_s = sum(usage.ru_utime + usage.ru_stime for usage in spent)
    totals = {Service(s.supplier).name: s.total_kopecks for s in run.proposal.suppliers}
    return Measured(seconds, cpu_s, (own + CORES * worker) / 1024, run.proposal.count, totals)


# --- the same in SQL -------------------------------------------------------------------------------------------------

_SUMS = """
WITH used AS (
  SELECT m.account, m.service, last.register, last.value - first.value AS used
  FROM meters m
  JOIN ledger.registers first ON first.meter = m.meter AND first.taken_at = :start
  JOIN ledger.registers last ON last.meter = m.meter AND last.taken_at = :end AND last.register = first.register
), flats AS (
  SELECT a.account, a.area_dm2 AS area, n.number AS persons,
    sum(CASE WHEN u.service = 1 THEN u.used ELSE 0 END) AS cold,
    sum(CASE WHEN u.service = 2 THEN u.used ELSE 0 END) AS hot,
    sum(CASE WHEN u.service = 4 AND u.register = 0 THEN u.used ELSE 0 END) AS single,
    sum(CASE WHEN u.service = 4 AND u.register = 1 THEN u.used ELSE 0 END) AS day,
    sum(CASE WHEN u.service = 4 AND u.register = 2 THEN u.used ELSE 0 END) AS night
  FROM accounts a JOIN residents n ON n.account = a.account JOIN used u ON u.account = a.account
  GROUP BY a.account
), norms AS (
  SELECT *, CASE WHEN persons = 0 THEN :nobody ELSE max(:least, :per_person * persons) END AS norm,
    single + day + night AS whole
  FROM flats
), shares AS (
  SELECT *,
    CASE WHEN whole <= 1000 * norm THEN single ELSE min(1000 * norm, single) END AS single_in,
    CASE WHEN whole <= 1000 * norm THEN day ELSE min(day, 1000 * (norm * day / whole + CASE
      WHEN norm - norm * day / whole - norm * night / whole > 0 AND (norm * day) % whole >= (norm * night) % whole
      THEN 1 ELSE 0 END)) END AS day_in,
    CASE WHEN whole <= 1000 * norm THEN night ELSE min(night, 1000 * (norm * night / whole + CASE
      WHEN norm - norm * day / whole - norm * night / whole > 0 AND (norm * day) % whole < (norm * night) % whole
      THEN 1 ELSE 0 END)) END AS night_in
  FROM norms
)
SELECT count(*),
  sum((2 * cold * :cold + 1000) / 2000),
  sum((2 * hot * :hot + 1000) / 2000),
  sum((2 * (cold + hot) * :sewage + 1000) / 2000),
  sum((2 * single_in * :single + 1000) / 2000 + (2 * (single - single_in) * :single_over + 1000) / 2000
    + (2 * day_in * :day + 1000) / 2000 + (2 * (day - day_in) * :day_over + 1000) / 2000
    + (2 * night_in * :night + 1000) / 2000 + (2 * (night - night_in) * :night_over + 1000) / 2000),
  sum((2 * area * :heat_num + :heat_den) / (2 * :heat_den)),
  sum((2 * area * :waste_num + :waste_den) / (2 * :waste_den))
FROM shares
"""


def _by_sql(home: Path) -> tuple[float, dict[str, int]]:
    """Seconds, and the sum of each service in kopecks."""
    books = CityBooks(home)
    span = month_span(PERIOD, ZONE)
    given = {**_rates(books.tariffs.published(books.ledger)), "start": span.start_ts, "end": span.end_ts}
    connection = sqlite3.connect(home / "billing.db")
    connection.execute("ATTACH ? AS ledger", (str(home / "ledger.db"),))
    begun = time.perf_counter()
    count, *sums = connection.execute(_SUMS, given).fetchone()
    seconds = time.perf_counter() - begun
    connection.close()
    if count != ACCOUNTS:
        raise WrongBills(f"SQL found {count} accounts")
    return seconds, dict(zip((service.name for service in SERVICES), sums, strict=True))


def _rates(tariffs: TariffSet) -> dict[str, int]:
    """The numbers of the tariffs in force as whole kopecks, or as a numerator and a denominator."""
    first = month_span(PERIOD, ZONE).first

    def rates(kind: Kind, service: Service) -> dict[str, Fraction]:
        return dict(tariffs.require(kind, service, AREAS, first, FEATURES).document.rates)

    electric = rates(Kind.TARIFF, Service.ELECTRICITY)
    names = ("single", "single_over", "day", "day_over", "night", "night_over")
    out = {name: 100 * electric[name] for name in names}
    out["least"], out["per_person"] = electric["social_norm_least"], electric["social_norm_per_person"]
    out["nobody"] = electric.get("social_norm_if_nobody", Fraction(0))
    for name, service in (("cold", Service.COLD_WATER), ("hot", Service.HOT_WATER), ("sewage", Service.SEWAGE)):
        out[name] = 100 * rates(Kind.TARIFF, service)["single"]
    for name, service in (("heat", Service.HEATING), ("waste", Service.SOLID_WASTE)):
        # Kopecks for a hundredth of a square metre.
        whole = rates(Kind.NORM, service)["single"] * rates(Kind.TARIFF, service)["single"]
        out[f"{name}_num"], out[f"{name}_den"] = Fraction(whole.numerator), Fraction(whole.denominator)
    if any(value.denominator != 1 for value in out.values()):
        raise WrongBills(f"a rate is no whole kopeck: {out}")
    return {name: int(value) for name, value in out.items()}


# --- trees and single bills ------------------------------------------------------------------------------------------


def _root_of_a_million() -> Result:
    """Hashes of a million bills' blobs, the root, and the proof of every one."""
    drawn = random.Random(MILLION)
    lines = tuple(BillLine(SupplierId(number), 10_000 * number) for number in range(1, 7))
    commits = sorted(drawn.randbytes(32) for _ in range(MILLION))
    blobs = [encode_bill(BillBlob(Hash(commit), BillKind.BILL, lines)) for commit in commits]
    begun = time.perf_counter()
    tree = Tree(leaf_hashes(blobs))
    rooted = time.perf_counter()
    for index in range(MILLION):
        proof = tree.proof(index)
        if index % 100_000 == 0 and root_of(leaf_hash(blobs[index]), index, proof, MILLION) != tree.root:
            raise WrongBills(f"the proof of leaf {index} does not lead to the root")
    proved = time.perf_counter()
    parts = {"root": round(rooted - begun, 1), "proofs": round(proved - rooted, 1)}
    return Result("billing.root_million_s", round(proved - begun, 1), "s", "lower", 120, parts)


def _explain(home: Path) -> tuple[float, float]:
    """Milliseconds to work one bill out of its rows and explain it, and to explain one out of the books; medians."""
    books = CityBooks(home)
    months, runs = Months(books.engine, books.register, books.keyring, books.ledger), Runs(books.engine, books.keyring)
    heads, tariffs = tuple(books.ledger.heads_to_bill()), books.tariffs.published(books.ledger)
    runs.set_stage(1, runs.get(1).stage, RunId(1))
    fresh, stored = [], []
    for number in range(EXPLAINED):
        begun = time.perf_counter()
        account = books.register.account(f"7{number * ACCOUNTS // EXPLAINED:09d}")
        charges = charge_months(months.of(PERIOD, [account], tariffs, heads), Checks())
        title = Title(account.account, PERIOD, 0, account.key_id, books.keyring.secret(account.key_id) or b"")
        draft = draft_bill(title, charges.months[account.account], charges.lines[account.account], [])
        explain_bill(BillKey(RunId(1), 0), draft.document)
        fresh.append(time.perf_counter() - begun)
        begun = time.perf_counter()
        found = runs.bill(BillKey(RunId(1), number))
        if found is None or not explain_bill(BillKey(RunId(1), number), found.document)["lines"]:
            raise WrongBills(f"bill 1-{number} can't be explained")
        stored.append(time.perf_counter() - begun)
    return 1000 * median(fresh), 1000 * median(stored)


def _main(step: str, home: Path) -> None:
    if step == "fill":
        fill(CityBooks(home), PERIOD, ACCOUNTS, SEED)
        sys.stdout.write("{}\n")
    else:
        sys.stdout.write(json.dumps(asdict(_run(home))) + "\n")


if __name__ == "__main__":
    _main(sys.argv[1], Path(sys.argv[2]))
