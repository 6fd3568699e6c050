"""A proxy before a node that loses requests and answers, for tests of what a client makes of it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx


class Fault(Enum):
    """What happens to one request."""

    NONE = "goes through"
    LOST = "never reaches the node"
    ANSWER_LOST = "reaches the node, the answer is lost"
    CUT = "reaches the node, the answer is cut short"
    BUSY = "HTTP 503"


@contextmanager
def faulty_proxy(node_url: str, choose: Callable[[], Fault]) -> Iterator[str]:
    """The URL of a proxy before ``node_url`` that asks ``choose`` what to do with each request."""
    client = httpx.Client(trust_env=False)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            fault = choose()
            if fault is Fault.LOST:
                self.close_connection = True
                self.connection.close()
                return
            if fault is Fault.BUSY:
                self._answer(503, b"")
                return
            answer = client.post(node_url, content=body, headers={"Content-Type": "application/json"}).content
            if fault is Fault.ANSWER_LOST:
                self.close_connection = True
                self.connection.close()
                return
            self._answer(200, answer[: len(answer) // 2] if fault is Fault.CUT else answer)

        def _answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        client.close()
