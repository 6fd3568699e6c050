"""Tells suppliers of their final receipts: ``python -m api.notifier --home DIR``.

Signed as the Standard Webhooks specification has it: HMAC-SHA256 over id, time and body, the key being the secret's
bytes. At least once, in no promised order: who receives keeps the ids it has seen, refuses a time more than five
minutes off, and compares signatures in constant time. Redirects are not followed, and no address inside our own network
is called.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import hmac
import ipaddress
import random
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import httpx
import structlog

from api.store import database_url, open_database
from api.webhooks import SECRET_MARK, Message, Receipts, Webhook, Webhooks, is_loopback
from ledger.queries import Ledger

DELAYS_S = (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
"""Between attempts, as the specification advises; after the last a message is given up and can be queued again."""
_TIMEOUT_S = 15.0
_POLL_S = 2.0
_GONE = 410

log = structlog.get_logger()


class ForbiddenAddress(Exception):
    """A webhook's name leads into a network that we do not call."""

    def __init__(self, host: str, address: str) -> None:
        super().__init__(f"{host} is {address}, no public address; give a public one")


def sign(secret: str, name: str, at: int, body: str) -> str:
    """The value of ``webhook-signature``."""
    key = base64.b64decode(secret.removeprefix(SECRET_MARK))
    digest = hmac.new(key, f"{name}.{at}.{body}".encode(), hashlib.sha256).digest()
    return "v1," + base64.b64encode(digest).decode()


class Notifier:
    """Queues and sends. ``clock`` gives seconds UTC; ``jitter`` spreads attempts, from 0 to 1 of a tenth."""

    def __init__(
        self,
        webhooks: Webhooks,
        ledger: Receipts,
        clock: Callable[[], float] = time.time,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._webhooks, self._ledger = webhooks, ledger
        self._clock, self._jitter = clock, jitter
        self._http = httpx.Client(timeout=_TIMEOUT_S, follow_redirects=False, trust_env=False)

    def step(self) -> int:
        """Queues what is new and sends what is due; how many were delivered."""
        known = {webhook.id: webhook for webhook in self._webhooks.all() if webhook.ended is None}
        for webhook in known.values():
            self._webhooks.enqueue(webhook, self._ledger, self._now())
        delivered = 0
        failing: dict[str, int] = {}
        for message in self._webhooks.due(self._now()):
            webhook_now = known.get(message.webhook)
            if webhook_now is None:
                continue
            if message.webhook in failing:
                self._webhooks.postponed(message, failing[message.webhook])
                continue
            answer = self._send(webhook_now, message)
            if answer is None:
                delivered += 1
            else:
                next_at = self._fail(webhook_now, message, answer)
                if not _is_own_fault(answer):
                    failing[message.webhook] = next_at
        return delivered

    def run(self, stop: threading.Event) -> None:
        """Until it is told to stop."""
        while not stop.is_set():
            if not self.step():
                stop.wait(_POLL_S)

    def close(self) -> None:
        """Closes the connections."""
        self._http.close()

    def _now(self) -> int:
        return int(self._clock())

    def _send(self, webhook: Webhook, message: Message) -> str | None:
        """Sends once; None where the other side took it, else what it answered."""
        at = self._now()
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "kopeck-webhooks/1",
            "webhook-id": message.id,
            "webhook-timestamp": str(at),
            "webhook-signature": sign(webhook.secret, message.id, at, message.body),
        }
        try:
            url, host = _resolved(webhook.url)
            response = self._http.post(
                url,
                content=message.body.encode(),
                headers=headers | {"Host": urlsplit(webhook.url).netloc},
                extensions={"sni_hostname": host},
            )
        except (httpx.HTTPError, OSError, ForbiddenAddress) as error:
            return f"{type(error).__name__}: {error}"
        if response.is_success:
            self._webhooks.delivered(message, at, f"HTTP {response.status_code}")
            return None
        if response.status_code == _GONE:
            self._webhooks.end(webhook.id, "the other side answered 410 Gone")
        return f"HTTP {response.status_code}"

    def _fail(self, webhook: Webhook, message: Message, answer: str) -> int:
        """Notes a failure; when the address is tried again."""
        is_last = message.attempts >= len(DELAYS_S)
        delay = DELAYS_S[min(message.attempts, len(DELAYS_S) - 1)]
        next_at = self._now() + delay + int(delay * self._jitter() / 10)
        is_gone = answer == f"HTTP {_GONE}"
        self._webhooks.failed(message, None if is_last or is_gone else next_at, answer[:200])
        log.warning("webhook not delivered", webhook=webhook.id, message=message.id, answer=answer[:200], last=is_last)
        return next_at


def _is_own_fault(answer: str) -> bool:
    """Whether only this message was refused, and the address is well: others go on."""
    return answer.startswith("HTTP 4") and answer not in ("HTTP 429", f"HTTP {_GONE}")


def _resolved(url: str) -> tuple[str, str]:
    """The URL with the number of its host, checked, so that the name can't lead elsewhere a moment later; and the
    host, for TLS. Raises ForbiddenAddress, OSError."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    found = socket.getaddrinfo(host, parts.port or (443 if parts.scheme == "https" else 80), type=socket.SOCK_STREAM)
    addresses = [str(entry[4][0]) for entry in found]
    for address in addresses:
        if not (ipaddress.ip_address(address).is_global or (is_loopback(host) and parts.scheme == "http")):
            raise ForbiddenAddress(host, address)
    number = f"[{addresses[0]}]" if ":" in addresses[0] else addresses[0]
    netloc = number if parts.port is None else f"{number}:{parts.port}"
    return urlunsplit((parts.scheme, netloc, parts.path or "/", parts.query, "")), host


def main(arguments: Sequence[str] | None = None) -> int:
    """Tells until it is told to stop."""
    parser = argparse.ArgumentParser(prog="api.notifier", description="Tells suppliers of their final receipts.")
    parser.add_argument("--home", type=Path, default=Path("var/local"))
    options = parser.parse_args(arguments)
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    stop = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stop.set())
    notifier = Notifier(Webhooks(open_database(database_url(options.home))), Ledger.open(options.home))
    log.info("notifier.started", home=str(options.home))
    notifier.run(stop)
    notifier.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
