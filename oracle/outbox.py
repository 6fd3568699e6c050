"""A source's durable outbox: every batch is on disk, with its place in the chain, before it is sent.

Sequence and head advance in the commit that keeps the batch, so a kill never signs one sequence twice. Signatures are
made when a batch is sent: after a rotation the same headers go out under the new key.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Engine,
    Integer,
    LargeBinary,
    MetaData,
    Row,
    String,
    Table,
    UniqueConstraint,
    delete,
    insert,
    select,
    update,
)

from contracts.client.erasing import fold_log
from contracts.client.schema import Schema
from contracts.wire.ids import NO_HASH, Hash, SourceId
from contracts.wire.leaf import Record, reading_blob
from contracts.wire.merkle import leaf_hash
from contracts.wire.typed_data import BatchHeader
from oracle.batch import NO_BATCH, ChainHead, make_header
from oracle.schema import open_engine

metadata = MetaData()
SCHEMA = Schema("outbox", metadata, Path(__file__).parent / "migrations" / "outbox")

_outbox = Table(
    "outbox",
    metadata,
    Column("epoch", Integer, primary_key=True),
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("previous", LargeBinary(24), nullable=False),
    Column("head", LargeBinary(24), nullable=False),
    Column("root", LargeBinary(32), nullable=False),
    Column("leaf_count", BigInteger, nullable=False),
    Column("period_start", BigInteger, nullable=False),
    Column("period_end", BigInteger, nullable=False),
    Column("document", LargeBinary(32), nullable=False),
    Column("item", String(200), nullable=False),
    Column("taken", Boolean, nullable=False, default=False),
    Column("blobs", LargeBinary, nullable=True),
    UniqueConstraint("item"),
)
_position = Table(
    "position",
    metadata,
    Column("source", BigInteger, primary_key=True, autoincrement=False),
    Column("epoch", Integer, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("head", LargeBinary(24), nullable=False),
)


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A batch of the outbox. ``blobs`` is None once the batch stands on the chain: the oracle keeps the leaves."""

    header: BatchHeader
    item: str
    blobs: tuple[bytes, ...] | None


