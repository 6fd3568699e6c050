"""Documents of help for tests: those that ship, and small ones of our own."""

from __future__ import annotations

from billing.welfare.library import shipped
from billing.welfare.reference import Book, Sheet, parse_sheet


def sheet(name: str, kind: str, **body: object) -> Sheet:
    head = {"name": name, "kind": kind, "area": "here", "act": f"act of {name}", "effective_from": "2000-01-01"}
    return parse_sheet({**head, "checked": True, **body})


def subsistence(roubles: str, area: str = "here", **fields: object) -> Sheet:
    return sheet(f"subsistence {roubles} {area}", "subsistence", area=area, roubles={"anyone": roubles}, **fields)


def standard(*roubles: str, tenure: str = "owner", **fields: object) -> Sheet:
    return sheet(f"cost {tenure}", "cost-standard", tenure=tenure, roubles_per_person=list(roubles), **fields)


def share_limit(*bands: tuple[str | None, str]) -> Sheet:
    return sheet("share", "share-limit", bands=[{"below": below, "share": share} for below, share in bands])


def rules(**switches: object) -> Sheet:
    values: dict[str, object] = {
        "term_months": 6,
        "next_month_from_day": 16,
        "lowers_share_below_subsistence": True,
        "is_capped_by_expense": True,
        "follows_new_standards": True,
        "debt_blocks": True,
        "debt_years": 3,
    }
    return sheet("rules", "subsidy-rules", **{**values, **switches})


def area_norm(*household: str, per_person: str | None = None) -> Sheet:
    return sheet("area norm", "area-norm", household_m2=list(household), per_person_m2=per_person)


def category(covers: str = "family", code: str = "code", **services: tuple[str, str]) -> Sheet:
    rows = {name: {"share": share, "within": within} for name, (share, within) in services.items()}
    return sheet(f"category {code}", "category", code=code, level="regional", covers=covers, services=rows)


def payout(compensation: str = "bill", subsidy: str = "bill") -> Sheet:
    return sheet("payout", "payout", compensation=compensation, subsidy=subsidy, grant_valid_days=180)


def shipped_book(*more: Sheet) -> Book:
    return Book([*(parse_sheet(value) for value in shipped()), *more])
