"""The drill: one account of a played town is erased, and nothing in the whole home tells of it any more."""

from __future__ import annotations

import base64
import itertools
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

import api.store
import billing.erase
import billing.store
import ledger.erase
import oracle.erase
import scripts.erasing
from api.people import People
from contracts.client.files import FileStore, FirstOf
from contracts.client.keyring import KeyRing
from contracts.wire.files import parse_file
from contracts.wire.ids import BillKey, Hash, KeyId, RunId
from contracts.wire.leaf import Profile, split_reading_blob
from contracts.wire.merkle import leaf_hash, root_of
from contracts.wire.sealed import unseal
from ledger.fsck import check_against_chain, rebuild
from ledger.queries.views import BillView
from ledger.store import database_url, open_database
from scripts.erasing import erase_account
from scripts.town.stage import Stage
from tests.town.played import play

pytestmark = pytest.mark.slow  # the whole drill: plays a town, and kills the erasure five times
ACT = "order 152-1 of the data subject"
KEPT = 48
"""Bytes of a needle that are searched for: more than chance would bring together, less than a page may cut in two."""
SAMPLED_READINGS = 40
KILL_AFTER_S = (0.9, 1.2, 1.4, 1.7, 2.2)


def plaintexts(home: Path, key: KeyId) -> dict[str, list[bytes]]:
    """What the key opens in the served files, by kind."""
    secret = KeyRing(home / "keyring.db").secret(key)
    assert secret is not None
    found: dict[str, list[bytes]] = {"readings": [], "bills": [], "grants": []}
    for kind, party in (("readings", "oracle"), ("bills", "billing"), ("grants", "billing")):
        store = FileStore(home / party / "files")
        for name in store.names(kind):
            lines = parse_file(store.get(kind, name) or b"")[1]
            mine = [line for line in lines if line.key == key and line.sealed is not None]
            found[kind] += [unseal(secret, line.leaf, line.sealed or b"") for line in mine]
    return found


