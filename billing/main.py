"""The billing process: ``python -m billing.main --home DIR --rpc URL``."""

from __future__ import annotations

import argparse
import logging
import signal
import sys
from pathlib import Path
from threading import Event

import structlog

from billing.collect import Collector
from billing.office import AGENT, BILLER, RELAY, WELFARE, Office
from contracts.client.attach import await_node, plain_end
from contracts.client.deployments import Deployment
from contracts.client.rpc import Rpc
from contracts.client.signer import open_signer


def main(arguments: list[str] | None = None) -> int:
    """Collects until it is told to stop. 0 when it was; 2 and 3 as ``contracts.client.attach`` says."""
    parser = argparse.ArgumentParser(prog="billing.main", description="Bills runs and sends what the inbox holds.")
    parser.add_argument("--home", type=Path, default=Path("var/local"))
    parser.add_argument("--rpc", default="http://127.0.0.1:8545")
    options = parser.parse_args(arguments)
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    stop = Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stop.set())
    with plain_end():
        signers = {name: open_signer(options.home, name) for name in (BILLER, RELAY, AGENT, WELFARE)}
        rpc, deployment = Rpc(options.rpc), Deployment.load(options.home / "deployment.json")
        await_node(rpc, deployment, stop)
        office = Office.open(options.home, rpc, deployment, signers)
        structlog.get_logger().info("billing.started", home=str(options.home), chain=deployment.chain_id)
        Collector(office).run(stop.is_set)
    return 0


if __name__ == "__main__":
    sys.exit(main())
