"""Decided cases become grants on a real chain: once, on their own lines; what was not due comes back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import select

from billing.erase import erase
from billing.inbox import State
from billing.requests import GrantsRequest, ReverseGrants
from billing.schema import welfare_records
from billing.welfare.awards import Manner
from billing.welfare.bureau import Bureau, CasesOverlap, DebtStands, WrongPerson
from billing.welfare.post import Posting
from billing.welfare.records import RecordConflict
from contracts.client.files import FileStore
from contracts.wire.ids import GrantBatchId
from tests.billing.scenes import FEBRUARY, JANUARY, billed, billed_again, check_books, pay_all
from tests.billing.stage import Stage
from tests.billing.welfare.recompute import recomputed

NOW = 1_800_000_000
DAY = date(2026, 2, 3)
DOCUMENTS: tuple[dict[str, object], ...] = (
    {"kind": "payout", "compensation": "bill", "subsidy": "bill", "grant_valid_days": 3650},
    {"kind": "cost-standard", "tenure": "owner", "roubles_per_person": ["4661", "3441.35", "3119.76"]},
    {"kind": "subsistence", "roubles": {"anyone": "10000"}},
)
REPAIR = {
    "type": "compensation", "account": "1", "number": "K-1", "decided": "2026-01-10", "category": "capital-repair-70",
    "since": "2026-01",
}  # fmt: skip
SUBSIDY = {
    "type": "subsidy", "account": "2", "number": "S-1", "decided": "2026-01-10", "applied": "2026-01-05",
    "areas": ["test"], "family": {"working": 1}, "tenure": "owner", "income_kopecks": [12_500_00] * 6,
}  # fmt: skip


def bureau_of(stage: Stage, payout: str = "bill") -> Bureau:
    office = stage.office
    bureau = Bureau(office.engine, office.register, office.keyring, tariffs=office.tariffs, ledger=office.ledger)
    for document in DOCUMENTS:
        head = {"name": f"test {document['kind']}", "area": "test", "act": "act", "effective_from": "2026-01-01"}
        bureau.library.add({**head, "checked": True, **document})
    # A house names its areas; the town's is in Krasnoyarsk, where help goes to the person.
    if payout == "bill":
        house = office.register.houses()["house-1"]
        areas = ("test", *house.areas)
        office.register.add_house(type(house)(house.code, house.zone, areas, house.area_dm2, house.features))
    return bureau


def post(stage: Stage, bureau: Bureau, period: object = JANUARY) -> list[str]:
    posted = Posting(bureau, stage.inbox).post(JANUARY if period is JANUARY else FEBRUARY, now=NOW, on=DAY, act="order")
    if posted.item is not None:
        (item,) = stage.work(posted.item)
        assert item.state is State.DONE, item.reason
        assert item.result is not None
        assert not item.result["refused"]
    return [award.case for award in posted.plan.awards]


def granted(stage: Stage, account: str, period: object = JANUARY) -> int:
    view = stage.bill(account, JANUARY if period is JANUARY else FEBRUARY)
    return sum(line.granted_kopecks for line in view.lines)


@pytest.fixture
def town(stage: Stage) -> Stage:
    billed(stage, 3)
    return stage


def test_a_month_s_awards_are_previewed_posted_once_and_spent_on_their_lines(town: Stage) -> None:
    bureau = bureau_of(town)
    _, working = bureau.decide(SUBSIDY)
    assert working is not None
    assert working.amount_kopecks == 1911_00
    bureau.decide(REPAIR)
    bureau.decide(REPAIR)  # the same again
    plan = bureau.plan(JANUARY, now=NOW, on=DAY, act="order")
    assert [award.case for award in plan.awards] == ["K-1", "S-1"]
    assert bureau.plan(JANUARY, now=NOW, on=DAY, act="order").awards[0].lines == plan.awards[0].lines
    for award in plan.awards:
        for explained in award.workings:
            assert recomputed(explained) == explained["amount_kopecks"]
    # 41 m² at 10.04, compensated by half within 33 m²... of two residents: 44 m², so on all of it.
    assert plan.awards[0].amount_kopecks == 205_82
    assert plan.awards[1].amount_kopecks == min(1911_00, town.bill("2", JANUARY).charged_kopecks)
    before = town.balance("welfare")
    assert post(town, bureau) == ["K-1", "S-1"]
    assert granted(town, "1") == 205_82
    assert granted(town, "2") == plan.awards[1].amount_kopecks
    assert town.balance("welfare") == before - 205_82 - plan.awards[1].amount_kopecks
    assert post(town, bureau) == []
    assert bureau.plan(JANUARY, now=NOW, on=DAY, act="order").nothing["1", "K-1"] == "what is due was given already"
    for line in town.bill("2", JANUARY).lines:
        assert line.granted_kopecks <= line.charged_kopecks
    check_books(town)


def test_what_was_more_than_due_is_withheld_from_the_next_month(town: Stage) -> None:
    bureau = bureau_of(town)
    bureau.decide(SUBSIDY)
    post(town, bureau)
    first = granted(town, "2")
    billed_again(town, 3)
    february = town.bill("2", FEBRUARY).charged_kopecks
    act = "act of check 5"
    change = bureau.recompute("2", "S-1", {"income_kopecks": [20_500_00]}, since=JANUARY, on=DAY, act=act)
    # 4661 − 22 % of 20 500 is 151.00.
    assert [(m[2], m[3]) for m in change.months] == [(first, 151_00)]
    assert [(r.owed_kopecks, r.act) for r in change.recoveries] == [(first - 151_00, act)]
    again = bureau.recompute("2", "S-1", {}, since=JANUARY, on=DAY, act=act)
    assert again.recoveries == ()
    assert post(town, bureau, FEBRUARY) == ["S-1"]
    assert february > 151_00
    assert granted(town, "2", FEBRUARY) == 0  # all of February's 151.00 went to what is owed back
    left = bureau.repay("2", "S-1", 1, 1_00, act="receipt 9", on=DAY)
    assert left == first - 151_00 - 151_00 - 1_00
    with pytest.raises(ValueError, match="open"):
        bureau.repay("2", "S-1", 1, left + 1, act="receipt 10", on=DAY)


def test_a_better_income_downward_is_made_good_by_the_next_batch(town: Stage) -> None:
    bureau = bureau_of(town)
    bureau.decide({**SUBSIDY, "income_kopecks": [20_500_00]})
    post(town, bureau)
    assert granted(town, "2") == 151_00
    tried = bureau.recompute("2", "S-1", {"income_kopecks": [20_000_00]}, since=JANUARY, on=DAY, act="a", dry=True)
    assert [(m[2], m[3]) for m in tried.months] == [(151_00, 261_00)]
    bureau.recompute("2", "S-1", {"income_kopecks": [20_000_00]}, since=JANUARY, on=DAY, act="act")
    assert post(town, bureau) == ["S-1"]
    assert granted(town, "2") == 261_00


def test_a_reversed_batch_gave_what_was_used_of_it(town: Stage) -> None:
    bureau = bureau_of(town)
    bureau.decide(REPAIR)
    post(town, bureau)
    (item,) = town.work(town.ask("reverse", ReverseGrants(GrantBatchId(1), "act of mistake")))
    assert item.state is State.DONE, item.reason
    town.settle()
    assert bureau.plan(JANUARY, now=NOW, on=DAY, act="order").awards == ()  # it was used before: it stands
    (item,) = town.work(town.ask("reverse again", ReverseGrants(GrantBatchId(1), "act")))
    assert item.state is State.FAILED


def test_where_the_region_pays_the_person_the_bill_stays_whole(town: Stage) -> None:
    bureau = bureau_of(town, payout="person")
    bureau.decide(REPAIR)
    assert post(town, bureau) == ["K-1"]
    assert town.inbox.items(kind=GrantsRequest.kind) == []
    assert granted(town, "1") == 0
    (shelf,) = bureau.records.shelves()
    assert [award.net_kopecks for award in shelf.awards] == [205_82]
    change = bureau.recompute(
        "1", "K-1", {"until": "2026-01", "since": "2026-01", "category": "capital-repair-80"},
        since=JANUARY, on=DAY, act="act", manner=Manner.DEMAND,
    )  # fmt: skip
    assert [(m[2], m[3]) for m in change.months] == [(205_82, 411_64)]


def test_a_crash_between_recording_and_asking_is_made_good(town: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    bureau = bureau_of(town)
    bureau.decide(REPAIR)
    monkeypatch.setattr(town.inbox, "put", lambda *_args: (_ for _ in ()).throw(OSError("killed")))
    with pytest.raises(OSError, match="killed"):
        Posting(bureau, town.inbox).post(JANUARY, now=NOW, on=DAY, act="order")
    monkeypatch.undo()
    assert post(town, bureau) == []  # nothing new is due
    (item,) = town.inbox.items(kind=GrantsRequest.kind)
    town.work(item)
    assert granted(town, "1") == 205_82


def test_a_case_is_refused_with_its_reason(town: Stage) -> None:
    bureau = bureau_of(town)
    debts = [{"arisen": "2024-05-01", "court_act": "2-17/2025"}]
    with pytest.raises(DebtStands, match=r"S-1.*2-17/2025"):
        bureau.decide({**SUBSIDY, "debts": debts})
    bureau.decide(SUBSIDY)
    with pytest.raises(CasesOverlap, match=r"S-2.*S-1"):
        bureau.decide({**SUBSIDY, "number": "S-2", "applied": "2026-06-15"})
    bureau.decide({**SUBSIDY, "number": "S-2", "applied": "2026-06-16"})
    with pytest.raises(RecordConflict, match="S-1"):
        bureau.decide({**SUBSIDY, "income_kopecks": [1]})
    with pytest.raises(WrongPerson, match="covers a family"):
        bureau.decide({**REPAIR, "person": "1"})


def test_nothing_of_a_case_is_readable_at_rest_and_erasing_forgets_it(town: Stage, tmp_path: Path) -> None:
    bureau = bureau_of(town)
    bureau.decide(SUBSIDY)
    post(town, bureau)
    with town.office.engine.connect() as connection:
        rows = connection.execute(select(welfare_records)).all()
    stored = b"".join(bytes(row.sealed) + bytes(row.label) for row in rows)
    for word in (b"S-1", b"1250000", b"income", b"working", b"test"):
        assert word not in stored
    (item,) = town.inbox.items(kind=GrantsRequest.kind)
    assert isinstance(item.request, GrantsRequest)
    (shelf,) = bureau.records.shelves()
    assert {grant.decision for grant in item.request.grants} == {"0x" + shelf.awards[0].hash.hex()}
    key = town.office.register.account("2").key_id
    town.office.keyring.destroy(key, NOW, "act")
    assert bureau.records.shelves() == []
    done = erase(town.office.engine, FileStore(tmp_path / "f"), "2", key, _no_sign, at=NOW)
    assert done["welfare"] == 2
    with town.office.engine.connect() as connection:
        assert connection.execute(select(welfare_records)).all() == []


def _no_sign(*_args: object, **_named: Mapping[str, object]) -> bytes:
    raise AssertionError("there are no files to erase here")


def test_a_month_that_is_not_billed_is_a_problem_by_name(town: Stage) -> None:
    bureau = bureau_of(town)
    bureau.decide(SUBSIDY)
    assert bureau.plan(FEBRUARY, now=NOW, on=DAY, act="order").problems == {
        "2": "it has no active bill for 2026-02; bill the period first"
    }


def test_a_paid_bill_takes_no_help_and_the_preview_says_so(town: Stage) -> None:
    bureau = bureau_of(town)
    bureau.decide(REPAIR)
    pay_all(town, 1)
    town.settle()
    plan = bureau.plan(JANUARY, now=NOW, on=DAY, act="order")
    assert plan.awards == ()
    assert "paid already" in plan.nothing["1", "K-1"]


def test_a_grant_that_found_nothing_open_counts_as_nothing_once_its_batch_is_reversed(town: Stage) -> None:
    bureau = bureau_of(town)
    bureau.decide(REPAIR)
    posted = Posting(bureau, town.inbox).post(JANUARY, now=NOW, on=DAY, act="order")
    pay_all(town, 1)  # before the collector came to apply it, or after: the grant pays the line at most once
    assert posted.item is not None
    town.work(posted.item)
    town.settle()
    used = granted(town, "1")
    (item,) = town.work(town.ask("reverse", ReverseGrants(GrantBatchId(1), "act")))
    assert item.state is State.DONE, item.reason
    town.settle()
    (shelf,) = bureau.records.shelves()
    (given,) = bureau.standing().of(shelf.awards)
    assert sum(given.lines.values()) == used