def needles(opened: Mapping[str, list[bytes]], common: bytes) -> list[bytes]:
    """What must be nowhere: salts, bill ids, words of documents and decisions that are not ``common`` to the town,
    values of meters."""
    out: list[bytes] = []
    for plain in opened["bills"]:
        words = [plain[at : at + KEPT] for at in range(64, len(plain) - KEPT, KEPT)]
        own = [word for word in words if word not in common]
        assert len(own) > 10
        out += [plain[:32], plain[32:64], *own]
    for plain in opened["grants"]:
        out += [plain[:32], plain[32 : 32 + KEPT]]
    readings = opened["readings"]
    for blob in readings[:: max(1, len(readings) // SAMPLED_READINGS)]:
        record = split_reading_blob(blob)[1]
        out.append(blob[:32])
        said = blob[-2 - 5 * len(record.values) : -2] if isinstance(record, Profile) else blob[32:]
        out.append(said[:KEPT])
    return out


def spellings(needle: bytes) -> Iterator[bytes]:
    """As bytes, as hex, and as base64 at each of its three offsets."""
    yield needle
    yield needle.hex().encode()
    yield needle.hex().upper().encode()
    for offset in range(3):
        whole = needle[offset:]
        yield base64.b64encode(whole[: len(whole) // 3 * 3])


def found_in(home: Path, wanted: list[bytes]) -> list[tuple[str, bytes]]:
    """Files of the home that hold one of the needles in any spelling."""
    patterns = sorted({spelling for needle in wanted for spelling in spellings(needle)})
    hits = []
    for path in sorted(home.rglob("*")):
        if path.is_file():
            data = path.read_bytes()
            hits += [(str(path.relative_to(home)), pattern) for pattern in patterns if pattern in data]
    return hits


@dataclass
class Drill:
    """What was seen before and after."""

    account: str
    needles: list[bytes]
    before: list[tuple[str, bytes]]
    after: list[tuple[str, bytes]]
    totals: tuple[object, object]
    others: tuple[object, object]
    bills: list[tuple[BillView, list[Hash], int]]
    told: dict[str, Any]
    again: dict[str, Any]
    fsck: int
    leaves_erased: int
    differences: list[str]
    modes: list[str]
    registers: list[object]
    contact: object


def kopeck(stage: Stage, *words: str) -> subprocess.Popen[str]:
    argv = [sys.executable, "-c", "import sys; from scripts.cli.main import app; sys.exit(app())", *words]
    argv += ["--home", str(stage.home.root), "--rpc", stage.running.ports.rpc_url]
    return subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def erase(stage: Stage, account: str) -> dict[str, Any]:
    process = kopeck(stage, "erase", account, "--act", ACT, "--yes", "--json")
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    told: dict[str, Any] = json.loads(out)
    return told


class Killed(BaseException):
    """The process ends here."""


def die_at_every_step(stage: Stage, account: str) -> None:
    """An erasure that dies before it writes its n-th file, and before each party's turn."""

    def dies(*_arguments: object, **_named: object) -> None:
        raise Killed

    def again() -> None:
        with pytest.raises(Killed):
            erase_account(stage.home, account, ACT, lambda: stage.reader.head().timestamp)

    put = FileStore.put
    for allowed in (0, 3, 9):
        with pytest.MonkeyPatch.context() as patch:
            turns = itertools.count()
            patch.setattr(FileStore, "put", lambda *a, turns=turns, n=allowed: dies() if next(turns) >= n else put(*a))
            again()
    steps = (oracle.erase, "erase"), (billing.erase, "erase"), (ledger.erase, "erase")
    for module, name in (*steps, (scripts.erasing, "_forget_sent"), (scripts.erasing, "forget_account")):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module, name, dies)
            again()


def open_files(home: Path) -> list[str]:
    """Databases and folders that others than the owner may enter or read."""
    private = [home, *home.rglob("*.db"), *home.rglob("*.db-wal"), *home.rglob("*.jsonl")]
    private += [path for path in home.iterdir() if path.is_dir()]
    return [str(path.relative_to(home)) for path in private if path.stat().st_mode & 0o077]


def others_of(stage: Stage, account: str) -> dict[str, object]:
    """What the rest of the town sees: documents, ids and salts of its bills."""
    return {
        f"{flat.account} {period}": (bill.key, bill.bill_id, bill.salt, bill.document)
        for period in stage.town.months
        for flat in stage.town.flats
        if flat.account != account
        for bill in [stage.bill(flat.account, period)]
    }


def run_drill(stage: Stage) -> Drill:
    home = stage.home.root
    books = billing.store.open_database(billing.store.database_url(home))
    with books.connect() as connection:
        other = connection.execute(text("select distinct key_id from bills")).scalars().all()
        chosen = connection.execute(text("select account, key_id from grants order by account")).first()
        assert chosen is not None
        account, key = str(chosen.account), bytes(chosen.key_id)
        of_account = {"account": account}
        meters = (
            connection.execute(text("select meter from meters where account = :account"), of_account).scalars().all()
        )
        query = "select chain_run, bill_index from bills join runs on runs.id = run where account = :account"
        places = connection.execute(text(query), of_account).all()
    opened = plaintexts(home, KeyId(key))
    assert all(opened.values()), {kind: len(found) for kind, found in opened.items()}
    common = b"".join(
        plain for one in other if bytes(one) != key for plain in plaintexts(home, KeyId(bytes(one)))["bills"]
    )
    wanted = needles(opened, common)
    before, totals, others = found_in(home, wanted), stage.ledger.totals(), others_of(stage, account)
    die_at_every_step(stage, account)
    for after_s in KILL_AFTER_S:
        process = kopeck(stage, "erase", account, "--act", ACT, "--yes", "--json")
        time.sleep(after_s)
        process.kill()
        process.communicate()
    told = erase(stage, account)
    again = erase(stage, account)
    fsck = kopeck(stage, "fsck")
    shown = fsck.communicate(timeout=120)
    engine = open_database(database_url(home))
    files = FirstOf([FileStore(home / party / "files") for party in ("oracle", "billing")])
    report = rebuild(engine, stage.reader, stage.deployment.first_block, files, KeyRing(home / "keyring.db"))
    differences = [str(x) for x in report.differences] + check_against_chain(engine, stage.reader)
    if fsck.returncode:
        differences += list(shown)
    found: list[tuple[BillView, list[Hash], int]] = []
    for number, index in places:
        run, bill = stage.ledger.run(RunId(number)), stage.ledger.bill(BillKey(RunId(number), index))
        assert run is not None
        assert bill is not None
        assert run.is_indexed
        found.append((bill, stage.ledger.proof(bill.key), run.count))
    return Drill(
        account, wanted, before, found_in(home, wanted), (totals, stage.ledger.totals()),
        (others, others_of(stage, account)), found, told, again, fsck.returncode, report.leaves_erased, differences,
        open_files(home), list(stage.ledger.registers(list(meters), 0, 1 << 40)),
        People(api.store.open_database(api.store.database_url(home))).contact(account),
    )  # fmt: skip


@pytest.fixture(scope="module")
def drill(tmp_path_factory: pytest.TempPathFactory) -> Drill:
    seen: list[Drill] = []
    play(tmp_path_factory.mktemp("erased"), afterwards=lambda stage: seen.append(run_drill(stage)))
    return seen[0]


def test_nothing_in_the_home_tells_of_the_account(drill: Drill) -> None:
    assert {place.split("/")[0] for place, _ in drill.before} >= {"ledger"}  # the search finds what is there
    assert drill.after == []
    assert drill.registers == []
    assert drill.contact is None


def test_billing_keeps_nothing_in_the_clear_even_before(drill: Drill) -> None:
    """But for the words of decisions, which stand in the request until the erasure."""
    served = [(place, word) for place, word in drill.before if place.startswith(("billing/", "oracle/"))]
    assert [(place, word) for place, word in served if b'"decision"' not in word] == []


def test_the_rest_of_the_town_is_as_it_was(drill: Drill) -> None:
    assert drill.totals[0] == drill.totals[1]
    assert drill.others[0] == drill.others[1]


def test_the_rebuild_equals_and_counts_the_leaves_as_erased(drill: Drill) -> None:
    assert drill.differences == []
    assert drill.fsck == 0
    assert drill.leaves_erased > 0


def test_it_says_what_was_erased_under_the_first_act_and_repeats_as_nothing(drill: Drill) -> None:
    assert drill.told["account"] == drill.account
    assert (drill.told["act"], drill.again["act"]) == (ACT, ACT)
    assert drill.again["repeated"] is True
    assert {what for counts in drill.again["gone"].values() for what, number in counts.items() if number} == set()


def test_the_erased_bills_still_prove(drill: Drill) -> None:
    assert drill.bills
    for bill, proof, count in drill.bills:
        assert (bill.document, bill.bill_id, bill.salt) == (None, None, None)
        assert root_of(leaf_hash(bill.blob), bill.key.index, proof, count)


def test_only_the_owner_may_read_the_home(drill: Drill) -> None:
    assert drill.modes == []
