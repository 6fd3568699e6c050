"""``kopeck capsule`` and ``kopeck verify`` as a resident and a clerk run them, the second without any town."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from contracts.client.files import FileStore
from contracts.client.keyring import KeyRing
from contracts.client.rpc import NodeBehind, Rpc
from contracts.wire.capsule import CapsuleError, Refusal, parse_capsule
from contracts.wire.capsule_check import verify_capsule
from ledger.published import Published
from scripts.capsule.asked import SplitView, ask_node
from scripts.capsule.mark import Mark, OtherBill
from scripts.cli.main import cli
from tests.capsule.story import OBSERVERS, Told, cosigned_by, observer, tell
from tests.client.chain import anvil
from tests.ledger.town import Town


def run(*arguments: object) -> None:
    cli([str(argument) for argument in arguments], standalone_mode=False)


@pytest.fixture
def files(told: Told, tmp_path: Path) -> Path:
    (tmp_path / "trust.json").write_bytes(told.trust.encode())
    for name, data in told.capsules.items():
        (tmp_path / f"{name}.json").write_bytes(data)
    return tmp_path


def test_verify_needs_nothing_but_two_files(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("verify", files / "partial.json", "--trust", files / "trust.json", "--json")
    found = json.loads(capsys.readouterr().out)
    assert found["state"] == "partial"
    assert found["state_at_node"] is None
    assert sum(line["paid_kopecks"] for line in found["lines"]) == 5_000
    assert found["observers"] == ["0x" + address.hex() for address in sorted(map(observer, OBSERVERS))]
    assert json.loads(found["document"]) == {"bill": "partial"}
    run("verify", files / "partial.json", "--trust", files / "trust.json")
    assert "only a later capsule or a node can tell" in " ".join(capsys.readouterr().out.split())


def test_verify_refuses_with_an_error_that_ends_the_command(files: Path) -> None:
    path = files / "paid.json"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(CapsuleError) as caught:
        run("verify", path, "--trust", files / "trust.json")
    assert caught.value.refusal is Refusal.MALFORMED


def test_the_paper_s_mark_fits_its_own_bill_only(told: Told, files: Path) -> None:
    marks = {name: Mark.of(parse_capsule(told.capsules[name])) for name in ("paid", "open")}
    assert Mark.parse(marks["paid"].text) == marks["paid"]
    run("verify", files / "paid.json", "--trust", files / "trust.json", "--mark", marks["paid"].text)
    with pytest.raises(OtherBill):
        run("verify", files / "paid.json", "--trust", files / "trust.json", "--mark", marks["open"].text)


def test_a_town_makes_a_capsule_and_a_node_is_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with anvil(block_time_s=0.1) as node:
        town = Town.build(node.rpc, tmp_path / "built")
        town.files, town.keys = FileStore(tmp_path / "served"), KeyRing(tmp_path / "home" / "keyring.db")
        home = tmp_path / "home"
        (home / "ledger").mkdir(parents=True)
        told = tell(town, home / "ledger")
        town.reader.deployment.save(home / "deployment.json")
        run("checkpoint", "make", "--home", home)
        point = told.ledger.checkpoint(town.reader.deployment)
        published = Published(home / "checkpoints")
        published.put(point, *cosigned_by(point, "regulator", "supplier").cosignatures)
        accounts = [f"0x{observer(name).hex()}" for name in ("regulator", "supplier")]
        trust, made = tmp_path / "trust.json", tmp_path / "bill.json"
        run("checkpoint", "trust", accounts[0] + "!", accounts[1], "--quorum", 2, "--out", trust, "--home", home)
        qr = tmp_path / "mark.svg"
        run("capsule", told.keys["open"], "--out", made, "--rpc", node.url, "--mark", qr, "--home", home)
        assert qr.read_text().startswith("<?xml")
        capsys.readouterr()
        run("verify", made, "--trust", trust, "--rpc", node.url, "--json")
        assert json.loads(capsys.readouterr().out)["state_at_node"] == "open"
        run("checkpoint", "list", "--json", "--home", home)
        listed = json.loads(capsys.readouterr().out)
        assert (listed[-1]["height"], sorted(listed[-1]["observers"])) == (point.height, sorted(accounts))

        verdict = verify_capsule(made.read_bytes(), told.trust)
        with anvil(block_time_s=None) as other:
            with pytest.raises(NodeBehind):
                ask_node(Rpc(other.url), verdict, told.trust)
            other.mine(point.height + 1)
            with pytest.raises(SplitView, match="split view"):
                ask_node(Rpc(other.url), verdict, told.trust)
