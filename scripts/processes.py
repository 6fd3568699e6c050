"""Child processes of a running town: started, watched, restarted and stopped by their own id, with a log each.

Every child has a file under ``run/`` that names its id and its command, so that what an unclean end left behind is
found and stopped by the next start, and nothing else ever is.
"""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from contracts.client.private import private_folder

log = structlog.get_logger()

_QUICK_S = 3.0
_MOST_QUICK_DEATHS = 5
_BACKOFF_S = (0.0, 0.2, 0.5, 1.0, 2.0)
_LISTENING = (10_000, 32_000)


class ProcessDied(RuntimeError):
    """A child ended before it was ready, or keeps ending."""

    def __init__(self, name: str, code: int | None, logfile: Path) -> None:
        super().__init__(
            f"{name} ended with code {code}; its last words in {logfile}:\n{last_lines(logfile)}\n"
            f"Remedy: read {logfile}, mend what it names, and start again."
        )
        self.name = name
        self.code = code
        self.logfile = logfile


class PortTaken(RuntimeError):
    """Somebody else listens where we must."""

    def __init__(self, port: int, what: str) -> None:
        super().__init__(f"port {port} on 127.0.0.1 is taken, and {what} needs it; stop what listens there")
        self.port = port


class NotReady(RuntimeError):
    """A child did not answer in time."""


@dataclass(frozen=True, slots=True)
class Spec:
    """How to start a child. ``stop_signal`` is what it takes for a clean end."""

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    stop_signal: int = signal.SIGTERM
    keep_running: bool = True


def spawn(spec: Spec, logfile: Path, runfile: Path) -> subprocess.Popen[bytes]:
    """Starts a process in a session of its own; ``runfile`` then names its id and its command. See `is_ours`."""
    with logfile.open("ab") as output:
        process = subprocess.Popen(
            spec.argv,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **spec.env},
            start_new_session=True,
        )
    runfile.write_text(json.dumps({"pid": process.pid, "argv": list(spec.argv)}))
    return process


@dataclass(slots=True)
class _Child:
    spec: Spec
    process: subprocess.Popen[bytes]
    started: float
    quick_deaths: int = 0


class Supervisor:
    """Owns the children of one home. Thread-safe; a watcher thread restarts what should be running."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._logs = home / "logs"
        self._run = home / "run"
        private_folder(self._logs)
        private_folder(self._run)
        self._children: dict[str, _Child] = {}
        self._lock = threading.RLock()
        self._ending = threading.Event()
        self._failure: ProcessDied | None = None
        self.restarts: dict[str, int] = {}
        self._watcher = threading.Thread(target=self._watch, name="supervisor", daemon=True)
        self._watcher.start()

    def logfile(self, name: str) -> Path:
        """Where a child's output goes."""
        return self._logs / f"{name}.log"

    def start(self, spec: Spec) -> int:
        """Starts a child; returns its process id."""
        with self._lock:
            child = _Child(spec, self._spawn(spec), time.monotonic())
            self._children[spec.name] = child
            return child.process.pid

    def running(self, name: str) -> bool:
        """Whether the child lives now."""
        with self._lock:
            child = self._children.get(name)
            return child is not None and child.process.poll() is None

    def names(self) -> list[str]:
        """The children, in the order they were started."""
        with self._lock:
            return list(self._children)

    def kill(self, name: str) -> None:
        """SIGKILL, at once; the watcher starts it again."""
        with self._lock:
            child = self._children[name]
            if child.process.poll() is None:
                child.process.kill()
                child.process.wait()
            child.started = 0.0

    def stop(self, name: str, timeout_s: float = 8.0) -> None:
        """Asks a child to end, and ends it where it will not."""
        with self._lock:
            child = self._children.pop(name, None)
        if child is not None:
            _end(child.process, child.spec.stop_signal, timeout_s)
            self._run_file(name).unlink(missing_ok=True)

    def stop_all(self) -> None:
        """Ends every child, the last started first, so that the chain goes last."""
        self._ending.set()
        for name in reversed(self.names()):
            self.stop(name)

    def wait(self, name: str, timeout_s: float) -> int:
        """Waits for a child that ends by itself; returns its exit code. Raises NotReady."""
        with self._lock:
            child = self._children[name]
        try:
            return child.process.wait(timeout_s)
        except subprocess.TimeoutExpired as error:
            raise NotReady(f"{name} is still at work after {timeout_s:.0f} s; see {self.logfile(name)}") from error

    def check(self) -> None:
        """Raises ProcessDied where a child ended again and again."""
        if self._failure is not None:
            raise self._failure

    def until(self, ready: Callable[[], bool], what: str, timeout_s: float, poll_s: float = 0.1) -> None:
        """Waits until ``ready`` says so. Raises NotReady, or ProcessDied as soon as a child is beyond help."""
        deadline = time.monotonic() + timeout_s
        while not ready():
            self.check()
            if time.monotonic() > deadline:
                raise NotReady(f"{what}: not done after {timeout_s:.0f} s; see the logs in {self._logs}")
            time.sleep(poll_s)

    def _spawn(self, spec: Spec) -> subprocess.Popen[bytes]:
        return spawn(spec, self.logfile(spec.name), self._run_file(spec.name))

    def _run_file(self, name: str) -> Path:
        return self._run / f"{name}.json"

    def _watch(self) -> None:
        while not self._ending.wait(0.1):
            with self._lock:
                for child in list(self._children.values()):
                    if child.spec.keep_running and child.process.poll() is not None and self._failure is None:
                        self._revive(child)

    def _revive(self, child: _Child) -> None:
        name = child.spec.name
        lived = time.monotonic() - child.started
        code = child.process.returncode
        child.quick_deaths = child.quick_deaths + 1 if lived < _QUICK_S else 0
        if child.quick_deaths >= _MOST_QUICK_DEATHS:
            self._failure = ProcessDied(name, code, self.logfile(name))
            return
        if self._ending.wait(_BACKOFF_S[child.quick_deaths]):
            return
        log.warning("restarting", process=name, code=code, lived_s=round(lived, 1))
        self.restarts[name] = self.restarts.get(name, 0) + 1
        child.process = self._spawn(child.spec)
        child.started = time.monotonic()


