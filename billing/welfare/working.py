"""How a sum of help came about: a formula, its exact inputs, the documents behind it; the shape of a bill's part."""

from __future__ import annotations

from dataclasses import dataclass

from billing.domain.charge import Input
from billing.welfare.reference import Sheet

ROUNDING = "half up to the kopeck, once"


@dataclass(frozen=True, slots=True)
class Working:
    """One sum that was rounded once. ``formula`` is ``P = `` and an expression over the symbols of ``inputs``, in
    roubles; ``amount_kopecks`` is its value times 100, half up."""

    kind: str
    formula: str
    act: str
    inputs: tuple[Input, ...]
    sheets: tuple[Sheet, ...]
    amount_kopecks: int

    def explain(self) -> dict[str, object]:
        """Whole numbers and text, so that the sum can be recomputed from this alone."""
        return {
            "kind": self.kind,
            "formula": self.formula,
            "act": self.act,
            "inputs": [{"symbol": i.symbol, "value": i.value, "unit": i.unit} for i in self.inputs],
            "documents": [
                {
                    "document": "0x" + sheet.hash.hex(),
                    "name": sheet.name,
                    "kind": sheet.kind.value,
                    "act": sheet.act,
                    "checked": sheet.is_checked,
                }
                for sheet in self.sheets
            ],
            "rounding": ROUNDING,
            "amount_kopecks": self.amount_kopecks,
        }
