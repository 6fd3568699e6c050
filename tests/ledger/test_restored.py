"""A ledger restored from yesterday is caught up from the chain, and equals a rebuild."""

from __future__ import annotations

from pathlib import Path

from scripts.home import Home
from scripts.keeping.backup import restore, take_backup
from tests.ledger.indexed import Indexed
from tests.ledger.test_indexing import posted, two_suppliers
from tests.ledger.town import Town


def test_the_day_after_the_backup_comes_back_from_the_chain(town: Town, tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.deployment.write_text("{}")
    (home.root / "keyring.db").touch()
    indexed = Indexed(town, home.folder("ledger"))
    two_suppliers(town)
    town.mint("agent", 100_000, "d1")
    run = posted(town, ((1, 500), (2, 600)), ((1, 700), (2, 800)))
    town.pay("agent", run, 0)
    indexed.sync()
    take_backup(home, tmp_path / "data", tmp_path / "keys")
    town.pay("agent", run, 1)
    today = indexed.sync().totals()
    indexed.engine.dispose()

    restore(home, tmp_path / "data", None)
    yesterday = Indexed(town, home.folder("ledger"))
    assert yesterday.ledger.totals() != today
    assert yesterday.sync().totals() == today
    yesterday.assert_right()
