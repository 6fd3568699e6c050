"""What earlier events made known and later ones need: read back from the facts before each batch of blocks."""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlalchemy import Connection, func, select

from contracts.wire.ids import Address
from ledger.errors import SequenceBroken, UnknownName
from ledger.models import batches, grant_batches, head_jumps, payouts


@dataclass
class Known:
    """Payout wallets by supplier, welfare wallets by grant batch, and where each source's chain stands."""

    wallet_of_supplier: dict[int, bytes] = field(default_factory=dict)
    wallet_of_grants: dict[int, bytes] = field(default_factory=dict)
    chain_of_source: dict[int, tuple[int, int]] = field(default_factory=dict)

    @classmethod
    def read(cls, connection: Connection) -> Known:
        """As the facts in the database leave it."""
        known = cls()
        place = payouts.c.block_number, payouts.c.log_index
        for row in connection.execute(select(payouts.c.supplier, payouts.c.wallet).order_by(*place)):
            known.wallet_of_supplier[row.supplier] = row.wallet
        posted = select(grant_batches.c.batch, grant_batches.c.wallet)
        known.wallet_of_grants = {row.batch: row.wallet for row in connection.execute(posted)}
        for table in (batches, head_jumps):
            t = table.c
            latest = select(t.source, t.epoch, func.max(t.sequence)).group_by(t.source, t.epoch)
            for source, epoch, sequence in connection.execute(latest):
                known.chain_of_source[source] = max((epoch, sequence), known.chain_of_source.get(source, (0, 0)))
        return known

    def payout(self, supplier: int, block_number: int) -> Address:
        """Where a supplier's money goes now. Raises UnknownName."""
        try:
            return Address(self.wallet_of_supplier[supplier])
        except KeyError:
            raise UnknownName("supplier", supplier, block_number) from None

    def welfare(self, batch: int, block_number: int) -> Address:
        """Whose money a batch of grants is. Raises UnknownName."""
        try:
            return Address(self.wallet_of_grants[batch])
        except KeyError:
            raise UnknownName("grant batch", batch, block_number) from None

    def follow_chain(self, source: int, found: tuple[int, int], block_number: int) -> None:
        """Takes a batch's (epoch, sequence), which must be the next of its source (design invariant 4).

        Raises SequenceBroken.
        """
        epoch, sequence = self.chain_of_source.get(source, (0, 0))
        if found != (epoch, sequence + 1):
            raise SequenceBroken(source, (epoch, sequence + 1), found, block_number)
        self.chain_of_source[source] = found
