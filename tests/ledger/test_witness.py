"""Witnesses on a real chain: what they sign, and each way in which somebody may show them another history."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text as sql

from contracts.client.attach import WRONG_PLACE
from contracts.wire.capsule import parse_cosigned
from contracts.wire.checkpoint import Checkpoint, Cosignature
from contracts.wire.ids import Hash, KeyId
from contracts.wire.typed_data import address_of
from ledger.published import Published
from ledger.store import open_database
from ledger.witness import Round, Watch, Witness
from scripts.cli.main import cli
from tests.ledger.indexed import Indexed
from tests.ledger.town import Draft, Town, bytes_of, key_of

KEY = KeyId(bytes_of("account", 16))
DEEP = 14  # blocks: past the twelve after which Anvil here calls a block final


class Scene:
    """The operator's ledger, the folder of checkpoints, and observers with ledgers of their own."""

    def __init__(self, town: Town, folder: Path) -> None:
        self.town = town
        self.folder = folder
        self.operator = Indexed(town, folder)
        self.published = Published(folder / "checkpoints")
        self.bills = 0

    def observer(self, name: str, watch: Watch | None = None) -> Witness:
        home = self.folder / name
        home.mkdir(exist_ok=True)
        engine = open_database(f"sqlite:///{home / 'ledger.db'}")
        return Witness(home / "witness", engine, self.town.reader, key_of(name), published=self.published, watch=watch)

    def checkpoint(self) -> Checkpoint:
        """One more bill, final, and the operator's checkpoint of it."""
        self.bills += 1
        self.town.post_run([Draft(f"b{self.bills}", ((1, 900),))], KEY)
        self.town.finalise()
        made = self.operator.sync().checkpoint(self.town.reader.deployment)
        self.published.put(made)
        return made

    def signers(self, point: Checkpoint) -> list[bytes]:
        found = {one.checkpoint: one for one in self.published.all()}
        return [c.observer for c in found[point].cosignatures]

    def kept(self, name: str) -> list[dict[str, object]]:
        paths = sorted((self.folder / name / "witness" / "alarms").glob("*.json"))
        return [json.loads(path.read_bytes()) for path in paths]


@pytest.fixture
def scene(town: Town, tmp_path: Path) -> Scene:
    town.add_supplier("water")
    return Scene(town, tmp_path)


def kinds(found: Round) -> list[str]:
    return [alarm.kind for alarm in found.alarms]


