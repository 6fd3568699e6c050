"""A node whose answers are of two heights: another one behind the same address, or a block in the making."""

from __future__ import annotations

import random
from collections.abc import Sequence
from enum import Enum
from typing import Any

from contracts.client.rpc import Rpc, RpcError


class Height(Enum):
    """Of when the answers to one request are."""

    NOW = "all of the latest block"
    BEHIND = "all of the block before: the request came to another node"
    MAKING = "the state of the latest block, blocks and receipts of the one before: that block is being made"


class TwoHeights(Rpc):
    """Draws anew for each request, a batch being one."""

    def __init__(self, url: str, draw: random.Random) -> None:
        super().__init__(url)
        self._draw = draw
        self.is_steady = False
        self.seen: set[Height] = set()

    def call(self, method: str, *params: object) -> Any:
        (found,) = self.batch_each([(method, params)])
        if isinstance(found, RpcError):
            raise found
        return found

    def batch_each(self, calls: Sequence[tuple[str, Sequence[object]]]) -> list[Any]:
        height = Height.NOW if self.is_steady else self._draw.choice(list(Height))
        self.seen.add(height)
        if height is Height.NOW:
            return super().batch_each(calls)
        top = max(int(super().call("eth_blockNumber"), 16) - 1, 0)
        asked = [(method, self._earlier(method, params, height, top)) for method, params in calls]
        answers = super().batch_each(asked)
        return [
            self._hidden(method, params, answer, top) for (method, params), answer in zip(asked, answers, strict=True)
        ]

    def _earlier(self, method: str, params: Sequence[object], height: Height, top: int) -> Sequence[object]:
        """The parameters with the latest block being the one before it."""
        if height is Height.MAKING and method == "eth_getTransactionCount":
            return params
        return [hex(top) if isinstance(value, str) and value == "latest" else value for value in params]

    def _hidden(self, method: str, params: Sequence[object], answer: Any, top: int) -> Any:
        """The answer without what the node does not know yet."""
        if method == "eth_getTransactionReceipt" and answer and int(answer["blockNumber"], 16) > top:
            return None
        if method == "eth_getBlockByNumber" and answer and int(answer["number"], 16) > top:
            return None
        at = params[1] if method == "eth_getTransactionCount" else None
        if isinstance(at, str) and at.startswith("0x") and int(at, 16) > top:
            return RpcError(method, -32000, "header not found")
        return answer
