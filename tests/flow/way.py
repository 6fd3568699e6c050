"""The way to a node: processes are given its address, the test decides what they find behind it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx


class Way:
    """Passes requests on to ``target``, or cuts the connection while there is none.

    ``answers_to_lose`` counts down with each transaction that reaches the node while its answer is lost.
    """

    def __init__(self, target: str | None) -> None:
        self.target = target
        self.answers_to_lose = 0
        self.lost = 0
        self.sent = 0


@contextmanager
def way(to: Way, port: int) -> Iterator[None]:
    """Opens the way on a port."""
    client = httpx.Client(trust_env=False)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            target = to.target
            if target is None:
                self._cut()
                return
            answer = client.post(target, content=body, headers={"Content-Type": "application/json"}).content
            to.sent += b"eth_sendRawTransaction" in body
            if to.answers_to_lose and b"eth_sendRawTransaction" in body:
                to.answers_to_lose -= 1
                to.lost += 1
                self._cut()
                return
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def _cut(self) -> None:
            self.close_connection = True
            self.connection.close()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        client.close()