class TestSigning:
    def test_observers_come_to_the_operator_s_checkpoint_without_files_or_keys(self, scene: Scene) -> None:
        first = scene.checkpoint()
        regulator, supplier = scene.observer("regulator"), scene.observer("supplier")
        assert regulator.look() == Round((first,), (), False)
        assert supplier.look().signed == (first,)
        assert sorted(scene.signers(first)) == sorted([regulator.address, supplier.address])
        assert regulator.look() == Round((), (), False)
        second = scene.checkpoint()
        assert regulator.look().signed == (second,)
        assert second.blocks > first.blocks

    def test_nothing_is_signed_that_is_not_final_for_the_observer(self, scene: Scene) -> None:
        point = scene.checkpoint()
        ahead = replace(point, height=point.height + 1_000)
        scene.published.put(ahead)
        assert scene.observer("regulator").look() == Round((point,), (), False)
        assert scene.signers(ahead) == []

    def test_no_height_below_the_last_is_signed(self, scene: Scene) -> None:
        first, second = scene.checkpoint(), scene.checkpoint()
        path = scene.published.folder / f"0x{first.name.hex()}.json"
        path.unlink()
        regulator = scene.observer("regulator")
        assert regulator.look().signed == (second,)
        scene.published.put(first)
        assert regulator.look() == Round((), (), False)

    def test_killed_between_keeping_and_publishing_it_publishes_what_it_kept(
        self, scene: Scene, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        point = scene.checkpoint()
        put = Published.put

        def killed(*_: object) -> object:
            raise KeyboardInterrupt

        monkeypatch.setattr(Published, "put", killed)
        with pytest.raises(KeyboardInterrupt):
            scene.observer("regulator").look()
        monkeypatch.setattr(Published, "put", put)
        assert scene.signers(point) == []
        again = scene.observer("regulator")
        assert again.look() == Round((), (), False)
        assert scene.signers(point) == [again.address]


class TestAlarms:
    def test_another_ledger_of_the_same_block(self, scene: Scene) -> None:
        point = scene.checkpoint()
        scene.published.put(replace(point, ledger=Hash(bytes(32))))
        found = scene.observer("regulator").look()
        assert kinds(found) == ["ledger-differs"]
        assert found.signed == (point,)
        assert "another ledger" in found.alarms[0].detail

    def test_another_block_is_a_split_view_and_stops_the_signing(self, scene: Scene) -> None:
        point = scene.checkpoint()
        other = replace(point, block=Hash(bytes(32)))
        scene.published.put(other, Cosignature.make(key_of("supplier"), address_of(key_of("supplier")), other))
        regulator = scene.observer("regulator")
        found = regulator.look()
        assert (kinds(found), found.signed, found.is_halted) == (["split-view"], (), True)
        (kept,) = scene.kept("regulator")
        evidence = kept["evidence"]
        assert isinstance(evidence, dict)
        for side, text in (("published", other.text), ("own", point.text)):
            shown = parse_cosigned(json.dumps(evidence[side]).encode())
            assert shown.checkpoint.text == text
            for cosignature in shown.cosignatures:
                cosignature.check(shown.checkpoint)
        (scene.published.folder / f"0x{other.name.hex()}.json").unlink()
        assert regulator.look() == Round((), (), True)
        for path in (scene.folder / "regulator" / "witness" / "alarms").iterdir():
            path.rename(scene.folder / path.name)
        assert regulator.look().signed == (point,)

    def test_an_observer_that_signed_twice_is_named_with_both_texts(self, scene: Scene) -> None:
        height = scene.town.reader.head().number + 5_000
        point = replace(scene.checkpoint(), height=height)
        for ledger in (bytes(32), b"\x01" * 32):
            text = replace(point, ledger=Hash(ledger))
            scene.published.put(text, Cosignature.make(key_of("supplier"), address_of(key_of("supplier")), text))
        (alarm,) = scene.observer("regulator").look().alarms
        assert alarm.kind == "split-view"
        assert address_of(key_of("supplier")).hex() in alarm.detail
        assert len(alarm.evidence["published"]) == 2  # type: ignore[arg-type]

    def test_a_chain_that_took_back_what_was_final(self, scene: Scene) -> None:
        scene.checkpoint()
        regulator = scene.observer("regulator")
        assert regulator.look().alarms == ()
        scene.town.rpc.call("anvil_reorg", DEEP, [])
        found = regulator.look()
        assert (kinds(found), found.is_halted) == (["rollback"], True)
        assert "final in the ledger" in found.alarms[0].detail
        assert scene.kept("regulator")[0]["evidence"]["last_signed"] is not None  # type: ignore[index]

    def test_a_ledger_whose_rows_were_changed_vouches_for_nothing_more(self, scene: Scene) -> None:
        scene.checkpoint()
        regulator = scene.observer("regulator")
        assert len(regulator.look().signed) == 1
        with open_database(f"sqlite:///{scene.folder / 'regulator' / 'ledger.db'}").begin() as connection:
            connection.execute(sql("UPDATE run_suppliers SET total_kopecks = total_kopecks + 1"))
        scene.checkpoint()
        found = regulator.look()
        assert found.signed == ()
        assert {"ledger-differs"} <= set(kinds(found))

    def test_a_fresh_ledger_on_another_history_than_was_signed(self, scene: Scene) -> None:
        scene.checkpoint()
        scene.observer("regulator").look()
        scene.town.rpc.call("anvil_reorg", DEEP, [])
        scene.town.finalise()
        for name in ("ledger.db", "ledger.db-wal", "ledger.db-shm"):
            (scene.folder / "regulator" / name).unlink(missing_ok=True)
        found = scene.observer("regulator").look()
        assert set(kinds(found)) == {"split-view"}
        assert found.signed == ()

    def test_an_observer_that_falls_silent(self, scene: Scene) -> None:
        supplier = address_of(key_of("supplier"))
        regulator = scene.observer("regulator", Watch(frozenset({supplier}), grace_blocks=0))
        point = scene.checkpoint()
        assert kinds(regulator.look()) == ["missing-signature"]
        assert scene.signers(point) == [regulator.address]
        scene.observer("supplier").look()
        assert regulator.look().alarms == ()
        patient = scene.observer("patient", Watch(frozenset({supplier}), grace_blocks=10_000))
        scene.checkpoint()
        assert patient.look().alarms == ()

    def test_a_file_that_was_changed(self, scene: Scene) -> None:
        point = scene.checkpoint()
        path = scene.published.folder / f"0x{point.name.hex()}.json"
        path.write_bytes(path.read_bytes().replace(b"blocks ", b"blocks 1"))
        found = scene.observer("regulator").look()
        assert (kinds(found), found.signed) == (["bad-publication"], ())
        assert path.name in found.alarms[0].detail

    def test_a_checkpoint_of_another_town(self, scene: Scene) -> None:
        point = scene.checkpoint()
        scene.published.put(replace(point, chain_id=point.chain_id + 1))
        assert kinds(scene.observer("regulator").look()) == ["foreign"]


def test_the_command_signs_and_ends_with_one_at_an_alarm(scene: Scene, tmp_path: Path) -> None:
    point = scene.checkpoint()
    scene.town.reader.deployment.save(tmp_path / "deployment.json")
    arguments = ["witness", "--home", str(tmp_path / "observer"), "--deployment", str(tmp_path / "deployment.json")]
    arguments += ["--checkpoints", str(scene.published.folder), "--rpc", scene.town.rpc.url, "--once"]
    assert not cli(arguments, standalone_mode=False)
    assert len(scene.signers(point)) == 1
    scene.published.put(replace(point, block=Hash(bytes(32))))
    assert cli(arguments, standalone_mode=False) == 1


def test_as_a_service_it_ends_with_the_code_for_another_chain(scene: Scene, tmp_path: Path) -> None:
    deployment = scene.town.reader.deployment
    replace(deployment, chain_id=deployment.chain_id + 1).save(tmp_path / "deployment.json")
    arguments = ["witness", "--home", str(tmp_path / "observer"), "--deployment", str(tmp_path / "deployment.json")]
    with pytest.raises(SystemExit) as caught:
        cli([*arguments, "--checkpoints", str(tmp_path), "--rpc", scene.town.rpc.url], standalone_mode=False)
    assert caught.value.code == WRONG_PLACE
