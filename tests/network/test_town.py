"""The demo town on a consortium: a validator dies on the way, an observer looks on, and the money is Anvil's."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from eth_account import Account

from contracts.client.rpc import Rpc, RpcError
from contracts.wire.capsule import CapsuleError, Trust, parse_capsule
from contracts.wire.capsule_check import verify_capsule
from contracts.wire.ids import Period
from contracts.wire.rlp import rlp_list
from scripts.cli.console import Steps
from scripts.home import Home
from scripts.network.members import OBSERVER, VALIDATORS
from scripts.network.network import Network
from scripts.observer.config import Config
from scripts.observer.kit import Kit
from scripts.town.plan import plan_town
from scripts.town.play import Play
from scripts.town.report import report
from scripts.town.running import Running, choose_ports
from scripts.town.stage import Stage
from tests.capsule.bent import flipped
from tests.capsule.verifiers import built_go, go_verifier, javascript_verifier
from tests.town.played import ACCOUNTS, SEED, money
from tests.town.played import play as play_on_anvil

pytestmark = pytest.mark.network

TOWN = plan_town(ACCOUNTS, Period(2026, 1), 2, SEED)
VICTIM = VALIDATORS[3]
_MIX, _BFT_MIX = 13, bytes.fromhex("63746963616c2062797a616e74696e65206661756c7420746f6c6572616e6365")
"""The header's field by which EIP-650 marks blocks of such a network, and its value."""


@dataclass(frozen=True)
class Played:
    """A town whose play is over, on a network that still runs."""

    home: Home
    network: Network
    report: dict[str, Any]
    kills: int


