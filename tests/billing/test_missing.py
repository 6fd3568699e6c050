"""The list of what a month lacks against mending it one thing at a time, as an office without the list would."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from billing.domain.household import AccountMonth
from billing.domain.missing import missing_of
from billing.domain.services import charge_account
from billing.domain.tariff import Kind, NoTariff, TariffSet, Version
from contracts.wire.ids import Service
from tests.billing.builders import month_of
from tests.billing.cases import cases
from tests.billing.test_common import COMPANY, flat, house, rules, t1

MONTHS = dict(cases())


def one_by_one(month: AccountMonth, kept: list[Version], lost: list[Version]) -> set[tuple[Kind, Service]]:
    """What stops the month, when each time all that was lost of the kind and service named is put back."""
    named: set[tuple[Kind, Service]] = set()
    while True:
        try:
            charge_account(replace(month, tariffs=TariffSet(kept)))
        except NoTariff as error:
            lacks = error.kind, error.service
            assert lacks not in named
            named.add(lacks)
            back = [v for v in lost if (v.document.kind, v.document.service) == lacks]
            kept = [*kept, *back]
        else:
            return named


def words(lacks: set[tuple[Kind, Service]]) -> set[str]:
    return {f"no {kind} for {service.name.lower()} in" for kind, service in lacks}


@pytest.mark.parametrize("seed", range(120))
def test_the_list_is_what_mending_one_at_a_time_would_come_to(seed: int) -> None:
    chance = random.Random(seed)
    month = MONTHS[chance.choice(sorted(MONTHS))]
    versions = month.tariffs.versions
    kinds = sorted({(v.document.kind, v.document.service) for v in versions})
    gone = {lacks for lacks in kinds if chance.random() < 0.4}
    kept = [v for v in versions if (v.document.kind, v.document.service) not in gone]
    lost = [v for v in versions if (v.document.kind, v.document.service) in gone]
    found = missing_of(replace(month, tariffs=TariffSet(kept)))
    expected = words(one_by_one(month, kept, lost))
    assert {one for one in expected if any(why.startswith(one) for why in found)} == expected
    assert len(found) == len(expected), found


def test_a_month_that_can_be_charged_lacks_nothing() -> None:
    assert [name for name, month in MONTHS.items() if missing_of(month)] == []


def test_the_norm_of_the_common_property_is_on_the_list() -> None:
    tariffs = rules("carry", "norm")
    kept = TariffSet([v for v in tariffs.versions if v.document.kind is not Kind.COMMON_NORM])
    month = flat(t1(volume=None), tariffs=kept, at=house())
    assert [why.split(" in ")[0] for why in missing_of(month)] == ["no common_norm for electricity"]


def test_a_document_that_can_not_be_used_is_on_the_list_beside_what_is_not_there() -> None:
    month = flat(t1(), tariffs=rules("forgiven"), suppliers={**COMPANY, Service.GAS: COMPANY[Service.HOUSING]})
    found = missing_of(month)
    assert any("tariff document rule" in why and "negative and cap" in why for why in found)
    assert any(why.startswith("no tariff for gas") for why in found)
    assert not any("stand-in" in why for why in found)


def test_nothing_is_known_of_a_town_without_a_book() -> None:
    found = missing_of(month_of(tariffs=TariffSet([])))
    assert len([why for why in found if why.startswith("no tariff for")]) == 7
    assert len(set(found)) == len(found)
