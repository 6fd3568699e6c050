"""A chain that a bench has to itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scripts.chain import ChainSettings, Pacer, anvil, chain_answers
from scripts.processes import Supervisor, free_port

START = 1_767_225_600
"""Time of its first block: 2026-01-01 00:00 UTC."""
_ANSWERS_WITHIN_S = 20.0


@contextmanager
def own_chain(folder: Path, block_time_s: float | None = None) -> Iterator[str]:
    """The address of an Anvil that ends with the context. Without ``block_time_s`` it mines when asked to."""
    supervisor = Supervisor(folder)
    try:
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        supervisor.start(anvil(ChainSettings(port, START, block_time_s=block_time_s)))
        supervisor.until(lambda: chain_answers(url), "the chain to answer", _ANSWERS_WITHIN_S)
        yield url
    finally:
        supervisor.stop_all()


@contextmanager
def paced(url: str, pace_s: float) -> Iterator[None]:
    """Blocks at a pace for as long as the context lasts: for setting up, where whoever sends waits for a block."""
    pacer = Pacer(url, pace_s)
    try:
        yield
    finally:
        pacer.stop()
