"""Nodes that are down, of another chain, behind, or lost in the middle of a send; and an API killed between clicks.

The processes are the real ones. Nothing is refused for good because of a node, and nothing is sent twice.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from api.people import People, Role
from api.store import open_database
from billing.inbox import Item, State
from billing.requests import AgentPayment
from contracts.wire.ids import BillState
from contracts.wire.typed_data import address_of
from scripts.processes import free_port
from tests.billing.scenes import ALL, JANUARY, received
from tests.billing.stage import KEYS
from tests.client.chain import Node, anvil
from tests.flow.services import ROOT, Services, until
from tests.flow.way import Way, way

PROCESSES = ("billing.main", "oracle.main", "ledger.main", "ledger.holder", "oracle.concentrator")
PASSWORD = "correct horse"
OTHER_CHAIN = 31_338


def address(name: str) -> str:
    return "0x" + address_of(KEYS[name]).hex()


def start_all(services: Services) -> None:
    for module in PROCESSES:
        services.start(module, *(("--port", str(free_port())) if module == "oracle.main" else ()))


def ask(services: Services, account: str = "1", key: str = "pay") -> Item:
    return services.stage.ask(key, AgentPayment(services.stage.bill(account, JANUARY).key, ALL))


def item_of(services: Services, item: Item) -> Item:
    found = services.stage.inbox.get(item.id)
    assert found is not None
    return found


def check_settled(services: Services, item: Item) -> None:
    """Paid for good."""
    until(lambda: item_of(services, item).is_settled, "the payment's finality")
    found = item_of(services, item)
    assert found.state is State.DONE, found.reason


def check_paid_once(services: Services, item: Item) -> None:
    """Bill 1 is paid, for good, as much as was charged and once."""
    check_settled(services, item)
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


@pytest.fixture
def before_activation(services: Services) -> Iterator[Node]:
    """A node of the same chain that has not come to the run's activation yet."""
    with anvil() as node:
        node.rpc.call("anvil_loadState", services.before_activation)
        yield node


# --- at the start ---


def test_a_node_that_is_down_at_the_start_is_waited_for(services: Services) -> None:
    start_all(services)
    for module in PROCESSES:
        services.until_said(module, "waiting for it")
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


def test_a_node_behind_the_books_refuses_nothing_for_good(services: Services, before_activation: Node) -> None:
    head = services.stage.office.ledger.head()
    assert head is not None
    to = Way(before_activation.url)
    item = ask(services)
    with way(to, services.node_port):
        services.start("billing.main")
        until(lambda: services.said("billing.main").count("collector.node") >= 2, "a word about it")
        assert item_of(services, item).state is State.ACCEPTED
        height = int(before_activation.rpc.call("eth_blockNumber"), 16)
        words = f"the node at {services.node_url} is behind: it is at block {height}, and block "
        assert words in services.said("billing.main")
        to.target = services.stage.town.rpc.url
        check_paid_once(services, item)
        to.target = before_activation.url  # falls behind while billing runs, with another payment to make
        other = ask(services, "2", "pay 2")
        said = services.said("billing.main").count("is behind")
        until(lambda: services.said("billing.main").count("is behind") > said, "a word about it")
        assert item_of(services, other).state is State.ACCEPTED
        to.target = services.stage.town.rpc.url
        until(lambda: item_of(services, other).is_settled, "the payment's finality")
        assert item_of(services, other).state is State.DONE


def test_a_key_used_elsewhere_ends_billing_in_one_line(services: Services) -> None:
    with way(Way(services.stage.town.rpc.url), services.node_port):
        services.start("billing.main")
        until(lambda: "billing.started" in services.said("billing.main"), "billing's start")
        nonce = services.stage.town.rpc.call("eth_getTransactionCount", address("relay"), "latest")
        relay = {"from": address("relay"), "to": address("relay"), "maxFeePerGas": "0x0", "maxPriorityFeePerGas": "0x0"}
        services.stage.town.rpc.call("eth_sendTransaction", relay)
        check_ended(services, "billing.main", 3, f"nonce {int(nonce, 16)} of", "`kopeck sender mend` takes over")


