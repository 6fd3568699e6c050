"""The mark that a printed receipt carries as a QR: it holds no capsule, but no other bill's capsule fits it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from contracts.wire.capsule import Capsule
from contracts.wire.ids import Address, BillKey, Hash, address_text
from contracts.wire.merkle import leaf_hash

_MARK = re.compile(r"KOPECK1 (\d{1,19}) ([0-9A-F]{40}) (\d{1,10}-\d{1,10}) ([0-9A-F]{64})")


class OtherBill(ValueError):
    """The capsule is not of the bill on the paper."""

    def __init__(self, mark: Mark, key: BillKey) -> None:
        super().__init__(
            f"the paper is of bill {mark.key} (Settlement {address_text(mark.settlement)}), the capsule of another, "
            f"{key}; ask for the capsule of the bill on the paper"
        )


@dataclass(frozen=True, slots=True)
class Mark:
    """Which bill of which town: chain, Settlement, bill, leaf. Upper case and digits, so that the QR stays small."""

    chain_id: int
    settlement: Address
    key: BillKey
    leaf: Hash

    @property
    def text(self) -> str:
        """What the QR says: about 130 letters."""
        return f"KOPECK1 {self.chain_id} {self.settlement.hex()} {self.key} {self.leaf.hex()}".upper()

    @classmethod
    def parse(cls, text: str) -> Mark:
        """The mark that a QR says. Raises ValueError."""
        found = _MARK.fullmatch(text.strip())
        if found is None:
            raise ValueError(f"not a mark of a bill: {text[:40]!r}; scan the QR that begins with KOPECK1")
        chain, settlement, key, leaf = found.groups()
        return cls(int(chain), Address(bytes.fromhex(settlement)), BillKey.parse(key), Hash(bytes.fromhex(leaf)))

    @classmethod
    def of(cls, capsule: Capsule) -> Mark:
        """The mark of a capsule's bill."""
        point = capsule.cosigned.checkpoint
        return cls(point.chain_id, point.settlement, capsule.key, leaf_hash(capsule.blob))

    def check(self, capsule: Capsule) -> None:
        """Raises OtherBill where the capsule is not of the marked bill."""
        if Mark.of(capsule) != self:
            raise OtherBill(self, capsule.key)
