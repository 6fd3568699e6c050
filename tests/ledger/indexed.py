"""A ledger that follows the test's town."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Engine

from contracts.client.files import FileStore
from ledger.errors import ChainMoved
from ledger.follow import Follower
from ledger.fsck import check_against_chain, rebuild
from ledger.ingest import Ingestor
from ledger.queries import Ledger
from ledger.store import open_database
from tests.ledger.town import Town


class Indexed:
    """Database, follower and copies of files in one folder."""

    def __init__(self, town: Town, folder: Path) -> None:
        self.town = town
        self.engine: Engine = open_database(f"sqlite:///{folder / 'ledger.db'}")
        self.follower = Follower(self.engine, town.reader, town.reader.deployment.first_block)
        self.ingestor = Ingestor(self.engine, FileStore(folder / "copies"), town.files, town.keys)
        self.ledger = Ledger(self.engine, town.keys)

    def sync(self) -> Ledger:
        """Follows to the head and takes the files that can be had."""
        while True:
            try:
                self.follower.catch_up()
                break
            except ChainMoved:
                continue
        self.ingestor.run(is_patient=False)
        return self.ledger

    def assert_right(self) -> None:
        """Equal to the contracts and to a rebuild; and no kopeck lost."""
        assert check_against_chain(self.engine, self.town.reader) == []
        town = self.town
        report = rebuild(self.engine, town.reader, town.reader.deployment.first_block, town.files, town.keys)
        assert report.differences == ()
        assert report.is_sound, report.alarms
        assert self.ledger.totals().is_conserved
        assert self.ledger.faults() == []