class Outbox:
    """The outbox of one source. One process."""

    def __init__(self, path: Path, source: SourceId) -> None:
        self._engine: Engine = open_engine(f"sqlite:///{path}")
        self._source = source
        SCHEMA.bring_up(self._engine)

    def close(self) -> None:
        """Lets go of the file."""
        self._engine.dispose()

    def append(
        self, item: str, records: Sequence[Record], period: tuple[int, int], document: Hash = NO_HASH
    ) -> BatchHeader:
        """Keeps records as the next batch. ``item`` names what they are; the same item again changes nothing."""
        blobs = [reading_blob(secrets.token_bytes(32), record) for record in records]
        with self._engine.begin() as connection:
            known = connection.execute(select(_outbox).where(_outbox.c.item == item)).first()
            if known is not None:
                return self._outgoing(known).header
            return self._append(connection, item, blobs, period, document)

    def position(self) -> ChainHead:
        """The last batch that the outbox holds or held."""
        with self._engine.begin() as connection:
            return self._at(connection)

    def go_on_from(self, head: ChainHead, lost: Collection[bytes] = ()) -> None:
        """Takes over a head that is not this outbox's last (restored from a backup, or a declared epoch).

        What was not sent, and what was taken but is ``lost`` (by its heads), goes behind it in its order.
        """
        with self._engine.begin() as connection:
            held = select(_outbox).where(_outbox.c.blobs.is_not(None)).order_by(_outbox.c.epoch, _outbox.c.sequence)
            rows = [row for row in connection.execute(held) if not row.taken or bytes(row.head) in lost]
            moved = [self._outgoing(row) for row in rows]
            for row in rows:
                connection.execute(delete(_outbox).where(_outbox.c.head == row.head))
            self._move(connection, head)
            for out in moved:
                header = out.header
                period = (header.period_start, header.period_end)
                self._append(connection, out.item, list(out.blobs or ()), period, header.document)

    def held(self) -> set[bytes]:
        """Heads of the batches that the oracle took and whose leaves are still here."""
        with self._engine.begin() as connection:
            query = select(_outbox.c.head).where(_outbox.c.blobs.is_not(None), _outbox.c.taken.is_(True))
            return {bytes(head) for head in connection.scalars(query)}

    def forget_up_to(self, epoch: int, sequence: int) -> None:
        """What was taken up to here stands on the chain: its leaves need not be kept."""
        anchored = (_outbox.c.epoch < epoch) | ((_outbox.c.epoch == epoch) & (_outbox.c.sequence <= sequence))
        with self._engine.begin() as connection:
            connection.execute(
                update(_outbox)
                .where(_outbox.c.blobs.is_not(None), _outbox.c.taken.is_(True), anchored)
                .values(blobs=None)
            )

    @staticmethod
    def forget_in(path: Path, roots: Collection[Hash]) -> int:
        """Drops the kept leaves of taken batches with these roots: their account was erased. How many batches."""
        engine = open_engine(f"sqlite:///{path}")
        SCHEMA.bring_up(engine)
        forgotten = 0
        with engine.begin() as connection:
            kept = select(_outbox.c.root).where(_outbox.c.blobs.is_not(None), _outbox.c.taken.is_(True))
            for root in set(map(bytes, connection.execute(kept).scalars())) & set(roots):
                connection.execute(update(_outbox).where(_outbox.c.root == root).values(blobs=None))
                forgotten += 1
        fold_log(engine)
        engine.dispose()
        return forgotten

    def unsent(self, limit: int = 16) -> list[Outgoing]:
        """The oldest batches without a receipt."""
        query = select(_outbox).where(_outbox.c.taken.is_(False)).order_by(_outbox.c.epoch, _outbox.c.sequence)
        with self._engine.begin() as connection:
            return [self._outgoing(row) for row in connection.execute(query.limit(limit))]

    def find(self, sequence: int) -> Outgoing | None:
        """The batch of a sequence in the present epoch, sent or not."""
        with self._engine.begin() as connection:
            epoch = self._at(connection).epoch
            row = connection.execute(
                select(_outbox).where(_outbox.c.epoch == epoch, _outbox.c.sequence == sequence)
            ).first()
        return None if row is None else self._outgoing(row)

    def settle(self, header: BatchHeader) -> None:
        """The oracle has it; its leaves are kept until it stands on the chain."""
        with self._engine.begin() as connection:
            connection.execute(update(_outbox).where(_outbox.c.head == header.head()).values(taken=True))

    def items(self, prefix: str) -> list[str]:
        """The names of what was appended that start with ``prefix``."""
        with self._engine.begin() as connection:
            query = select(_outbox.c.item).where(_outbox.c.item.startswith(prefix, autoescape=True))
            return list(connection.scalars(query))

    def _append(
        self,
        connection: Connection,
        item: str,
        blobs: list[bytes],
        period: tuple[int, int],
        document: Hash,
    ) -> BatchHeader:
        header = make_header(self._source, self._at(connection), list(map(leaf_hash, blobs)), period, document)
        connection.execute(
            insert(_outbox).values(
                epoch=header.epoch,
                sequence=header.sequence,
                previous=header.previous,
                head=header.head(),
                root=header.root,
                leaf_count=header.count,
                period_start=header.period_start,
                period_end=header.period_end,
                document=header.document,
                item=item,
                taken=False,
                blobs=_join(blobs),
            )
        )
        self._move(connection, ChainHead(header.epoch, header.sequence, header.head()))
        return header

    def _at(self, connection: Connection) -> ChainHead:
        row = connection.execute(select(_position).where(_position.c.source == self._source)).first()
        return NO_BATCH if row is None else ChainHead(row.epoch, row.sequence, bytes(row.head))

    def _move(self, connection: Connection, head: ChainHead) -> None:
        connection.execute(delete(_position).where(_position.c.source == self._source))
        connection.execute(
            insert(_position).values(source=self._source, epoch=head.epoch, sequence=head.sequence, head=head.head)
        )

    def _outgoing(self, row: Row[tuple[object, ...]]) -> Outgoing:
        header = BatchHeader(
            self._source,
            row.epoch,
            row.sequence,
            bytes(row.previous),
            Hash(bytes(row.root)),
            row.leaf_count,
            row.period_start,
            row.period_end,
            Hash(bytes(row.document)),
        )
        return Outgoing(header, row.item, None if row.blobs is None else _split(row.blobs))


def _join(blobs: Sequence[bytes]) -> bytes:
    return b"".join(len(blob).to_bytes(4, "big") + blob for blob in blobs)


def _split(data: bytes) -> tuple[bytes, ...]:
    out: list[bytes] = []
    offset = 0
    while offset < len(data):
        size = int.from_bytes(data[offset : offset + 4], "big")
        out.append(data[offset + 4 : offset + 4 + size])
        offset += 4 + size
    return tuple(out)
