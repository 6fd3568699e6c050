"""Processes that outlive the command that started them, each found again by the file that names it.

`kopeck network up` ends and its nodes go on; the next command finds them by their own id and command line, and ends
or kills them by that and nothing else.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path

from contracts.client.private import private_folder
from scripts.processes import NotReady, Spec, is_ours, last_lines, spawn

_POLL_S = 0.05
_END_S = 15.0


class DaemonDied(RuntimeError):
    """A process ended by itself at its start."""

    def __init__(self, name: str, logfile: Path) -> None:
        super().__init__(f"{name} ended at once; its last words in {logfile}:\n{last_lines(logfile)}")
        self.name = name


class Daemons:
    """The long-lived processes of one folder."""

    def __init__(self, folder: Path) -> None:
        self._logs = private_folder(folder / "logs")
        self._run = private_folder(folder / "run")
        self._own: dict[str, subprocess.Popen[bytes]] = {}

    def logfile(self, name: str) -> Path:
        """Where a process's output goes."""
        return self._logs / f"{name}.log"

    def pid(self, name: str) -> int | None:
        """The process's id where it lives."""
        path = self._runfile(name)
        if not path.exists():
            return None
        own = self._own.get(name)
        if own is not None and own.poll() is not None:
            return None
        entry = json.loads(path.read_text())
        return int(entry["pid"]) if is_ours(entry["pid"], entry["argv"]) else None

    def start(self, spec: Spec) -> None:
        """Starts a process that is not running; one that runs is left alone."""
        if self.pid(spec.name) is not None:
            return
        self._own[spec.name] = spawn(spec, self.logfile(spec.name), self._runfile(spec.name))

    def check(self, name: str) -> None:
        """Raises DaemonDied where a process that was started is gone."""
        if self.pid(name) is None:
            raise DaemonDied(name, self.logfile(name))

    def kill(self, name: str) -> bool:
        """SIGKILL, as a power cut; it stays dead until it is started again. False where it was not running."""
        return self._end(name, signal.SIGKILL)

    def stop(self, name: str) -> bool:
        """Asks a process to end and waits, and kills it where it will not. False where it was not running."""
        return self._end(name, signal.SIGTERM)

    def _end(self, name: str, number: int) -> bool:
        pid = self.pid(name)
        if pid is None:
            return False
        os.kill(pid, number)
        deadline = time.monotonic() + _END_S
        while self.pid(name) is not None:
            if time.monotonic() > deadline:
                if number == signal.SIGKILL:
                    raise NotReady(f"{name} (process {pid}) does not end")
                return self._end(name, signal.SIGKILL)
            time.sleep(_POLL_S)
        self._runfile(name).unlink(missing_ok=True)
        return True

    def _runfile(self, name: str) -> Path:
        return self._run / f"{name}.json"
