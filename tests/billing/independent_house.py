"""A house's payments worked out from the words of the act alone, in decimals: no line of the engine's code is here.

ПП РФ № 354, приложение 2, ф. 3, 3(3), 10, 12–15, 18–20. Volumes in natural units, money in roubles as text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal, localcontext


@dataclass(frozen=True)
class Flat:
    """A dwelling: its area, m², how many live there, and what its own meter counted (None: it has none)."""

    area: Decimal
    persons: int
    own: Decimal | None


def roubles(value: Decimal) -> Decimal:
    """Half up to the kopeck, as arithmetic is taught."""
    return value.quantize(Decimal("0.01"), rounding=ROUND_HALF_UP)


def heating(flats: Sequence[Flat], house: Decimal, rate: Decimal) -> list[Decimal]:
    """Ф. 3 and 3(3): a flat pays its own heat and its share by area of what no flat accounts for. A flat with no meter
    is taken to be as warm, metre for metre, as those with one, on the average; with no meter in any, all goes by area.
    """
    with localcontext() as context:
        context.prec = 60
        whole = sum((flat.area for flat in flats), Decimal(0))
        metered = [flat for flat in flats if flat.own is not None]
        if not metered:
            return [roubles(flat.area * house / whole * rate) for flat in flats]
        warmth = sum((flat.own or Decimal(0) for flat in metered), Decimal(0)) / sum(flat.area for flat in metered)
        heats = [flat.area * warmth if flat.own is None else flat.own for flat in flats]
        beyond = house - sum(heats, Decimal(0))
        shares = [heat + flat.area * beyond / whole for heat, flat in zip(heats, flats, strict=True)]
        return [roubles(max(share, Decimal(0)) * rate) for share in shares]


def common(flats: Sequence[Flat], house: Decimal, rate: Decimal, spread: str) -> list[Decimal]:
    """Ф. 12 with ф. 10 where something is left over for the common property; where flats used more than came into the
    house, ф. 13 (``spread`` is ``area``) or ф. 14 (``persons``) takes the surplus off them, no more than they used.
    """
    with localcontext() as context:
        context.prec = 60
        left = house - sum((flat.own or Decimal(0) for flat in flats), Decimal(0))
        whole, people = sum(flat.area for flat in flats), sum(flat.persons for flat in flats)
        out = []
        for flat in flats:
            if left >= 0:
                out.append(roubles(left * flat.area / whole * rate))
                continue
            share = flat.area / whole if spread == "area" else Decimal(flat.persons) / people
            out.append(-roubles(min(-left * share, flat.own or Decimal(0)) * rate))
        return out


def common_by_norm(flats: Sequence[Flat], norm: Decimal, common_area: Decimal, rate: Decimal) -> list[Decimal]:
    """Ф. 15 with ф. 10: the norm for the common property's area, by the areas of the premises."""
    with localcontext() as context:
        context.prec = 60
        whole = sum(flat.area for flat in flats)
        return [roubles(norm * common_area * flat.area / whole * rate) for flat in flats]


def boiler_heating(flats: Sequence[Flat], fuels: Mapping[str, tuple[Decimal, Decimal]]) -> list[list[Decimal]]:
    """Ф. 18, 19: each resource (how much of it, its price) by area; the sums of each flat in the order of ``fuels``."""
    with localcontext() as context:
        context.prec = 60
        whole = sum(flat.area for flat in flats)
        return [[roubles(taken / whole * flat.area * price) for taken, price in fuels.values()] for flat in flats]


def boiler_hot_water(
    flats: Sequence[Flat], cold: Decimal, fuels: Mapping[str, tuple[Decimal, Decimal]]
) -> list[list[Decimal]]:
    """Ф. 20: the water itself, and each resource that warmed it by how much of the hot water a flat used."""
    with localcontext() as context:
        context.prec = 60
        used = [flat.own or Decimal(0) for flat in flats]
        whole = sum(used, Decimal(0))
        return [
            [roubles(own * cold), *(roubles(taken * own / whole * price) for taken, price in fuels.values())]
            for own in used
        ]
