"""How a process comes to its node, and how it ends when it can't go on: the same words and codes for all of them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from contracts.client.deployments import Deployment, NotDeployed, WrongChain
from contracts.client.rpc import NodeBehind, NodeError, Rpc
from contracts.client.sender import AnotherSender, ChainWentBack, KeyUsedElsewhere
from contracts.client.signer import NoKey, SignerRefused

WRONG_PLACE = 2
"""Exit code: the node is of another chain, or its chain holds other contracts."""
WRONG_KEY = 3
"""Exit code: the key sends from elsewhere too, or is not to be had, or the chain lost what was final of it."""
KEY_FAULTS = (KeyUsedElsewhere, ChainWentBack, AnotherSender, SignerRefused, NoKey)
HALTING = (WrongChain, NotDeployed, *KEY_FAULTS)
"""What a process can't get over by itself: it says so and ends."""

_POLL_S = 0.25

_log = structlog.get_logger(__name__)


def await_node(rpc: Rpc, deployment: Deployment, stop: threading.Event) -> None:
    """Waits for a node that is away or behind, and makes sure that it is of the right chain.

    Returns early once ``stop`` is set. Raises WrongChain, NotDeployed.
    """
    told = ""
    while not stop.is_set():
        try:
            return check_node(rpc, deployment)
        except NodeError as error:
            if type(error).__name__ != told:
                _log.warning("node away; waiting for it", reason=str(error))
            told = type(error).__name__
        stop.wait(_POLL_S)


def check_node(rpc: Rpc, deployment: Deployment) -> None:
    """As ``Deployment.check``, but a node that has not come to the contracts' blocks yet is behind.

    Raises WrongChain, NotDeployed, NodeError.
    """
    try:
        deployment.check(rpc)
    except NotDeployed:
        head = int(rpc.call("eth_blockNumber"), 16)
        if head < deployment.first_block:
            raise NodeBehind(rpc.url, head, deployment.first_block) from None
        raise


def halt_code(fault: Exception) -> int:
    """The exit code of what ended a process."""
    return WRONG_KEY if isinstance(fault, KEY_FAULTS) else WRONG_PLACE


@contextmanager
def plain_end(*also: type[Exception]) -> Iterator[None]:
    """Has what a process can't get over, and ``also`` faults of its own, end it with one line and a code."""
    faults: tuple[type[Exception], ...] = (*HALTING, *also)
    try:
        yield
    except faults as fault:
        _log.error("halted", fault=type(fault).__name__, reason=str(fault))
        raise SystemExit(halt_code(fault)) from fault