@pytest.fixture(scope="module")
def played(program: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    assert program.exists()
    if datetime.now(UTC).timestamp() < TOWN.starts_at:
        pytest.skip("the clock of this machine lies before the end of the town's months")
    home = Home(tmp_path_factory.mktemp("town"))
    network = Network(home)
    over = threading.Event()
    kills = 0

    def trouble() -> None:
        nonlocal kills
        while not over.wait(12):
            kills += network.kill(VICTIM)
            over.wait(8)
            network.up([VICTIM])

    beside = threading.Thread(target=trouble)
    try:
        network.up()
        ports = replace(choose_ports(None), rpc=network.members.named(VALIDATORS[0]).rpc_port)
        with Running(home, ports, keep_state=False) as running:
            running.use_chain(TOWN.starts_at)
            running.ensure_deployed()
            beside.start()
            stage = Stage.of(TOWN, running)
            Play(stage, Steps(quiet=True)).run()
            over.set()
            beside.join()
            found = report(stage, {})
        yield Played(home, network, found, kills)
    finally:
        over.set()
        network.down()


def test_the_town_comes_out_as_on_anvil_though_a_validator_died(played: Played, tmp_path: Path) -> None:
    assert played.kills >= 2
    assert played.report["conservation"] is played.report["rebuilt_equal"] is True
    assert played.report["contract_balances_kopecks"] == 0
    assert money(played.report) == money(play_on_anvil(tmp_path))


def kopeck(*words: object) -> str:
    """What a command says."""
    argv = (sys.executable, "-m", "scripts.cli.main", *map(str, words))
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout


def test_a_capsule_of_the_networks_blocks_is_proved_by_all_three_verifiers(played: Played, tmp_path: Path) -> None:
    home, trust, network = played.home.root, tmp_path / "trust.json", played.network
    validator, observer = (network.members.named(name).url for name in (VALIDATORS[0], OBSERVER))
    height = network.head(VALIDATORS[0])
    network.until(lambda: network.head(OBSERVER) >= height, "the observer has what is to be signed", 60)
    kopeck("checkpoint", "make", "--home", home)
    given = ("--deployment", home / "deployment.json", "--checkpoints", home / "checkpoints", "--rpc", observer)
    kopeck("witness", "--home", tmp_path / "observer", *given, "--once")
    (point,) = json.loads(kopeck("checkpoint", "list", "--json", "--home", home))
    kopeck("checkpoint", "trust", point["observers"][0] + "!", "--out", trust, "--home", home)

    bills = json.loads(kopeck("bill", "list", "2026-01", "--json", "--home", home))
    capsules = {}
    for state in ("paid", "open"):
        bill = next(row["bill"] for row in bills if row["state"] == state)
        capsules[state] = tmp_path / f"{state}.json"
        kopeck("capsule", bill, "--out", capsules[state], "--rpc", validator, "--home", home)
        headers = [rlp_list(block.header) for block in parse_capsule(capsules[state].read_bytes()).blocks]
        assert {bytes(header[_MIX]) for header in headers} == {_BFT_MIX}  # type: ignore[arg-type]
    good = capsules["paid"].read_bytes()
    bent = [tmp_path / f"bent-{seed}.json" for seed in range(40)]
    for seed, path in enumerate(bent):
        path.write_bytes(flipped(good, random.Random(seed).randrange(len(good)), seed % 8))

    for state, path in capsules.items():
        found = json.loads(kopeck("verify", path, "--trust", trust, "--rpc", validator, "--json"))
        assert (found["state"], found["state_at_node"]) == (state, state)
    ours = [refusal_of(path.read_bytes(), trust) for path in bent]
    assert None not in ours
    for verifier in (go_verifier(built_go(tmp_path)), javascript_verifier()):
        proved = verifier(trust, list(capsules.values()))
        assert [answer["verdict"]["state"] for answer in proved] == list(capsules)
        assert [answer.get("refusal") for answer in verifier(trust, bent)] == ours


def refusal_of(capsule: bytes, trust: Path) -> str | None:
    """Our own verifier's word."""
    try:
        verify_capsule(capsule, Trust.parse(trust.read_bytes()))
    except CapsuleError as error:
        return str(error.refusal)
    return None


def test_the_observers_kit_follows_refuses_writes_and_audits_the_town(played: Played) -> None:
    network, home = played.network, played.home
    network.until(lambda: not network.status().faults, "the network is well", 120)
    bundle = network.folder / "bundle"
    first = network.members.named(VALIDATORS[0])
    kopeck("bundle", "export", bundle, "--home", home.root, "--rpc", first.url, "--with-keys")
    network.stop(OBSERVER)
    settings = network.folder / "observer.toml"
    with settings.open("a") as file:
        file.write('\n[audit]\nbundle = "bundle"\nis_sealed = false\n')
    with Kit(Config.load(settings)) as kit:
        gateway = Rpc(kit.url)
        height = network.head(VALIDATORS[0])
        network.until(lambda: int(gateway.call("eth_blockNumber"), 16) > height, "the observer follows", 90)
        own, other = (rpc.call("eth_getBlockByNumber", hex(height), True) for rpc in (gateway, network.rpc(first.name)))
        del own["extraData"], other["extraData"]  # each node keeps the seals that it came by; no hash is over them
        assert own == other
        finalized = gateway.call("eth_getBlockByNumber", "finalized", False)
        assert int(finalized["number"], 16) > height
        assert httpx.get(f"{kit.url}/health").json()["is_well"] is True

        chain_id = int(gateway.call("eth_chainId"), 16)
        fields = {"chainId": chain_id, "nonce": 0, "gas": 21_000, "gasPrice": 0, "to": "0x" + "11" * 20, "value": 0}
        signed = Account.sign_transaction(fields, "0x" + "29" * 32)
        with pytest.raises(RpcError, match="reading only"):
            gateway.call("eth_sendRawTransaction", "0x" + signed.raw_transaction.hex())
        assert network.rpc(first.name).call("eth_getTransactionByHash", "0x" + signed.hash.hex()) is None

        assert kit.audit() == 0, "\n".join(log.read_text() for log in (network.folder / "audit").glob("*.log"))
        assert len(list((network.folder / "audit").glob("*.html"))) == 1
