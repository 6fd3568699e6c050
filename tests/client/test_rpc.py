"""JSON-RPC against a real node, a dead one, and servers that answer nonsense."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import pytest

from contracts.client.rpc import NodeUnreachable, Rpc, RpcError, WrongAnswer
from scripts.processes import free_port
from tests.client.chain import Node
from tests.client.faulty_proxy import Fault, faulty_proxy


@contextmanager
def server_that_answers(body: bytes, status: int = 200) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def test_calls_and_batches(node: Node) -> None:
    assert node.rpc.call("eth_chainId") == "0x7a69"
    answers = node.rpc.batch([("eth_chainId", [])] * 1200)
    assert answers == ["0x7a69"] * 1200


def test_a_refused_call_leaves_its_error_in_its_place(node: Node) -> None:
    good, bad = node.rpc.batch_each([("eth_chainId", []), ("eth_nothing", [])])
    assert good == "0x7a69"
    assert isinstance(bad, RpcError)
    assert bad.code == -32601
    with pytest.raises(RpcError, match="eth_nothing"):
        node.rpc.batch([("eth_chainId", []), ("eth_nothing", [])])


def test_a_dead_node_is_named_and_nothing_was_sent() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(NodeUnreachable, match=url) as caught:
        Rpc(url).call("eth_chainId")
    assert caught.value.sent is False


@pytest.mark.parametrize("fault", [Fault.LOST, Fault.ANSWER_LOST, Fault.BUSY])
def test_a_lost_answer_may_have_been_carried_out(node: Node, fault: Fault) -> None:
    with faulty_proxy(node.url, lambda: fault) as url, pytest.raises(NodeUnreachable) as caught:
        Rpc(url, timeout_s=2).call("eth_chainId")
    assert caught.value.sent is True


def test_a_cut_answer_is_a_wrong_one(node: Node) -> None:
    with faulty_proxy(node.url, lambda: Fault.CUT) as url, pytest.raises(WrongAnswer, match="not JSON"):
        Rpc(url).call("eth_chainId")


@pytest.mark.parametrize(
    "body",
    [b"<html>", b"[]", b'"text"', b'{"jsonrpc":"2.0","id":99,"result":1}', b'{"jsonrpc":"2.0","id":1}', b"null"],
)
def test_whatever_else_listens_there_is_a_wrong_answer(body: bytes) -> None:
    with server_that_answers(body) as url:
        with pytest.raises(WrongAnswer):
            Rpc(url).call("eth_chainId")
        with pytest.raises(WrongAnswer):
            Rpc(url).batch([("eth_chainId", []), ("eth_chainId", [])])


BFT_MIX_HASH = (
    "0x63746963616c2062797a616e74696e65206661756c7420746f6c6572616e6365"  # "ctical byzantine fault tolerance"
)


@contextmanager
def node_without_the_tag(mix_hash: str) -> Iterator[tuple[str, list[str]]]:
    """Refuses ``finalized`` in the words of geth before 1.10.24; its URL, and the tags it was asked for."""
    asked: list[str] = []

    def one(call: dict[str, Any]) -> dict[str, Any]:
        head = {"jsonrpc": "2.0", "id": call["id"]}
        tag = call["params"][0]
        asked.append(tag)
        if tag == "finalized":
            message = "invalid argument 0: hex string without 0x prefix"
            return {**head, "error": {"code": -32602, "message": message}}
        return {**head, "result": {"number": "0x7", "mixHash": mix_hash}}

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            answer = [one(call) for call in body] if isinstance(body, list) else one(body)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(answer).encode())

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
    finally:
        server.shutdown()
        server.server_close()


def test_where_no_block_is_taken_back_the_last_final_one_is_the_latest() -> None:
    with node_without_the_tag(BFT_MIX_HASH) as (url, asked):
        rpc = Rpc(url)
        ask = ("eth_getBlockByNumber", ["finalized", False])
        assert [block["number"] for block in rpc.batch([ask, ask])] == ["0x7", "0x7"]
        asked.clear()
        assert rpc.call("eth_getBlockByNumber", "finalized", False)["number"] == "0x7"
        assert asked == ["latest"]  # what was learnt is not asked again


def test_a_chain_that_may_go_back_and_knows_no_final_block_has_none() -> None:
    with node_without_the_tag("0x" + "00" * 32) as (url, _), pytest.raises(RpcError, match="invalid argument"):
        Rpc(url).call("eth_getBlockByNumber", "finalized", False)
