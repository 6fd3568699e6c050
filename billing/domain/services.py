"""One rule for each service: from an account's month to a charged line. A new rule is one function and one row."""

from __future__ import annotations

from collections.abc import Callable

from billing.domain.boiler import hot_water
from billing.domain.by_area import capital_repair, solid_waste
from billing.domain.charge import ChargedLine
from billing.domain.common import with_common_needs
from billing.domain.electricity import electricity
from billing.domain.gas import gas
from billing.domain.heating import heating
from billing.domain.household import AccountMonth
from billing.domain.housing import housing
from billing.domain.recalculations import recalculated
from billing.domain.water import cold_water, sewage
from contracts.wire.ids import Service

Rule = Callable[[AccountMonth], ChargedLine | None]

RULES: dict[Service, Rule] = {
    Service.COLD_WATER: cold_water,
    Service.HOT_WATER: hot_water,
    Service.SEWAGE: sewage,
    Service.ELECTRICITY: electricity,
    Service.GAS: gas,
    Service.HEATING: heating,
    Service.SOLID_WASTE: solid_waste,
    Service.CAPITAL_REPAIR: capital_repair,
    Service.HOUSING: housing,
}


def charge_account(month: AccountMonth) -> list[ChargedLine]:
    """All lines of an account for a period, in the order of the services; services without a supplier give none."""
    lines = [rule(month) for service, rule in RULES.items() if service in month.suppliers]
    shared = with_common_needs(month, [line for line in lines if line is not None])
    return [recalculated(month, line) for line in shared]
