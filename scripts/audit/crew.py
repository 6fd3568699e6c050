"""Work spread over processes that are forked from the audit, and so know all that it has learned up to then."""

from __future__ import annotations

import gc
import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any, Generic, TypeVar

from scripts.audit.finding import CannotAudit

_T = TypeVar("_T")
_R = TypeVar("_R")
_at_hand: Callable[[Any], Any] | None = None
"""What forked processes do with a task: set just before they are forked, never sent."""


class Running(Generic[_R]):
    """Tasks under way."""

    def __init__(self, results: Sequence[Future[_R]] | Iterator[_R]) -> None:
        self._results = results

    def results(self) -> Iterator[_R]:
        """Their results, in the order of the tasks. Raises CannotAudit where a process was killed."""
        for each in self._results:
            try:
                yield each.result() if isinstance(each, Future) else each
            except BrokenProcessPool as error:
                raise CannotAudit(
                    "worker-killed", "a process of the audit was killed, by lack of memory or by hand",
                    "Start again with more memory, or with --processes 1; what was read of the chain is kept",
                ) from error  # fmt: skip


class Crew:
    """``size`` processes; with fewer than two everything is done in this one, in the same order."""

    def __init__(self, size: int) -> None:
        self._size = size if "fork" in multiprocessing.get_all_start_methods() else 1

    @contextmanager
    def at(self, work: Callable[[_T], _R], tasks: Sequence[_T]) -> Iterator[Running[_R]]:
        """Does ``work`` with each of the tasks; what it needs besides is inherited, and must not change meanwhile."""
        global _at_hand  # noqa: PLW0603  the one way by which a forked process gets what can't be sent
        if self._size < 2 or len(tasks) < 2:
            yield Running(work(task) for task in tasks)
            return
        _at_hand = work
        gc.collect()
        gc.freeze()  # the collector would otherwise touch, and so copy, all that is shared
        try:
            with ProcessPoolExecutor(min(self._size, len(tasks)), multiprocessing.get_context("fork")) as pool:
                yield Running([pool.submit(_do, task) for task in tasks])
        finally:
            _at_hand = None
            gc.unfreeze()


def _do(task: Any) -> Any:
    if _at_hand is None:
        raise RuntimeError("a process of the audit knows nothing of its work")
    return _at_hand(task)


def usual_size(bytes_to_read: int) -> int:
    """How many processes an audit of so much is worth: none for a small town, at most one a core."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return 1 if bytes_to_read < _SMALL_BYTES else cores


_SMALL_BYTES = 32_000_000
