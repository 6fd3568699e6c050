"""Webhooks over real HTTP on loopback: signed as the specification's own vector, kept through failures, never twice."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from api.notifier import DELAYS_S, ForbiddenAddress, Notifier, _resolved, sign
from api.problems import BadRequest
from api.store import open_database
from api.webhooks import MOST_A_SUPPLIER, Queue, Webhook, Webhooks
from contracts.wire.ids import SupplierId
from ledger.queries.supplier_views import ReceiptSource
from tests.statement.conftest import HEAT, WATER, Month


@dataclass
class Supplier:
    """A supplier's server: what it got, and what it answers next (200 where nothing is said)."""

    url: str = ""
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)


@pytest.fixture
def supplier() -> Iterator[Supplier]:
    told = Supplier()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            told.got.append(({name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(told.answers.pop(0) if told.answers else 204)
            self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    told.url = f"http://127.0.0.1:{server.server_port}/kopeck?a=1"
    yield told
    server.shutdown()
    server.server_close()


@dataclass
class Desk:
    """The notifier over one database, with a clock that the test moves."""

    webhooks: Webhooks
    notifier: Notifier
    now: list[int]


@pytest.fixture
def desk(month: Month, tmp_path: Path) -> Desk:
    return opened(month, tmp_path, [1_800_000_000])


def opened(month: Month, folder: Path, now: list[int]) -> Desk:
    webhooks = Webhooks(open_database(f"sqlite:///{folder / 'api.db'}"))
    return Desk(webhooks, Notifier(webhooks, month.ledger, clock=lambda: now[0], jitter=lambda: 0.0), now)


def test_the_signature_is_the_specification_s_own_example() -> None:
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    made = sign(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, '{"test": 2432232314}')
    assert made == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_every_receipt_is_told_once_and_signed(month: Month, desk: Desk, supplier: Supplier) -> None:
    hook = desk.webhooks.add(HEAT, supplier.url, 0)
    desk.webhooks.add(WATER, supplier.url, month.ledger.finalized_height())  # nothing new for this one
    rows = month.ledger.supplier_statement(HEAT, 0, (1 << 40) - 1).receipts
    assert desk.notifier.step() == len({row.tx_hash for row in rows})
    assert desk.notifier.step() == 0
    told = [json.loads(body)["data"] for _, body in supplier.got]
    assert sum(len(data["receipts"]) for data in told) == len(rows)
    assert sum(data["amount_kopecks"] for data in told) == sum(
        row.amount_kopecks for row in rows if row.source is not ReceiptSource.NETTED
    )
    for headers, body in supplier.got:
        _checked(hook, headers, body, desk.now[0])
    assert desk.webhooks.queue(hook.id).delivered == len(told)


def _checked(hook: Webhook, headers: dict[str, str], body: bytes, at: int) -> None:
    """As a supplier would check it, from the specification's words alone."""
    key = base64.b64decode(hook.secret[len("whsec_") :])
    assert len(key) == 32
    signed = headers["webhook-id"].encode() + b"." + headers["webhook-timestamp"].encode() + b"." + body
    made = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"].split(" ") == [f"v1,{made}"]
    assert headers["webhook-timestamp"] == str(at)
    assert headers["host"].startswith("127.0.0.1:")


def test_a_failing_address_is_tried_by_the_schedule_and_then_given_up(
    month: Month, desk: Desk, supplier: Supplier
) -> None:
    hook = desk.webhooks.add(HEAT, supplier.url, month.ledger.finalized_height() - 20)
    supplier.answers[:] = [503] * 10_000
    desk.notifier.step()
    waiting = desk.webhooks.queue(hook.id).waiting
    assert (waiting > 1, len(supplier.got)) == (True, 1)  # one attempt tells that the address is not well
    name = supplier.got[0][0]["webhook-id"]
    for delay in DELAYS_S:
        before = len(supplier.got)
        desk.now[0] += delay - 1
        desk.notifier.step()
        assert len(supplier.got) == before
        desk.now[0] += 1
        desk.notifier.step()
        assert [headers["webhook-id"] for headers, _ in supplier.got[before:]] == [name]
    assert desk.webhooks.queue(hook.id).given_up == 1
    supplier.answers.clear()
    assert desk.webhooks.again(hook.id, desk.now[0]) == 1
    desk.now[0] += 100_000
    desk.notifier.step()
    assert desk.webhooks.queue(hook.id) == Queue(0, waiting, 0)


def test_the_queue_outlives_its_process_and_repeats_keep_their_name(
    month: Month, tmp_path: Path, supplier: Supplier
) -> None:
    now = [1_800_000_000]
    first = opened(month, tmp_path, now)
    hook = first.webhooks.add(HEAT, supplier.url, 0)
    rows = first.webhooks.enqueue(hook, month.ledger, now[0])
    del first  # gone before anything was sent
    second = opened(month, tmp_path, now)
    assert second.notifier.step() == rows
    # Sent, and gone before it was noted: the same name comes again with the same body, and is told apart by it.
    message = supplier.got[0]
    with second.webhooks._engine.begin() as connection:
        connection.exec_driver_sql("UPDATE api_webhook_messages SET delivered_at = NULL, due_at = 0 WHERE id = ?",
                                   (message[0]["webhook-id"],))  # fmt: skip
    now[0] += 60
    assert opened(month, tmp_path, now).notifier.step() == 1
    again = supplier.got[-1]
    assert (again[0]["webhook-id"], again[1]) == (message[0]["webhook-id"], message[1])
    assert again[0]["webhook-signature"] != message[0]["webhook-signature"]  # the time is signed: no replay of old ones
    _checked(hook, again[0], again[1], now[0])


def test_two_notifiers_at_once_queue_nothing_twice(month: Month, desk: Desk, supplier: Supplier) -> None:
    hook = desk.webhooks.add(HEAT, supplier.url, 0)
    first = desk.webhooks.enqueue(hook, month.ledger, desk.now[0])
    assert first > 0
    assert desk.webhooks.enqueue(hook, month.ledger, desk.now[0]) == 0  # it read the same place, and came second
    assert desk.notifier.step() == first


@pytest.mark.parametrize(("answer", "is_ended"), [(301, False), (400, False), (410, True)])
def test_what_is_no_success_is_told(desk: Desk, supplier: Supplier, answer: int, is_ended: bool) -> None:
    hook = desk.webhooks.add(HEAT, supplier.url, 0)
    supplier.answers[:] = [answer]
    desk.notifier.step()
    assert all("elsewhere" not in str(headers) for headers, _ in supplier.got)
    assert (desk.webhooks.all(HEAT)[0].ended is not None) == is_ended
    if answer == 400:  # one message refused; the address is well and gets the rest
        queue = desk.webhooks.queue(hook.id)
        assert (queue.waiting, queue.delivered) == (1, len(supplier.got) - 1)
    if is_ended:
        desk.now[0] += 10**6
        before = len(supplier.got)
        desk.notifier.step()
        assert len(supplier.got) == before


def test_an_address_that_nobody_listens_at_costs_nothing_but_time(desk: Desk) -> None:
    hook = desk.webhooks.add(HEAT, "http://127.0.0.1:9/", 0)
    assert desk.notifier.step() == 0
    assert desk.webhooks.queue(hook.id).waiting > 0


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/", "ftp://127.0.0.1/", "https://", "https://a:b@example.org/", "https://example.org/#x",
        "http://10.0.0.1/", "http://127.0.0.1:x/", "https://example.org/" + "a" * 500, "http://localhost/",
    ],
)  # fmt: skip
def test_addresses_that_are_none_are_refused(desk: Desk, url: str) -> None:
    with pytest.raises(BadRequest):
        desk.webhooks.add(WATER, url, 0)


@pytest.mark.parametrize("host", ["127.0.0.1", "10.1.2.3", "169.254.169.254", "[::1]", "0.0.0.0", "[::ffff:10.0.0.1]"])
def test_our_own_network_is_never_called(host: str) -> None:
    with pytest.raises(ForbiddenAddress):
        _resolved(f"https://{host}/hook")


def test_a_secret_is_shown_once_and_a_stranger_removes_nothing(desk: Desk, supplier: Supplier) -> None:
    hook = desk.webhooks.add(WATER, supplier.url, 0)
    assert hook.secret not in repr(hook)
    assert not desk.webhooks.remove(HEAT, hook.id)
    for _ in range(MOST_A_SUPPLIER - 1):
        desk.webhooks.add(WATER, supplier.url, 0)
    with pytest.raises(BadRequest, match="remove one"):
        desk.webhooks.add(WATER, supplier.url, 0)
    assert desk.webhooks.remove(WATER, hook.id)
    assert hook.id not in {h.id for h in desk.webhooks.all(SupplierId(WATER))}
