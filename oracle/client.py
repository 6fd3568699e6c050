"""The oracle's HTTP interface from a source's side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx

from contracts.wire.ids import Hash
from oracle.batch import ChainHead, SignedBatch, batch_to_json


class OracleUnreachable(Exception):
    """No answer: the batch may have been taken all the same. Send it again later; a repeat changes nothing."""

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(f"the oracle at {url} does not answer ({reason}); nothing is lost, it is sent again later")
        self.url = url


class Refused(Exception):
    """The oracle's problem document: ``slug`` names the fault, ``remedy`` what to do."""

    def __init__(self, problem: dict[str, Any]) -> None:
        super().__init__(str(problem.get("detail", problem)))
        self.problem = problem
        self.slug = str(problem.get("type", "")).rsplit(":", 1)[-1]
        self.remedy = str(problem.get("remedy", ""))


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a source goes on from; the last sequence of its epoch that is on the chain; heads of batches that will
    never be; sequences to sign again; the chain's time."""

    head: ChainHead
    anchored: int
    lost: frozenset[bytes]
    sign_again: tuple[int, ...]
    chain_time: int


class OracleClient:
    """One oracle. ``token`` is needed for putting documents only."""

    def __init__(self, base_url: str, token: str | None = None, timeout_s: float = 60.0) -> None:
        self._base = base_url.rstrip("/")
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        self._http = httpx.Client(timeout=timeout_s, headers=headers, trust_env=False)

    def close(self) -> None:
        """Closes the connections."""
        self._http.close()

    def post(self, batch: SignedBatch) -> dict[str, Any]:
        """Sends a batch; its receipt. Raises Refused, OracleUnreachable."""
        return self._send("POST", "/batches", content=batch_to_json(batch))

    def put_signature(self, source: int, sequence: int, signature: bytes) -> dict[str, Any]:
        """Gives a batch that the oracle holds a new signature. Raises Refused, OracleUnreachable."""
        path = f"/batches/{source}/{sequence}/signature"
        return self._send("PUT", path, json={"signature": "0x" + signature.hex()})

    def standing(self, source: int) -> Standing:
        """Where a source's chain stands. Raises Refused, OracleUnreachable."""
        value = self._send("GET", f"/sources/{source}/head")
        head = ChainHead(value["epoch"], value["sequence"], bytes.fromhex(value["head"][2:]))
        lost = frozenset(bytes.fromhex(text[2:]) for text in value["lost"])
        return Standing(head, value["anchored"], lost, tuple(value["sign_again"]), value["chain_time"])

    def batch(self, source: int, sequence: int) -> dict[str, Any]:
        """What the oracle knows of a batch. Raises Refused, OracleUnreachable."""
        return self._send("GET", f"/batches/{source}/{sequence}")

    def put_document(self, name: Hash, data: bytes) -> None:
        """Hands over the file behind a batch. Raises Refused, OracleUnreachable."""
        self._send("PUT", f"/documents/0x{name.hex()}", content=data)

    def batches_of_document(self, name: Hash, source: int) -> list[int]:
        """Sequences of the source's accepted batches that rest on a document. Raises Refused, OracleUnreachable."""
        rows: Any = self._send("GET", f"/documents/0x{name.hex()}/batches", params={"source": source})
        return [row["header"]["sequence"] for row in rows]

    def reset(self, source: int, reason: Hash, source_signature: bytes, operator_signature: bytes) -> dict[str, Any]:
        """Hands over a declared gap for the chain. Raises Refused, OracleUnreachable."""
        body = {
            "source": source,
            "reason": "0x" + reason.hex(),
            "source_signature": "0x" + source_signature.hex(),
            "operator_signature": "0x" + operator_signature.hex(),
        }
        return self._send("POST", "/resets", json=body)

    def _send(self, method: str, path: str, **body: Any) -> dict[str, Any]:
        url = self._base + path
        try:
            response = self._http.request(method, url, **body)
        except httpx.HTTPError as error:
            raise OracleUnreachable(url, type(error).__name__) from error
        try:
            value: dict[str, Any] = response.json()
        except ValueError as error:
            raise OracleUnreachable(url, f"HTTP {response.status_code}, not JSON") from error
        if response.status_code >= 500:
            raise OracleUnreachable(url, f"HTTP {response.status_code}: {value.get('detail', '')}")
        if response.status_code >= 400:
            raise Refused(value)
        return value
