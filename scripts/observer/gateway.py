"""The door to an observer's node: lets calls through that read, and refuses the rest in plain words.

A node by itself takes a transaction from anybody and hands it on; this door does not. What is let through is a list
of what is known to read: a method that nobody thought of is refused.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import Mapping, Sequence
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from contracts.client.rpc import NodeError, Rpc
from scripts.observer.config import GatewaySettings
from scripts.observer.limiter import Limiter

READS = frozenset(
    {
        "eth_blockNumber", "eth_call", "eth_chainId", "eth_getBalance", "eth_getBlockByHash", "eth_getBlockByNumber",
        "eth_getBlockReceipts", "eth_getBlockTransactionCountByHash", "eth_getBlockTransactionCountByNumber",
        "eth_getCode", "eth_getLogs", "eth_getProof", "eth_getStorageAt", "eth_getTransactionByHash",
        "eth_getTransactionCount", "eth_getTransactionReceipt", "eth_syncing", "net_version", "web3_clientVersion",
    }
)  # fmt: skip
_PARSE, _INVALID, _METHOD, _LIMIT, _NODE = -32700, -32600, -32601, -32005, -32000
_NODE_S = 60.0
_STALE_S = 60
"""A head older than this is no longer news: whoever watches the kit is told."""

Call = Mapping[str, Any]


class _NodeAway(Exception):
    """The node did not answer, or not in JSON-RPC."""


class Gateway:
    """One node's door. ``own_token`` names the way in that is not rate-limited, for the kit's own audit."""

    def __init__(self, settings: GatewaySettings, node_url: str, own_token: str = "") -> None:
        self._settings = settings
        self._url = node_url
        self._own_token = own_token
        self._limiter = Limiter(settings.calls_per_s, settings.burst_calls)
        self._http = httpx.AsyncClient(timeout=_NODE_S, trust_env=False)
        self._final_tag: str | None = None
        self._gives_receipts = True

    def app(self) -> Starlette:
        """The ASGI application."""
        routes = [
            Route("/", self.answer, methods=["POST"]),
            Route("/own/{token}", self.answer_own, methods=["POST"]),
            Route("/health", self.health, methods=["GET"]),
        ]
        cors = Middleware(
            CORSMiddleware, allow_origins=list(self._settings.origins), allow_methods=["POST", "GET"],
            allow_headers=["Content-Type"],
        )  # fmt: skip
        return Starlette(routes=routes, middleware=[cors])

    # --- requests ---

    async def answer(self, request: Request) -> Response:
        """A call or a batch of calls, from anybody."""
        return await self._answer(request, is_own=False)

    async def answer_own(self, request: Request) -> Response:
        """The same without a limit, for who knows the token."""
        if not self._own_token or not secrets.compare_digest(request.path_params["token"], self._own_token):
            return _refused(404, _INVALID, "there is nothing here")
        return await self._answer(request, is_own=True)

    async def health(self, _: Request) -> Response:
        """Whether the node answers and follows; 503 where it does not."""
        try:
            block, chain = await self._ask([("eth_getBlockByNumber", ["latest", False]), ("eth_chainId", [])])
            age_s = int(time.time()) - int(block["result"]["timestamp"], 16)
            head, chain_id = int(block["result"]["number"], 16), int(chain["result"], 16)
        except (_NodeAway, KeyError, TypeError):
            return JSONResponse({"is_well": False, "reason": "the node does not answer"}, 503)
        well = age_s <= _STALE_S
        value = {"is_well": well, "chain_id": chain_id, "head": head, "head_age_s": age_s}
        return JSONResponse(value if well else {**value, "reason": "no new block"}, 200 if well else 503)

    async def _answer(self, request: Request, is_own: bool) -> Response:
        body = await self._body(request)
        if body is None:
            most = self._settings.largest_body_bytes
            return _refused(413, _INVALID, f"the request is larger than {most} bytes; ask in smaller batches")
        try:
            value = json.loads(body)
        except (ValueError, RecursionError):
            return _refused(400, _PARSE, "the request is not JSON")
        calls = value if isinstance(value, list) else [value]
        if not 0 < len(calls) <= self._settings.largest_batch:
            most = self._settings.largest_batch
            return _refused(400, _INVALID, f"a batch holds 1 to {most} calls, this one {len(calls)}")
        client = request.client.host if request.client else ""
        wait_s = 0 if is_own else self._limiter.wait_s(client, len(calls))
        if wait_s:
            response = _refused(429, _LIMIT, f"too many calls; ask again in {wait_s} s")
            response.headers["Retry-After"] = str(wait_s)
            return response
        try:
            answers = await self._answers(calls)
        except _NodeAway:
            return _refused(502, _NODE, "the node behind this gateway does not answer; ask again later")
        return JSONResponse(answers if isinstance(value, list) else answers[0])

    async def _body(self, request: Request) -> bytes | None:
        """The body, or None where it is larger than allowed: no more than that is ever held."""
        parts, size = [], 0
        async for part in request.stream():
            size += len(part)
            if size > self._settings.largest_body_bytes:
                return None
            parts.append(part)
        return b"".join(parts)

    # --- calls ---

    async def _answers(self, calls: Sequence[Any]) -> list[dict[str, Any]]:
        """The answers in the calls' order; the allowed ones go to the node in one batch under numbers of our own."""
        out: list[dict[str, Any] | None] = [_objection(call) for call in calls]
        allowed = [place for place, found in enumerate(out) if found is None]
        plain = [place for place in allowed if calls[place]["method"] != "eth_getBlockReceipts"]
        asked = [(calls[place]["method"], await self._params(calls[place])) for place in plain]
        found = await self._ask(asked) if asked else []
        for place, answer in zip(plain, found, strict=True):
            out[place] = answer
        for place in set(allowed) - set(plain):
            out[place] = await self._block_receipts(await self._params(calls[place]))
        return [
            {**(answer or {}), "jsonrpc": "2.0", "id": call.get("id") if isinstance(call, dict) else None}
            for call, answer in zip(calls, out, strict=True)
        ]

    async def _params(self, call: Call) -> list[Any]:
        """The parameters, with the last final block named as the node names it."""
        params = list(call.get("params") or [])
        if "finalized" not in json.dumps(params):
            return params
        if self._final_tag is None:
            self._final_tag = await asyncio.to_thread(self._learn_final_tag)
        return [_renamed(value, self._final_tag) for value in params]

    def _learn_final_tag(self) -> str:
        rpc = Rpc(self._url)
        try:
            return rpc.final_tag()
        except NodeError as error:
            raise _NodeAway from error
        finally:
            rpc.close()

    async def _block_receipts(self, params: list[Any]) -> dict[str, Any]:
        """All receipts of a block; a node older than that method is asked for them one by one."""
        if self._gives_receipts:
            answer = (await self._ask([("eth_getBlockReceipts", params)]))[0]
            if answer.get("error", {}).get("code") != _METHOD:
                return answer
            self._gives_receipts = False
        name = params[0] if params else None
        by = "Hash" if isinstance(name, str) and len(name) == 66 else "Number"
        block = (await self._ask([(f"eth_getBlockBy{by}", [name, False])]))[0]
        if block.get("result") is None:
            return block
        hashes = block["result"]["transactions"]
        found = await self._ask([("eth_getTransactionReceipt", [each]) for each in hashes]) if hashes else []
        return {"result": [answer.get("result") for answer in found]}

    async def _ask(self, calls: Sequence[tuple[str, list[Any]]]) -> list[dict[str, Any]]:
        """What the node answers, result or error, in the calls' order. Raises _NodeAway."""
        body = [
            {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
            for number, (method, params) in enumerate(calls)
        ]
        try:
            answers = (await self._http.post(self._url, json=body)).json()
            by_id = {answer["id"]: answer for answer in answers}
            kept = [by_id[number] for number in range(len(calls))]
        except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
            raise _NodeAway from error
        return [{key: answer[key] for key in ("result", "error") if key in answer} for answer in kept]


def _objection(call: Any) -> dict[str, Any] | None:
    """Why a call is not let through; None where it is."""
    if not isinstance(call, dict) or not isinstance(call.get("method"), str):
        return _error(_INVALID, "not a call: it needs jsonrpc, id, method and params")
    if not isinstance(call.get("params", []), list):
        return _error(_INVALID, "params are to be a list")
    if call["method"] not in READS:
        return _error(
            _METHOD,
            f"{call['method'][:60]} is not let through: this node is for reading only; "
            "whoever may send transactions does so at a node of their own",
        )
    return None


def _renamed(value: Any, tag: str) -> Any:
    """A parameter, or a filter of logs, with the tag in the node's own word."""
    if isinstance(value, dict):
        return {key: tag if item == "finalized" else item for key, item in value.items()}
    return tag if value == "finalized" else value


def _error(code: int, message: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": message}}


def _refused(status: int, code: int, message: str) -> JSONResponse:
    return JSONResponse({"jsonrpc": "2.0", "id": None, **_error(code, message)}, status)
