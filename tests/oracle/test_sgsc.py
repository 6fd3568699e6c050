"""The half-hours of the SGSC trial: the real file against pandas, and bad rows."""

from __future__ import annotations

import gzip
import tracemalloc

import pandas as pd  # type: ignore[import-untyped]
import pytest

from oracle.sources import sgsc
from oracle.sources.sgsc import SgscError, is_sgsc, read_sgsc
from tests.oracle.conftest import DATA

FILE = DATA / "electricity_sgsc10" / "sgsc_6households_halfhourly.csv.gz"
HEAD = "customer_id,reading_datetime,general_supply_kwh\n"


@pytest.mark.skipif(not FILE.exists(), reason=f"no {FILE}: the SGSC data is not on this machine")
def test_the_real_file_says_what_pandas_reads_in_it() -> None:
    data = FILE.read_bytes()
    assert is_sgsc(data)
    frame = pd.read_csv(FILE)
    by_customer = frame.groupby("customer_id")["general_supply_kwh"]
    totals: dict[int, int] = {}
    counts: dict[int, int] = {}
    for day in read_sgsc(data, FILE.name):
        customer = int(day.customer)
        totals[customer] = totals.get(customer, 0) + sum(v for v in day.values if v is not None)
        counts[customer] = counts.get(customer, 0) + sum(v is not None for v in day.values)
    assert counts == by_customer.count().to_dict()
    assert totals == {customer: round(kwh * 1000) for customer, kwh in by_customer.sum().to_dict().items()}


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (
            HEAD + "1,2012-02-10T08:00:00,0.1\n1,2012-02-10T08:00:00,0.1\n",
            "row 3: 1 at 2012-02-10T08:00:00 comes twice",
        ),
        (HEAD + "1,2012-02-10T08:10:00,0.1\n", "row 2: not whole Wh on a half-hour"),
        (HEAD + "1,2012-02-10T08:00:00,0.00015\n", "row 2: not whole Wh"),
        (HEAD + "1,2012-02-10T08:00:00,-0.1\n", "row 2: not whole Wh"),
        (HEAD + "1,2012-02-10T08:00:00,much\n", "row 2: not a half-hour"),
        (HEAD + "1,2012-02-10\n", "row 2: 2 columns"),
        ("a,b,c\n1,2,3\n", "row 1: the columns"),
        (HEAD + "1,2012-02-10T08:00:00,0,1ю\n", "not ASCII"),
    ],
)
def test_faulty_rows_are_named(text: str, names: str) -> None:
    with pytest.raises(SgscError) as caught:
        list(read_sgsc(text.encode(), "dir/f.csv"))
    assert names in str(caught.value)
    assert str(caught.value).startswith("f.csv: ")


def test_a_gzip_bomb_is_refused_by_name_before_it_fills_the_memory() -> None:
    bomb = gzip.compress(HEAD.encode() + bytes(sgsc.MAX_TEXT_BYTES * 4), 1)
    assert is_sgsc(bomb)
    assert len(bomb) < sgsc.MAX_TEXT_BYTES // 20
    tracemalloc.start()
    with pytest.raises(SgscError) as caught:
        list(read_sgsc(bomb, "bomb.csv.gz"))
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert str(caught.value).startswith("bomb.csv.gz: gzip: ")
    assert "split the file" in str(caught.value)
    assert peak_bytes < 2.5 * sgsc.MAX_TEXT_BYTES


def test_a_file_that_unpacks_to_the_limit_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    text = (HEAD + "1,2012-02-10T08:00:00,0.1\n").encode()
    monkeypatch.setattr(sgsc, "MAX_TEXT_BYTES", len(text))
    assert len(list(read_sgsc(gzip.compress(text), "f.csv.gz"))) == 1
    monkeypatch.setattr(sgsc, "MAX_TEXT_BYTES", len(text) - 1)
    with pytest.raises(SgscError, match="unpack to more than"):
        list(read_sgsc(gzip.compress(text), "f.csv.gz"))


def test_a_cut_gzip_is_refused() -> None:
    data = gzip.compress((HEAD + "1,2012-02-10T08:00:00,0.1\n" * 1).encode())
    with pytest.raises(SgscError, match="cut short"):
        list(read_sgsc(data[:-9], "f.csv.gz"))
