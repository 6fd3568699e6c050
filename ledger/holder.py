"""A second, independent holder of readings: keeps each anchored file, recomputes its root, and says so on chain.

    python -m ledger.holder --home DIR --rpc URL [--oracle-url URL]

It opens nothing and holds no key of records. Its folder is DIR/archive; its key holder-archive.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import structlog
from sqlalchemy import Column, Engine, Integer, LargeBinary, MetaData, Table, insert, select, update

from contracts.client.files import AccessDenied, FileSource, FileStore, SourceUnreachable
from contracts.client.reader import Reader
from contracts.client.rpc import NodeError
from contracts.client.schema import Schema
from contracts.client.sender import Sender, TransactionRefused
from contracts.wire.events import Anchored
from contracts.wire.files import FileError, parse_file
from contracts.wire.ids import Hash
from ledger.acknowledge import Acknowledger
from ledger.process import POLL_S, Setting, run_to_the_end
from ledger.store import connect

RETRY_S = 2.0

metadata = MetaData()
SCHEMA = Schema("holder", metadata, Path(__file__).parent / "migrations" / "holder")
_files = Table(
    "archived",
    metadata,
    Column("root", LargeBinary(32), primary_key=True),
    Column("leaves", Integer, nullable=False),
    Column("is_kept", Integer, nullable=False),
)
"""Files of readings that the chain names; kept ones are in the folder, their roots recomputed."""
_seen = Table("archive_seen", metadata, Column("block_number", Integer, primary_key=True, autoincrement=False))
"""One row: the final block up to which every anchor is in ``archived``."""

log = structlog.get_logger(__name__)


class Archive:
    """Keeps files of readings. Blocks that are not final are looked through again, so a reorg needs no rollback."""

    def __init__(
        self,
        engine: Engine,
        reader: Reader,
        source: FileSource,
        store: FileStore,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        SCHEMA.bring_up(engine)
        self._engine = engine
        self._reader = reader
        self._source = source
        self._store = store
        self._clock = clock
        self._retry_at: dict[Hash, float] = {}
        self._last_head: Hash | None = None

    def look(self) -> None:
        """Notes the roots anchored since the last look. Raises NodeError."""
        head, finalized = self._reader.head(), self._reader.finalized()
        if head.hash == self._last_head:
            return
        with self._engine.begin() as connection:
            seen = connection.execute(select(_seen.c.block_number)).scalar()
            known = set(connection.execute(select(_files.c.root)).scalars())
        first = self._reader.deployment.first_block if seen is None else seen + 1
        named = {e.root: e.count for e in self._reader.events(first, head.number) if isinstance(e, Anchored)}
        with self._engine.begin() as connection:
            for root, leaves in named.items():
                if root not in known:
                    connection.execute(insert(_files).values(root=root, leaves=leaves, is_kept=0))
            final = max(finalized.number, seen or 0)
            if seen is None:
                connection.execute(insert(_seen).values(block_number=final))
            else:
                connection.execute(update(_seen).values(block_number=final))
        self._last_head = head.hash

    def fetch(self) -> list[Hash]:
        """Fetches what is missing and can be had; gives the roots that are kept from now on."""
        with self._engine.begin() as connection:
            wanted = connection.execute(select(_files).where(_files.c.is_kept == 0)).all()
        kept: list[Hash] = []
        for row in wanted:
            root = Hash(row.root)
            if self._retry_at.get(root, 0.0) > self._clock():
                continue
            try:
                self._keep(root, row.leaves)
            except (FileError, SourceUnreachable, AccessDenied) as error:
                self._retry_at[root] = self._clock() + RETRY_S
                log.warning("file not to be had", root="0x" + root.hex(), reason=str(error))
                continue
            self._retry_at.pop(root, None)
            kept.append(root)
        return kept

    def kept(self) -> list[Hash]:
        """Roots of all files that are kept."""
        with self._engine.begin() as connection:
            return [Hash(r) for r in connection.execute(select(_files.c.root).where(_files.c.is_kept == 1)).scalars()]

    def _keep(self, root: Hash, leaves: int) -> None:
        data = self._store.get("readings", root) or self._source.get("readings", root)
        if data is None:
            raise FileError("nobody serves it yet")
        _, lines = parse_file(data, root)
        if len(lines) != leaves:
            raise FileError(f"the chain says {leaves} leaves, the file has {len(lines)}")
        self._store.put("readings", root, data)
        with self._engine.begin() as connection:
            connection.execute(update(_files).where(_files.c.root == root).values(is_kept=1))


def run(setting: Setting) -> None:
    """Runs until told to stop."""
    folder: Path = setting.home / "archive"
    engine = connect(f"sqlite:///{folder / 'archive.db'}")
    reader = setting.reader
    sender = Sender(engine, reader.rpc, reader.deployment.chain_id, setting.signer("holder-archive"))
    archive = Archive(engine, reader, setting.files, FileStore(folder / "files"))
    acknowledger = Acknowledger(engine, sender, reader.deployment.addresses["ReadingAnchor"])
    acknowledger.offer(archive.kept())
    is_away = False
    while not setting.stop.is_set():
        try:
            archive.look()
            if kept := archive.fetch():
                acknowledger.offer(kept)
            acknowledger.tick()
            is_away = False
        except (NodeError, TransactionRefused) as error:
            if not is_away:
                log.warning("node away; going on once it is back", reason=str(error))
            is_away = True
        setting.stop.wait(POLL_S)


def main(argv: Sequence[str] | None = None) -> None:
    """The command line."""
    run_to_the_end(run, "ledger.holder", "An independent holder of readings.", argv)


if __name__ == "__main__":
    main()