def stop_leftovers(home: Path) -> list[str]:
    """Ends what an earlier, uncleanly ended start of this home left running; returns the names."""
    stopped: list[str] = []
    for path in sorted((home / "run").glob("*.json")):
        entry = json.loads(path.read_text())
        if is_ours(entry["pid"], entry["argv"]):
            _end_pid(entry["pid"])
            stopped.append(path.stem)
        path.unlink(missing_ok=True)
    return stopped


def free_port() -> int:
    """A port on 127.0.0.1 that nobody listens on now."""
    return free_ports(1)[0]


def free_ports(count: int) -> list[int]:
    """So many ports on 127.0.0.1, no two alike, that nobody listens on now.

    They lie below those that a system gives to outgoing connections (32768 and up, or 49152), so that a port drawn now
    is not somebody's own end of a connection by the time its listener starts.
    """
    draw = random.SystemRandom()
    with ExitStack() as held:
        found: list[int] = []
        while len(found) < count:
            probe = held.enter_context(socket.socket())
            port = draw.randrange(*_LISTENING)
            with suppress(OSError):
                probe.bind(("127.0.0.1", port))
                found.append(port)
        return found


def port_is_free(port: int) -> bool:
    """Whether we could listen there."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def last_lines(path: Path, count: int = 12) -> str:
    """The end of a log."""
    if not path.exists():
        return "(no log)"
    return "\n".join(path.read_text(errors="replace").splitlines()[-count:])


def _end(process: subprocess.Popen[bytes], stop_signal: int, timeout_s: float) -> None:
    if process.poll() is not None:
        return
    process.send_signal(stop_signal)
    try:
        process.wait(timeout_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def is_ours(pid: int, argv: Sequence[str]) -> bool:
    """Whether the process of that id still runs that very command: ids are used again."""
    seen = subprocess.run(
        ["ps", "-ww", "-p", str(pid), "-o", "args="],
        capture_output=True,
        text=True,
        check=False,
    ).stdout.strip()
    return bool(seen) and " ".join(argv[1:]) in seen


def _end_pid(pid: int, timeout_s: float = 5.0) -> None:
    deadline = time.monotonic() + timeout_s
    try:
        os.kill(pid, signal.SIGTERM)
        while time.monotonic() < deadline:
            os.kill(pid, 0)
            time.sleep(0.05)
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
