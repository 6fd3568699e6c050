"""A process killed with SIGKILL at one of its numbered steps, and the next one that goes on from what it left.

A step is a moment at which something outside the process is asked or changed: before a request over HTTP and after its
answer, before a commit and after it, before a file takes its name and after that. Between two steps a kill leaves the
same behind as at the first of them. Lives are led in forks of this process, where all that is imported here is there.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy.engine.default import DefaultDialect

_OUTSIDE = ((httpx.HTTPTransport, "handle_request"), (DefaultDialect, "do_commit"), (Path, "replace"))


class LifeFailed(RuntimeError):
    """A life ended otherwise than by its kill or its end; what it died of is on the error stream."""

    def __init__(self, status: int, kill_at: int | None) -> None:
        super().__init__(f"a process to be killed at step {kill_at} ended with status {status}; see its traceback")


class Steps:
    """Numbers the steps of this process, and kills it at one of them."""

    def __init__(self, kill_at: int | None = None) -> None:
        self.count = 0
        self.resumed_s: float | None = None
        self.resumed_cpu_s: float | None = None
        self._kill_at = kill_at
        self._is_apart = False
        self._began, self._began_cpu = time.perf_counter(), time.process_time()

    def __call__(self, *_: object) -> None:
        if self._is_apart:
            return
        self.count += 1
        if self.count == self._kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    @contextmanager
    def apart(self) -> Iterator[None]:
        """What others do in this process is numbered not."""
        self._is_apart = True
        yield
        self._is_apart = False

    def resumed(self) -> None:
        """Notes, the first time, how long after the beginning the process was at work again."""
        if self.resumed_s is None:
            self.resumed_s = time.perf_counter() - self._began
            self.resumed_cpu_s = time.process_time() - self._began_cpu

    def number_everything(self) -> None:
        """Numbers what this whole process does from now on, whoever opened what it does it with."""
        for owner, name in _OUTSIDE:
            setattr(owner, name, self._around(getattr(owner, name)))

    def _around(self, act: Callable[..., Any]) -> Callable[..., Any]:
        def stepped(*arguments: Any, **named: Any) -> Any:
            self()
            found = act(*arguments, **named)
            self()
            return found

        return stepped


class UntilIdle(threading.Event):
    """The stop of a service's loop: set when it waits for the first time, which is when there is nothing left to do."""

    def __init__(self, steps: Steps) -> None:
        super().__init__()
        self._steps = steps

    def wait(self, _timeout: float | None = None) -> bool:
        """Ends the loop."""
        self._steps.resumed()
        self.set()
        return True


@dataclass(frozen=True, slots=True)
class Ended:
    """How a life ended: ``was_killed``, or after ``steps`` of them with a ``value`` of plain JSON. ``resumed_s`` is
    until it was at work, ``cpu_s`` the processor's part of that."""

    was_killed: bool
    steps: int = 0
    value: Any = None
    resumed_s: float = 0.0
    cpu_s: float = 0.0


def lead(life: Callable[[Steps], object], kill_at: int | None = None) -> Ended:
    """Leads a life in a fork, to its end or to a step. Raises LifeFailed."""
    source, sink = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(source)
        _live(life, kill_at, sink)
    os.close(sink)
    with os.fdopen(source) as told:
        words = told.read()
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
        return Ended(True)
    if status != 0:
        raise LifeFailed(status, kill_at)
    return Ended(False, *json.loads(words))


def _live(life: Callable[[Steps], object], kill_at: int | None, sink: int) -> None:
    """Never returns."""
    code = 1
    try:
        steps = Steps(kill_at)
        steps.number_everything()
        value = life(steps)
        with os.fdopen(sink, "w") as out:
            json.dump([steps.count, value, steps.resumed_s or 0.0, steps.resumed_cpu_s or 0.0], out)
        code = 0
    except BaseException:
        traceback.print_exc(file=sys.stderr)
    finally:
        sys.stderr.flush()
        os._exit(code)
