"""Raw JSON-RPC over HTTP: keep-alive, batches, time-outs, and errors that say which is which."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Sequence
from typing import Any

import httpx
from pydantic_core import from_json

_BATCH_CALLS = 500
_BATCH_BYTES = 1_500_000  # nodes refuse bodies past two megabytes or more
_FINALIZED = "finalized"
_READ = httpx.ByteStream(b"")
_BFT_MIX_HASH = "0x63746963616c2062797a616e74696e65206661756c7420746f6c6572616e6365"
"""What every block of IBFT and QBFT carries as its mix hash (EIP-650); such a block is final once it is made."""


class NodeError(Exception):
    """The node could not answer, or answered otherwise than asked."""


class NodeUnreachable(NodeError):
    """No answer came. The request may have been carried out all the same, unless ``sent`` is False."""

    def __init__(self, url: str, reason: str, sent: bool) -> None:
        super().__init__(f"the node at {url} does not answer ({reason}); start it, or check its address")
        self.url = url
        self.sent = sent


class RpcError(NodeError):
    """The node refused a call."""

    def __init__(self, method: str, code: int, message: str, data: object = None) -> None:
        super().__init__(f"{method}: {message} (code {code})")
        self.method = method
        self.code = code
        self.message = message
        self.data = data


class WrongAnswer(NodeError):
    """The answer is not JSON-RPC, or not to what was asked: something else listens there, or it was cut short."""


class NodeBehind(NodeError):
    """The node has not come to a block that is known already: what it says now is of the past."""

    def __init__(self, url: str, found: int, known: int) -> None:
        super().__init__(
            f"the node at {url} is behind: it is at block {found}, and block {known} is known already; wait until it "
            "has caught up, or point to another node (if the chain itself lost blocks, restore it)"
        )
        self.found = found
        self.known = known


class Rpc:
    """One node. Thread-safe: httpx keeps a pool of connections.

    A node older than the tag ``finalized`` refuses it. Where its blocks are of a consensus that makes no block it
    could take back, the tag is the latest block, and is asked for as that.
    """

    def __init__(self, url: str, timeout_s: float = 10.0) -> None:
        self.url = url
        self._http = httpx.Client(
            timeout=timeout_s,
            limits=httpx.Limits(max_connections=16, max_keepalive_connections=8),
            trust_env=False,
        )
        self._ids = itertools.count(1)
        self._final_tag = _FINALIZED
        self._is_finality_known = False
        self._timeout_s = timeout_s

    def __reduce__(self) -> tuple[type[Rpc], tuple[str, float]]:
        """Another process has connections of its own to the same node."""
        return Rpc, (self.url, self._timeout_s)

    def call(self, method: str, *params: object) -> Any:
        """The result of one call. Raises NodeUnreachable, RpcError, WrongAnswer."""
        found = self._once(method, self._known_tags(params))
        if isinstance(found, RpcError) and _FINALIZED in params and self._learns_finality():
            found = self._once(method, self._known_tags(params))
        return _raise_error(found)

    def batch(self, calls: Sequence[tuple[str, Sequence[object]]]) -> list[Any]:
        """The results of many calls, in their order. Raises as ``call`` does, for the first that failed."""
        return [_raise_error(result) for result in self.batch_each(calls)]

    def batch_each(self, calls: Sequence[tuple[str, Sequence[object]]]) -> list[Any]:
        """As ``batch``, but a refused call leaves its RpcError in its place."""
        out: list[Any] = []
        for part in self._parts([(method, self._known_tags(params)) for method, params in calls]):
            out.extend(self._exchange(part))
        refused = [
            place
            for place, (_, params) in enumerate(calls)
            if isinstance(out[place], RpcError) and _FINALIZED in params
        ]
        if refused and self._learns_finality():
            for place in refused:
                method, params = calls[place]
                out[place] = self._once(method, self._known_tags(params))
        return out

    def close(self) -> None:
        """Closes the connections."""
        self._http.close()

    # --- finality ---

    def final_tag(self) -> str:
        """The tag by which this node knows its last final block: ``finalized``, or ``latest``. Raises NodeError."""
        self._learns_finality()
        return self._final_tag

    def _known_tags(self, params: Sequence[object]) -> list[object]:
        """The parameters with the tag of the last final block as this node knows it."""
        return [self._final_tag if isinstance(value, str) and value == _FINALIZED else value for value in params]

    def _learns_finality(self) -> bool:
        """Whether it comes out only now that this node calls the last final block its latest: then ask again."""
        if self._is_finality_known:
            return False
        if isinstance(self._once("eth_getBlockByNumber", [_FINALIZED, False]), RpcError):
            latest = self._once("eth_getBlockByNumber", ["latest", False])
            if isinstance(latest, dict) and latest.get("mixHash") == _BFT_MIX_HASH:
                self._final_tag = "latest"
        self._is_finality_known = True
        return self._final_tag != _FINALIZED

    # --- the wire ---

    def _once(self, method: str, params: Sequence[object]) -> Any:
        """The result of one call, or its RpcError."""
        asked = next(self._ids)
        answer = self._post({"jsonrpc": "2.0", "id": asked, "method": method, "params": params})
        if not isinstance(answer, dict) or answer.get("id") != asked:
            raise WrongAnswer(f"{self.url} did not answer {method}, but {str(answer)[:200]}")
        return _result(method, answer)

    def _parts(self, calls: Sequence[tuple[str, Sequence[object]]]) -> Iterator[list[tuple[int, str, str]]]:
        """(id, method, body) of each call, in parts that a node takes at once."""
        part: list[tuple[int, str, str]] = []
        size = 0
        for method, params in calls:
            asked = next(self._ids)
            body = json.dumps({"jsonrpc": "2.0", "id": asked, "method": method, "params": params})
            if part and (len(part) == _BATCH_CALLS or size + len(body) > _BATCH_BYTES):
                yield part
                part, size = [], 0
            part.append((asked, method, body))
            size += len(body)
        if part:
            yield part

    def _exchange(self, part: list[tuple[int, str, str]]) -> list[Any]:
        answers = self._post_text("[" + ",".join(body for _, _, body in part) + "]")
        if not isinstance(answers, list):
            raise WrongAnswer(f"{self.url} answered a batch with {str(answers)[:200]}")
        by_id = {answer.get("id"): answer for answer in answers if isinstance(answer, dict)}
        missing = [method for asked, method, _ in part if asked not in by_id]
        if missing:
            raise WrongAnswer(f"{self.url} left {len(missing)} of {len(part)} calls unanswered, first {missing[0]}")
        return [_result(method, by_id[asked]) for asked, method, _ in part]

    def _post(self, body: object) -> Any:
        return self._post_text(json.dumps(body))

    def _post_text(self, body: str) -> Any:
        try:
            response = self._http.post(self.url, content=body, headers={"Content-Type": "application/json"})
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise NodeUnreachable(self.url, type(error).__name__, sent=False) from error
        except httpx.HTTPError as error:
            raise NodeUnreachable(self.url, type(error).__name__, sent=True) from error
        if response.status_code in (429, 502, 503, 504):
            raise NodeUnreachable(self.url, f"HTTP {response.status_code}", sent=True)
        content = response.content
        # httpx's stream refers back to its response: left there, megabytes of logs would wait for a search for cycles.
        response.stream = _READ
        try:
            return from_json(content, cache_strings="keys")
        except ValueError as error:
            raise WrongAnswer(f"{self.url} answered HTTP {response.status_code} that is not JSON: {error}") from error


def _result(method: str, answer: dict[str, Any]) -> Any:
    """The result, or the RpcError that the node gave."""
    error = answer.get("error")
    if error is None:
        if "result" not in answer:
            raise WrongAnswer(f"neither result nor error in the answer to {method}")
        return answer["result"]
    if not isinstance(error, dict):
        raise WrongAnswer(f"an error without a code in the answer to {method}: {error!r}")
    return RpcError(method, int(error.get("code", 0)), str(error.get("message", "")), error.get("data"))


def _raise_error(result: Any) -> Any:
    if isinstance(result, RpcError):
        raise result
    return result
