"""What the town's welfare body does: decides a case for every flat with a benefit, and posts each month's awards."""

from __future__ import annotations

from datetime import UTC, datetime

from billing.inbox import Item
from billing.requests import GrantsRequest
from billing.store import database_url, open_database
from billing.welfare.bureau import Bureau
from billing.welfare.post import Posting
from contracts.wire.ids import Period
from scripts.town.plan import Flat
from scripts.town.stage import Stage

AREA = "demo-town"
"""The town's own area: where the region whose tariffs it borrows would pay the person, the town nets the bill."""
CATEGORIES = (("disabled-1-2", "1"), ("capital-repair-70", ""))
"""In turn: a category that covers one person's part of most services, and one for a family's single line."""
PAYOUT = {
    "name": "demo-town-payout",
    "kind": "payout",
    "area": AREA,
    "act": "the demo town's own order 1",
    "effective_from": "2020-01-01",
    "effective_to": None,
    "checked": True,
    "compensation": "bill",
    "subsidy": "bill",
    "grant_valid_days": 180,
}


def bureau_of(stage: Stage) -> Bureau:
    """The welfare body's desk in a town."""
    engine = open_database(database_url(stage.home.root))
    return Bureau(engine, stage.accounts, stage.keyring, tariffs=stage.tariffs, ledger=stage.ledger)


def decide(stage: Stage, flats: list[Flat]) -> None:
    """Decides the cases; the same again changes nothing."""
    bureau = bureau_of(stage)
    bureau.library.add(PAYOUT)
    since = stage.town.months[0]
    for place, flat in enumerate(flats):
        category, person = CATEGORIES[place % len(CATEGORIES)]
        bureau.decide(
            {
                "type": "compensation",
                "account": flat.account,
                "number": f"demo-{place + 1}",
                "decided": f"{since}-01",
                "category": category,
                "person": person,
                "since": str(since),
            }
        )


def grant(stage: Stage, period: Period) -> list[Item]:
    """Posts what the month's cases are due; all requests of the month, those of a play broken off before too."""
    bureau = bureau_of(stage)
    # What is granted lasts by the chain's clock; what is owed is as the town's months have it.
    day = datetime.fromtimestamp(stage.town.starts_at, UTC).date()
    Posting(bureau, stage.inbox).post(period, now=stage.opened_at, on=day, act=f"benefits for {period}")
    found = (stage.inbox.by_key(GrantsRequest.kind, batch) for batch in bureau.records.batches(period))
    return [item for item in found if item is not None]