def test_of_two_collectors_the_first_ends_in_one_line_and_the_payment_is_made_once(services: Services) -> None:
    to = Way(services.stage.town.rpc.url)
    with way(to, services.node_port):
        services.start("billing.main", name="first")
        until(lambda: "billing.started" in services.said("first"), "the first one's start")
        ask(services, "2", "pay 2")
        until(lambda: to.sent >= 1, "the first one's payment")
        services.start("billing.main", name="second")
        item = ask(services)
        check_ended(services, "first", 3, "another process sends with the key of", "stop one of the two")
        check_settled(services, item)
        assert services.processes["second"].poll() is None
    services.stage.settle()
    for account in ("1", "2"):
        assert len(services.stage.office.ledger.receipts(services.stage.bill(account, JANUARY).key)) == 1


def test_a_chain_that_lost_what_was_final_ends_billing_in_one_line(services: Services, before_activation: Node) -> None:
    to = Way(services.stage.town.rpc.url)
    item = ask(services)
    with way(to, services.node_port):
        services.start("billing.main")
        check_paid_once(services, item)
        services.stage.town.rpc.call("anvil_mine", "0x1")
        to.target = before_activation.url
        until(lambda: "is behind" in services.said("billing.main"), "a word about the height")
        before_activation.mine(500)  # the same chain, gone on without what was final
        check_ended(services, "billing.main", 3, "was final at block", "restore the chain")


# --- the door ---


@pytest.mark.slow
def test_a_door_killed_between_clicks_takes_a_payment_in_once(services: Services) -> None:
    People(open_database(f"sqlite:///{services.home / 'api' / 'api.db'}")).add_person(
        "resident12", PASSWORD, Role.RESIDENT, "Житель 12", accounts=["1"]
    )
    port, bill = free_port(), services.stage.bill("1", JANUARY)
    url = services.start_api(port)
    answer = httpx.post(f"{url}/v1/sessions", json={"login": "resident12", "password": PASSWORD}, trust_env=False)
    headers = {"Authorization": f"Bearer {answer.json()['token']}", "Idempotency-Key": "one payment"}
    wanted = {"bill": str(bill.key), "maximum_kopecks": bill.open_kopecks}

    def click() -> str | None:
        try:
            sent = httpx.post(f"{url}/v1/payments", json=wanted, headers=headers, timeout=10, trust_env=False)
        except httpx.HTTPError:
            return None  # the door died over it: nobody knows what became of it, so one clicks again
        assert sent.status_code == 202, sent.text
        return str(sent.json()["id"])

    def clicks_over_a_kill(kill_after_s: float) -> set[str]:
        with ThreadPoolExecutor(8) as pool:
            clicks = [pool.submit(click) for _ in range(24)]
            time.sleep(kill_after_s)
            services.kill("api.main")
        services.start_api(port)
        found = {answer for answer in (*(sent.result() for sent in clicks), click(), click()) if answer}
        assert len(found) == 1
        return found

    (number,) = clicks_over_a_kill(0.05)
    (item,) = services.stage.inbox.items(kind=AgentPayment.kind)
    assert str(item.id) == number
    with way(Way(services.stage.town.rpc.url), services.node_port):
        services.start("billing.main")
        services.start("ledger.main")
        assert clicks_over_a_kill(0.1) == {number}  # while the payment is on its way
        check_settled(services, item)
        until(lambda: services.stage.bill("1", JANUARY).state is BillState.PAID, "the ledger's word of it")
        assert clicks_over_a_kill(0.1) == {number}  # once the bill is closed
    assert [item.id for item in services.stage.inbox.items(kind=AgentPayment.kind)] == [item.id]
    assert received(services.stage) == bill.charged_kopecks
    assert len(services.stage.office.ledger.receipts(bill.key)) == 1
