"""Faults of a machine, told apart and named: a clock an hour off, a chain that stands, a disk that is full."""

from __future__ import annotations

import errno
import json
import shutil
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError
from typer.testing import CliRunner

import scripts.keeping.backup
import scripts.keeping.health
from contracts.client.sender import Sender
from contracts.wire.ids import Address
from scripts.cli.main import cli
from scripts.deploy import Settings, deploy
from scripts.home import Home
from scripts.keeping.backup import take_backup
from scripts.keeping.health import Kind, clock_faults, disk_faults
from scripts.town.running import deploy_keys
from tests.client.chain import CHAIN_ID, Node, anvil
from tests.client.conftest import open_engine

HOUR = 3600
BLOCK = 1_767_225_600
TARGET = Address(b"\x42" * 20)


# --- the clock ---


@pytest.mark.parametrize(
    ("off", "synchronised", "kind", "told"),
    [
        (0, None, None, ""),
        (60, False, None, ""),
        (-HOUR, True, Kind.CLOCK, "3600 s behind"),
        (-HOUR, None, Kind.CLOCK, "3600 s behind"),
        (HOUR, True, Kind.STALLED, "the chain makes no blocks"),
        (HOUR, False, Kind.CLOCK, "no time server sets"),
        (HOUR, None, Kind.CLOCK, "no time server sets"),
    ],
)
def test_an_hour_off_and_a_chain_that_stands_are_told_apart(
    off: int, synchronised: bool | None, kind: Kind | None, told: str
) -> None:
    found = list(clock_faults(BLOCK, lambda: BLOCK + off, lambda: synchronised))
    assert [fault.kind for fault in found] == ([kind] if kind else [])
    assert all(told in fault.told for fault in found)


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Node, Home]]:
    with anvil(block_time_s=0.5) as node:
        node.rpc.call("evm_setNextBlockTimestamp", int(time.time()))
        home = Home(tmp_path_factory.mktemp("town"))
        for name in ("billing", "ledger", "oracle", "archive"):
            home.folder(name)
        home.key("relay")
        deploy(node.url, deploy_keys(home), Settings()).save(home.deployment)
        yield node, home


def health(home: Home, url: str) -> tuple[int, list[str]]:
    found = CliRunner().invoke(cli, ["health", "--home", str(home.root), "--rpc", url, "--json"])
    if found.exception is not None and not isinstance(found.exception, SystemExit):
        raise found.exception
    return found.exit_code, [row["fault"] for row in json.loads(found.stdout)]


def test_the_command_names_each_fault_and_only_then_fails(
    town: tuple[Node, Home], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    node, home = town
    # Anvil makes two blocks a second here, each a second after the one before: its clock runs ahead by itself.
    ahead = scripts.keeping.health.last_block_time(node.rpc)
    monkeypatch.setattr(scripts.keeping.health, "MOST_SKEW_S", abs(ahead - time.time()) + 120)
    assert health(home, node.url) == (0, [])
    real = time.time
    with monkeypatch.context() as patched:
        patched.setattr(scripts.keeping.health, "clock_faults", lambda at: clock_faults(at, lambda: real() - HOUR))
        assert health(home, node.url) == (1, ["clock-off"])
    with monkeypatch.context() as patched:
        patched.setattr(scripts.keeping.health, "LEAST_FREE_BYTES", 1 << 60)
        patched.setattr(scripts.keeping.health, "disk_faults", lambda path: disk_faults(path, 1 << 60))
        assert health(home, node.url) == (1, ["disk-full"])
    assert health(home, "http://127.0.0.1:9") == (1, ["node-away"])
    other = Home(tmp_path / "other")
    value = json.loads(home.deployment.read_text())
    other.deployment.write_text(json.dumps(value | {"chain_id": 5}))
    assert health(other, node.url) == (1, ["other-chain"])


# --- the disk ---


def cap(engine: Engine, pages: int) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")


def test_a_sender_on_a_full_disk_says_so_and_goes_on_once_there_is_room(
    town: tuple[Node, Home], tmp_path: Path
) -> None:
    """SQLite's own limit of pages stands for the disk: it raises the same error, SQLITE_FULL, at the same places."""
    node, _ = town
    engine = open_engine(tmp_path / "sender.db")
    ours = Sender(engine, node.rpc, CHAIN_ID, b"\x71" * 32)
    ours.submit("before", TARGET, b"before", 60_000)
    ours.wait("before")
    cap(engine, 1)
    taken = 0
    submits = (ours.submit(f"n{n}", TARGET, bytes(2000) + bytes((n,)), 200_000) for n in range(200))
    with pytest.raises(OperationalError, match="database or disk is full"):
        for taken, _ in enumerate(submits, 1):  # noqa: B007  which one fails is the disk's to say
            pass
    cap(engine, 1_000_000)
    again = Sender(engine, node.rpc, CHAIN_ID, b"\x71" * 32)
    for number in range(taken + 1):
        again.submit(f"n{number}", TARGET, bytes(2000) + bytes((number,)), 200_000)
    for number in range(taken + 1):
        assert again.wait(f"n{number}").success
    count = int(node.rpc.call("eth_getTransactionCount", "0x" + again.address.hex(), "latest"), 16)
    assert count == taken + 2, "each once"


def test_a_backup_that_runs_out_of_disk_leaves_nothing_under_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = Home(tmp_path / "town")
    home.deployment.write_text("{}")
    with sqlite3.connect(home.folder("parties") / "bank.db") as database:
        database.execute("CREATE TABLE n (v INTEGER)")
    (home.folder("billing") / "big").write_bytes(bytes(1000))

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(shutil, "copyfileobj", full)
        with pytest.raises(OSError, match="No space left"):
            take_backup(home, tmp_path / "data", tmp_path / "keys")
    assert {path.name for path in tmp_path.iterdir()} == {"town"}
    take_backup(home, tmp_path / "data", tmp_path / "keys")
