"""A stand-in of Web3Signer in its eth1 mode, on loopback: its two routes, its checks, its signatures.

Written from its OpenAPI document (POST /api/v1/eth1/sign/{identifier}, a JSON object with ``data``; text/plain out;
400 for a malformed request, 404 for a key it does not hold) and from its code, where ``data`` is hashed with
keccak-256 before it is signed and v is 27 or 28. Keys and signatures are eth-account's, not ours.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from eth_account import Account
from eth_keys import keys
from eth_utils import keccak

Answer = Callable[[bytes, bytes], tuple[int, str]]
"""(private key, data) to (status, body): what a faulty signer says instead."""


def honest(private_key: bytes, data: bytes) -> tuple[int, str]:
    """What Web3Signer answers."""
    signed = Account.unsafe_sign_hash(keccak(data), private_key)
    return 200, f"0x{signed.r:064x}{signed.s:064x}{signed.v:02x}"


class Web3Signer:
    """Holds keys by their public key, and what it was asked to sign."""

    def __init__(self, private_keys: list[bytes]) -> None:
        self.keys = {keys.PrivateKey(key).public_key.to_bytes().hex(): key for key in private_keys}
        self.answer: Answer = honest
        self.signed: list[bytes] = []
        self.malformed: list[str] = []
        self.url = ""

    def reply(self, path: str, content_type: str, body: bytes) -> tuple[int, str]:
        """Status and body for one request."""
        prefix = "/api/v1/eth1/sign/"
        if not path.startswith(prefix) or content_type != "application/json":
            self.malformed.append(path)
            return 400, "Bad Request"
        try:
            asked = json.loads(body)
            (text,) = asked.values()
            data = bytes.fromhex(text.removeprefix("0x"))
            assert list(asked) == ["data"]
            assert text.startswith("0x")
        except (ValueError, AttributeError, AssertionError):
            self.malformed.append(body.decode(errors="replace"))
            return 400, "Bad Request"
        key = self.keys.get(path.removeprefix(prefix).removeprefix("0x").lower())
        if key is None:
            return 404, "Resource not found"
        self.signed.append(data)
        return self.answer(key, data)


@contextmanager
def web3signer(private_keys: list[bytes], port: int = 0) -> Iterator[Web3Signer]:
    """Runs one."""
    signer = Web3Signer(private_keys)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            status, text = signer.reply(self.path, self.headers["content-type"], body)
            self._send(status, text, "text/plain; charset=utf-8")

        def do_GET(self) -> None:
            if self.path == "/api/v1/eth1/publicKeys":
                self._send(200, json.dumps(["0x" + name for name in signer.keys]), "application/json")
            else:
                self._send(404, "Resource not found", "text/plain; charset=utf-8")

        def _send(self, status: int, text: str, kind: str) -> None:
            self.send_response(status)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    signer.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield signer
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
