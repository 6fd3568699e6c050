"""One small town, played once on a real Anvil, laid open as a bundle beside everything that its node said."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from billing.inbox import State
from billing.requests import GrantItem, GrantsRequest, PayOrder, RefundOrder
from contracts.client.files import FileStore
from contracts.client.keyring import KeyRing
from contracts.wire.checkpoint import Cosignature, Cosigned
from contracts.wire.erasure import sign_erasure
from contracts.wire.files import LeafLine, encode_file, parse_file
from contracts.wire.ids import BillKey, KeyId, MeterId, Service
from contracts.wire.leaf import RegisterReading
from contracts.wire.typed_data import Purpose, address_of
from contracts.wire.units import Unit
from ledger.checkpoints import final_checkpoint
from scripts.audit.audit import Result, audit
from scripts.audit.bundle import Bundle
from scripts.audit.checkpoints import Quorum
from scripts.audit.export import export_bundle, keys_named, named_files
from scripts.audit.node import Node
from tests.audit.town import PublishedTown, Recorded, Recording
from tests.billing.scenes import FEBRUARY, JANUARY, billed, billed_again, correct, pay_all
from tests.billing.stage import Stage
from tests.client.chain import anvil
from tests.ledger.indexed import Indexed
from tests.ledger.town import bytes_of, key_of

GONE = KeyId(bytes_of("somebody who left", 16))


@dataclass
class Laid:
    """A bundle in a folder of a test's own, and a node's answers: both may be altered."""

    folder: Path
    answers: dict[str, Any]
    engine: Engine | None = field(default=None, compare=False)

    def audit(self, state: Path | None = None, processes: int | None = None, quorum: Quorum | None = None) -> Result:
        """Raises CannotAudit."""
        bundle = Bundle(self.folder)
        return audit(bundle, Node(Recorded(self.answers), bundle.deployment), state, processes, quorum)

    def files(self, kind: str) -> list[Path]:
        return sorted((self.folder / kind).iterdir())


def _play(stage: Stage) -> None:
    """Two months with all that moves money: agents, orders, grants, part payments, notes, refunds, an erasure."""
    billed(stage, 5)
    pay_all(stage, 1, 2)
    items = [GrantItem(str(i), JANUARY, Service.CAPITAL_REPAIR, 9000 + i, 1 << 39, f"decision {i}") for i in (3, 4)]
    _done(stage, stage.ask("grants", GrantsRequest("act 7", tuple(items))))
    _order(stage, stage.bill("3", JANUARY).key, 20_000, 1)
    stage.office.register.set_residents("1", date(2026, 1, 1), 1)
    correct(stage, "1")
    _refund(stage)
    billed_again(stage, 5)
    pay_all(stage, 2, 3, period=FEBRUARY, maximum=12_345)
    _order(stage, stage.bill("2", FEBRUARY).key, 10**9, 2)
    _erase(stage)
    stage.settle()


def _done(stage: Stage, *items: Any) -> None:
    for item in stage.work(*items):
        assert item.state is State.DONE, item.reason


def _order(stage: Stage, bill: BillKey, maximum: int, nonce: int) -> None:
    if nonce == 1:
        stage.mint("resident", 10_000_000)
    signed = stage.sign("resident", Purpose("pay", int(bill.run), bill.index), maximum, nonce)
    _done(stage, stage.ask(f"order {nonce}", PayOrder(*signed)))


def _refund(stage: Stage) -> None:
    note = stage.bill("1", JANUARY)
    names = {number: name for name, number in stage.suppliers.items()}
    line = next(row for row in note.lines if row.charged_kopecks)
    purpose = Purpose("refund", int(note.key.run), note.key.index, line.line, stage.town.account("agent"))
    _done(stage, stage.ask("refund", RefundOrder(*stage.sign(names[line.supplier], purpose, line.charged_kopecks, 7))))


def _erase(stage: Stage) -> None:
    """A reading of somebody whose key an operator then destroyed."""
    town = stage.town
    records = [RegisterReading(MeterId(bytes_of(f"meter {i}", 16)), 0, 1_770_000_000, i, Unit.LITRE) for i in range(3)]
    root = town.anchor("concentrator", stage.source, records, GONE)
    head, lines = parse_file(town.files.get("readings", root) or b"")
    erased = [
        LeafLine(line.leaf, erased=sign_erasure(key_of("operator"), line.leaf, GONE, 1_770_000_001, "act of erasure"))
        for line in lines
    ]
    town.files.put("readings", root, encode_file(head, erased))
    town.keys.destroy(GONE, 1_770_000_001, "act of erasure")
    town.acknowledge(root)


def lay_out(town: PublishedTown, folder: Path, with_keys: bool = True, checkpoints: Sequence[Cosigned] = ()) -> Laid:
    """Exports the bundle and writes down what the node answers to an audit of it."""
    named = list(named_files(town.reader, town.reader.finalized().number))
    secrets = town.keys.secrets(keys_named(town.files, named))
    known = {key: secret for key, secret in secrets.items() if secret is not None}
    export_bundle(folder, town.reader, town.files, known if with_keys else None, checkpoints)
    bundle, recording = Bundle(folder), Recording(town.rpc)
    audit(bundle, Node(recording, bundle.deployment))
    return Laid(folder, recording.answers)


@pytest.fixture(scope="session")
def played(tmp_path_factory: pytest.TempPathFactory) -> Laid:
    folder = tmp_path_factory.mktemp("audited")
    with anvil(block_time_s=0.1) as node:
        built = PublishedTown.build(node.rpc, folder)
        town = PublishedTown(node.rpc, built.reader, FileStore(folder / "served"), KeyRing(folder / "keyring.db"))
        stage = Stage(town, Indexed(town, folder), folder)
        _play(stage)
        with stage.indexed.engine.connect() as connection:
            point = final_checkpoint(connection, town.reader.deployment)
        cosigned = Cosigned(point).merged(
            (Cosignature.make(key_of("observer"), address_of(key_of("observer")), point),)
        )
        laid = lay_out(town, folder / "bundle", checkpoints=[cosigned])
    laid.engine = stage.indexed.engine
    return laid


@pytest.fixture
def laid(played: Laid, tmp_path: Path) -> Laid:
    """A copy that the test may alter."""
    return copy_of(played, tmp_path / "copy")


def copy_of(played: Laid, folder: Path) -> Laid:
    shutil.copytree(played.folder, folder)
    return Laid(folder, dict(played.answers))
