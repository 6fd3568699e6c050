"""The oracle's process: HTTP intake and the anchoring loop.

    python -m oracle.main --home DIR --rpc URL [--port 8001]

Keys in DIR/keys: ``oracle`` pays for anchoring, ``validation`` and ``self-report`` sign the oracle's own batches;
``files.token`` entitles readers of files. Kill it at any moment; what was answered is on disk.
"""

from __future__ import annotations

import argparse
import logging
import os
import secrets
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import structlog
import uvicorn

from contracts.client.attach import HALTING, await_node, halt_code, plain_end
from contracts.client.deployments import Deployment
from contracts.client.files import FileStore
from contracts.client.private import private_folder
from contracts.client.reader import Reader
from contracts.client.rpc import NodeError, Rpc
from contracts.client.sender import Sender, TransactionRefused
from contracts.client.signer import open_signer
from contracts.wire.calls import encode_reset_epoch
from contracts.wire.ids import Address, Hash, SourceClass, SourceId
from contracts.wire.typed_data import address_of
from oracle.anchoring import Anchoring
from oracle.chain import OnChain
from oracle.concentrator import read_key
from oracle.desks import Desk, self_report_desk, validation_desk
from oracle.errors import ChainUnavailable
from oracle.http import Resetter, make_app
from oracle.intake import Intake
from oracle.keys import SealingKeys
from oracle.refusals import MalformedRequest
from oracle.schema import open_database

TICK_S = 0.25

log = structlog.get_logger(__name__)


class OwnDesks:
    """The oracle's own sources, as soon as the operator has registered their keys."""

    def __init__(self, chain: OnChain, keys: Path) -> None:
        self._chain = chain
        self._keys = keys
        self._found: dict[SourceClass, Desk] = {}

    def __call__(self) -> Sequence[Desk]:
        for kind, name, make in (
            (SourceClass.VALIDATION, "validation", validation_desk),
            (SourceClass.SELF_REPORT, "self-report", self_report_desk),
        ):
            path = self._keys / f"{name}.key"
            if kind not in self._found and path.exists():
                key = read_key(path)
                source = self._chain.own_source(address_of(key), kind)
                if source is not None:
                    self._found[kind] = make(source, key)
                    log.info("own source found", kind=kind.name, source=source)
        return list(self._found.values())


def make_resetter(sender: Sender, contract: Address) -> Resetter:
    """Brings declared gaps onto the chain; the chain itself checks both signatures."""

    def reset(body: Mapping[str, Any]) -> str:
        try:
            source = SourceId(int(body["source"]))
            reason, by_source, by_operator = (
                bytes.fromhex(str(body[name]).removeprefix("0x"))
                for name in ("reason", "source_signature", "operator_signature")
            )
        except (KeyError, ValueError, TypeError) as error:
            raise MalformedRequest(f"not an epoch reset: {error}") from error
        if len(reason) != 32:
            raise MalformedRequest("not an epoch reset: `reason` is a hash of 32 bytes")
        intent = f"reset:{source}:{by_source.hex()[:32]}"
        sender.submit(intent, contract, encode_reset_epoch(source, Hash(reason), by_source, by_operator))
        return intent

    return reset


class AnchoringLoop(threading.Thread):
    """Ticks until told to stop. A node that is away or behind is waited for; what can't be got over ends the process,
    with ``exit_code``."""

    def __init__(self, stop: threading.Event, anchoring: Anchoring, server: uvicorn.Server) -> None:
        super().__init__(name="anchoring", daemon=True)
        self.exit_code = 0
        self._told_to_stop = stop
        self._anchoring = anchoring
        self._server = server

    def run(self) -> None:
        try:
            self._tick_until_told()
        except HALTING as fault:
            log.error("halted", fault=type(fault).__name__, reason=str(fault))
            self.exit_code = halt_code(fault)
        except Exception:
            log.exception("anchoring stopped")
            self.exit_code = 1
        self._server.should_exit = True

    def _tick_until_told(self) -> None:
        away = False
        while not self._told_to_stop.wait(TICK_S):
            try:
                self._anchoring.tick()
                away = False
            except (ChainUnavailable, NodeError, TransactionRefused) as error:
                if not away:
                    log.warning("anchoring waits for the node", reason=str(error))
                away = True


def database_url(home: Path) -> str:
    """KOPECK_ORACLE_DB, or SQLite in the town's directory."""
    folder = home / "oracle"
    return os.environ.get("KOPECK_ORACLE_DB") or f"sqlite:///{folder / 'oracle.db'}"


def read_token(path: Path) -> str:
    """The bearer token of entitled readers, drawn when it is first asked for."""
    if not path.exists():
        private_folder(path.parent)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(32) + "\n")
    return path.read_text().strip()


def serve(home: Path, rpc_url: str, port: int) -> None:
    """Runs the process until it is told to stop. Raises WrongChain, NotDeployed."""
    deployment = Deployment.load(home / "deployment.json")
    rpc = Rpc(rpc_url)
    await_node(rpc, deployment, threading.Event())
    reader = Reader(rpc, deployment)
    chain = OnChain(reader, deployment)
    engine = open_database(database_url(home))
    intake = Intake(engine, FileStore(home / "oracle" / "files"), SealingKeys(home / "keyring.db"), chain)
    sender = Sender(engine, rpc, deployment.chain_id, open_signer(home, "oracle"))
    contract = deployment.addresses["ReadingAnchor"]
    anchoring = Anchoring(intake, reader, sender, contract, OwnDesks(chain, home / "keys"))
    app = make_app(intake, read_token(home / "keys" / "files.token"), make_resetter(sender, contract))
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_config=None, access_log=False))
    stop = threading.Event()
    loop = AnchoringLoop(stop, anchoring, server)
    loop.start()
    server.run()
    stop.set()
    loop.join(timeout=10)
    if loop.exit_code:
        sys.exit(loop.exit_code)


def main(argv: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m oracle.main", description=__doc__)
    parser.add_argument("--home", type=Path, default=Path("var/local"), help="the town's directory")
    parser.add_argument("--rpc", default="http://127.0.0.1:8545", help="a node of the town's chain")
    parser.add_argument("--port", type=int, default=8001, help="the intake's port on 127.0.0.1")
    arguments = parser.parse_args(argv)
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING)
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    with plain_end():
        serve(arguments.home, arguments.rpc, arguments.port)


if __name__ == "__main__":
    main()
