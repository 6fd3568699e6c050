"""What the ledger's processes have in common: arguments, keys, where files come from, the end by signal."""

from __future__ import annotations

import argparse
import logging
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog

from contracts.client.attach import await_node, plain_end
from contracts.client.deployments import Deployment
from contracts.client.files import FileSource, FileStore, HttpSource
from contracts.client.reader import Reader
from contracts.client.rpc import Rpc
from contracts.client.signer import Signer, open_signer
from contracts.wire.ids import Hash
from ledger.errors import LedgerFault

POLL_S = 0.1


@dataclass(frozen=True)
class Setting:
    """Where a process stands: its town, its chain, and who serves it files."""

    home: Path
    reader: Reader
    files: FileSource
    stop: threading.Event

    @property
    def deployment(self) -> Deployment:
        """The town's contracts."""
        return self.reader.deployment

    def signer(self, name: str) -> Signer:
        """Who signs for a party of the town. Raises NoKey."""
        return open_signer(self.home, name)


def run_to_the_end(run: Callable[[Setting], None], program: str, description: str, argv: Sequence[str] | None) -> None:
    """Runs a process; what it can't get over ends it with a code of its own and a plain word."""
    with plain_end(LedgerFault):
        run(start(program, description, argv))


def start(program: str, description: str, argv: Sequence[str] | None) -> Setting:
    """Reads the arguments, checks the chain, and has SIGTERM and SIGINT end the loop after its present round."""
    parser = argparse.ArgumentParser(prog=f"python -m {program}", description=description)
    parser.add_argument("--home", type=Path, default=Path("var/local"), help="the town's directory")
    parser.add_argument("--rpc", default="http://127.0.0.1:8545", help="a node of the town's chain")
    parser.add_argument("--oracle-url", default=None, help="who serves files of readings; default: the oracle's folder")
    arguments = parser.parse_args(argv)
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING)
    structlog.configure(
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
    )
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    rpc = Rpc(arguments.rpc)
    deployment = Deployment.load(arguments.home / "deployment.json")
    await_node(rpc, deployment, stop)
    files = _files(arguments.home, arguments.oracle_url)
    return Setting(arguments.home, Reader(rpc, deployment), files, stop)


def _files(home: Path, oracle_url: str | None) -> FileSource:
    """Readings from the oracle's server (or, on one machine, its folder); bills and grants from billing's folder."""
    oracle: FileSource = FileStore(home / "oracle" / "files")
    if oracle_url is not None:
        token = home / "keys" / "files.token"
        if not token.exists():
            raise SystemExit(f"{token} is not there: start the oracle first, which makes it")
        oracle = HttpSource(oracle_url, token.read_text().strip())
    return _ByKind(oracle, FileStore(home / "billing" / "files"))


class _ByKind:
    """Each kind of file from whoever serves it."""

    def __init__(self, oracle: FileSource, billing: FileSource) -> None:
        self._oracle = oracle
        self._billing = billing

    def get(self, kind: str, name: Hash) -> bytes | None:
        """The file from its server. Raises SourceUnreachable, AccessDenied."""
        return (self._oracle if kind in ("readings", "documents") else self._billing).get(kind, name)
