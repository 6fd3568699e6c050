"""Nodes that are down, of another chain, behind, or lost in the middle of a send; and an API killed between clicks.

The processes are the real ones. Nothing is refused for good because of a node, and nothing is sent twice.
"""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from api.people import People, Role
from api.store import open_database
from billing.inbox import Item, State
from billing.requests import AgentPayment
from contracts.client.rpc import Rpc
from contracts.wire.ids import BillState
from tests.billing.scenes import ALL, JANUARY, received
from tests.client.chain import anvil, free_port
from tests.flow.services import ROOT, Services, until
from tests.flow.way import Way, way

PROCESSES = ("billing.main", "oracle.main", "ledger.main", "ledger.holder", "oracle.concentrator")
PASSWORD = "correct horse"
OTHER_CHAIN = 31_338


def start_all(services: Services) -> None:
    for module in PROCESSES:
        services.start(module, *(("--port", str(free_port())) if module == "oracle.main" else ()))


def ask(services: Services, account: str = "1", key: str = "pay") -> Item:
    return services.stage.ask(key, AgentPayment(services.stage.bill(account, JANUARY).key, ALL))


def item_of(services: Services, item: Item) -> Item:
    found = services.stage.inbox.get(item.id)
    assert found is not None
    return found


def check_paid_once(services: Services, item: Item) -> None:
    """Paid, for good, as much as was charged and once."""
    until(lambda: item_of(services, item).is_settled, "the payment's finality")
    found = item_of(services, item)
    assert found.state is State.DONE, found.reason
    view = services.stage.bill("1", JANUARY)
    assert received(services.stage) == view.charged_kopecks
    services.stage.settle()
    assert services.stage.bill("1", JANUARY).state is BillState.PAID
    assert len(services.stage.office.ledger.receipts(view.key)) == 1


def check_ended(services: Services, name: str, code: int, *words: str) -> None:
    """Ended with a code and one line of words, and no traceback."""
    assert services.processes[name].wait(timeout=40) == code, services.said(name)[-2000:]
    said = services.said(name)
    assert "Traceback" not in said, said[-2000:]
    (halted,) = [line for line in said.splitlines() if "halted" in line]
    for word in words:
        assert word in halted, halted


# --- at the start ---


def test_a_node_that_is_down_at_the_start_is_waited_for(services: Services) -> None:
    start_all(services)
    for module in PROCESSES:
        until(lambda module=module: "waiting for it" in services.said(module), f"a word of {module}")
        assert f"the node at {services.node_url} does not answer" in services.said(module)
        assert "start it, or check its address" in services.said(module)
    item = ask(services)
    with way(Way(services.stage.town.rpc.url), services.node_port):
        check_paid_once(services, item)
        for module in PROCESSES:
            assert services.processes[module].poll() is None, services.said(module)[-2000:]
            assert services.said(module).count("waiting for it") == 1  # said once, not at every try
            assert "Traceback" not in services.said(module)


def test_a_node_of_another_chain_ends_every_process_in_one_line(services: Services) -> None:
    services.change_chain_id(OTHER_CHAIN)
    with way(Way(services.stage.town.rpc.url), services.node_port):
        start_all(services)
        for module in PROCESSES:
            check_ended(services, module, 2, f"the node is of chain 31337, not {OTHER_CHAIN}", "point to a node of")


def test_a_chain_begun_anew_under_the_same_number_ends_every_process_in_one_line(services: Services) -> None:
    with anvil() as other, way(Way(other.url), services.node_port):
        other.mine(services.stage.town.reader.deployment.first_block + 1)
        start_all(services)
        for module in PROCESSES:
            check_ended(services, module, 2, "AccessManager at 0x", "no code there", "restore the chain")


@pytest.mark.parametrize("trouble", ["down", "wrong"])
def test_an_import_says_what_is_wrong_with_the_node_in_one_line(services: Services, trouble: str) -> None:
    services.write_key("importer", b"\x05" * 32)
    services.write_key("operator-salt", b"\x06" * 32)
    file = services.home / "file.xml"
    file.write_text("<message/>")
    url = services.node_url if trouble == "down" else services.stage.town.rpc.url
    if trouble == "wrong":
        services.change_chain_id(OTHER_CHAIN)
    program = "import sys; from scripts.cli.main import app; sys.exit(app())"
    argv = [sys.executable, "-c", program, "oracle", "import", str(file), "--home", str(services.home), "--rpc", url]
    ended = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 1, ended.stderr
    (line,) = ended.stderr.strip().splitlines()
    wanted = {"down": f"the node at {url} does not answer", "wrong": f"the node is of chain 31337, not {OTHER_CHAIN}"}
    assert wanted[trouble] in line


# --- under way ---


def test_a_node_lost_in_the_middle_of_a_send_is_asked_again_and_the_payment_made_once(services: Services) -> None:
    to = Way(services.stage.town.rpc.url)
    to.answers_to_lose = 3
    item = ask(services)
    with way(to, services.node_port):
        services.start("billing.main")
        until(lambda: to.lost >= 1, "a lost answer")
        to.target = None
        until(lambda: services.said("billing.main").count("collector.node") >= 2, "a word about it")
        assert not item_of(services, item).is_over
        to.target = services.stage.town.rpc.url
        check_paid_once(services, item)
    assert "Traceback" not in services.said("billing.main")


def test_a_node_behind_the_ledger_refuses_nothing_for_good(services: Services) -> None:
    head = services.stage.office.ledger.head()
    assert head is not None
    with anvil() as behind:
        behind.mine(head.number - 5)  # the right chain's number, without the last blocks' state: nothing is payable
        to = Way(behind.url)
        item = ask(services)
        with way(to, services.node_port):
            services.stage.town.reader.deployment.save(services.home / "deployment.json")
            to.target = services.stage.town.rpc.url
            services.start("billing.main")
            until(lambda: "billing.started" in services.said("billing.main"), "billing's start")
