"""Nodes of the simulated chain behind one address, as HTTP: what a load balancer in front of them would answer.

They fail as nodes do: refuse, time out before or after they did what was asked, cut an answer short, are busy, leave
a call of a batch out, cap the range of logs, lag behind, or stand on a branch that the others left.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx

from tests.ledger.simulation.chain import SimChain, View

FAULTS = (
    "refused",
    "timed out before",
    "busy",
    "call left out",
    "internal error",
    "done, answer lost",
    "cut short",
    "a page instead",
)
"""What a request may meet with, by the number that is drawn."""


class RpcRefusal(Exception):
    """An error inside a JSON-RPC answer."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


@dataclass
class Weather:
    """How likely each fault is at one request; all zero is a fair day."""

    fault: float = 0
    lag: float = 0
    move: float = 0
    reorg: float = 0
    logs_cap: int = 1 << 30
    is_silent: bool = False
    """Whether a node gives no logs, instead of an error, for blocks that it does not have."""

    @classmethod
    def draw(cls, chance: random.Random) -> Weather:
        return cls(
            fault=chance.choice((0, 0.02, 0.1, 0.3)),
            lag=chance.choice((0, 0.1, 0.5)),
            move=chance.choice((0.02, 0.1)),
            reorg=chance.choice((0.1, 0.3)),
            logs_cap=chance.choice((1, 3, 20, 1 << 30, 1 << 30)),
            is_silent=chance.random() < 0.5,
        )


class Nodes:
    """Two nodes of one chain; each request comes to either."""

    def __init__(self, chain: SimChain, weather: Weather, chance: random.Random, step: Callable[[], None]) -> None:
        self.chain = chain
        self.weather = weather
        self.faults: Counter[str] = Counter()
        self._chance = chance
        self._step = step
        self.views = [chain.view(), chain.view()]
        self.shown: set[int] = set()
        """Heads of the views that answered, since somebody last emptied it."""

    def post(self, url: str, content: str, headers: object = None) -> httpx.Response:  # noqa: ARG002
        """What ``httpx.Client.post`` gives: the client under test has this for its HTTP, and all else of its own."""
        return self._handle(content)

    def refresh(self, everyone: bool = False) -> None:
        """Nodes catch up, as far as they do not lag."""
        view = self.chain.view()
        for i in range(len(self.views)):
            if everyone or self._chance.random() >= self.weather.lag:
                self.views[i] = view

    def move(self) -> None:
        """The chain goes on, or moves aside within what is not final."""
        chain, chance = self.chain, self._chance
        room = len(chain.blocks) - 1 - chain.final
        if room > 0 and chance.random() < self.weather.reorg:
            chain.reorg(chance.choice((1, min(2, room), room, chance.randrange(1, room + 1))))
        else:
            chain.mine(chance.randrange(1, 4))

    def _handle(self, content: str) -> httpx.Response:
        self._step()
        if self._chance.random() < self.weather.move:
            self.move()
            self.refresh()
        fault = self._chance.randrange(len(FAULTS)) if self._chance.random() < self.weather.fault else None
        if fault is not None:
            self.faults[FAULTS[fault]] += 1
        if fault == 0:
            raise httpx.ConnectError("refused")
        if fault == 1:
            raise httpx.ReadTimeout("too slow")
        if fault == 2:
            return httpx.Response(self._chance.choice((429, 503)))
        body = self._body(json.loads(content), fault)
        if fault == 5:
            raise httpx.ReadError("reset")  # it was done, and the answer is lost
        if fault == 6:
            body = body[: self._chance.randrange(len(body))]
        if fault == 7:
            body = "<html>Bad gateway</html>"
        self._step()
        return httpx.Response(200, content=body.encode())

    def _body(self, asked: Any, fault: int | None) -> str:
        """The answer of one of the nodes, with what it itself does wrong."""
        view = self._chance.choice(self.views)
        self.shown.add(view.head)
        if isinstance(asked, list):
            answers = [self._answer(view, one) for one in asked]
            self._chance.shuffle(answers)  # as JSON-RPC allows
            if fault == 3 and answers:
                answers.pop()
            if fault == 4 and answers:
                answers[0] = {"jsonrpc": "2.0", "id": answers[0]["id"], "error": {"code": -32000, "message": "busy"}}
            return json.dumps(answers)
        if fault in (3, 4):
            error = {"code": -32603, "message": "internal error"}
            return json.dumps({"jsonrpc": "2.0", "id": asked["id"], "error": error})
        return json.dumps(self._answer(view, asked))

    def _answer(self, view: View, asked: dict[str, Any]) -> dict[str, Any]:
        head = {"jsonrpc": "2.0", "id": asked["id"]}
        try:
            return head | {"result": answer(view, asked["method"], asked["params"], self.weather)}
        except RpcRefusal as refusal:
            return head | {"error": {"code": refusal.code, "message": refusal.message}}


def answer(view: View, method: str, params: list[Any], weather: Weather) -> Any:
    """What a node answers. Raises RpcRefusal."""
    match method:
        case "eth_blockNumber":
            return hex(view.head)
        case "eth_getBlockByNumber":
            number = {"latest": view.head, "finalized": view.final}.get(params[0])
            number = int(params[0], 16) if number is None else number
            return view.blocks[number].header if number <= view.head else None
        case "eth_getBlockByHash":
            return next((b.header for b in view.blocks if b.hash == params[0]), None)
        case "eth_getLogs":
            return _logs(view, params[0], weather)
    raise RpcRefusal(-32601, f"the method {method} does not exist")


def _logs(view: View, query: dict[str, Any], weather: Weather) -> list[dict[str, Any]]:
    if "blockHash" in query:
        blocks = [b for b in view.blocks if b.hash == query["blockHash"]]
        if not blocks and not weather.is_silent:
            raise RpcRefusal(-32000, "unknown block")
    else:
        first, last = int(query["fromBlock"], 16), int(query["toBlock"], 16)
        if last - first >= weather.logs_cap:
            raise RpcRefusal(-32005, f"block range is limited to {weather.logs_cap}")
        if last > view.head and not weather.is_silent:
            raise RpcRefusal(-32000, "block range extends beyond current head block")
        blocks = list(view.blocks[first : last + 1])
    wanted = {address.lower() for address in query["address"]}
    return [log for block in blocks for log in block.logs if log["address"] in wanted]
