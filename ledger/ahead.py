"""History read in a process of its own, while this one writes what came before.

    python -m ledger.ahead FD

The two share one pipe: the process ends with the one that started it, however that ends. What fails there is not told
here; whoever wanted it reads it again and meets the reason.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from contextlib import suppress
from multiprocessing import Pipe
from multiprocessing.connection import Connection

from contracts.client.rpc import NodeError
from contracts.wire.events import LogError
from contracts.wire.ids import Hash
from ledger.errors import ChainMoved
from ledger.stretch import Chain, Stretch, read_stretch, uncollected

_START_S = 0.0
"""How long a question waits for the process to be up: not at all, since whoever asks can read by itself."""
_END_S = 5.0


class Ahead:
    """Reads one stretch at a time. A process that is gone gives nothing, and is not started again."""

    def __init__(self, chain: Chain) -> None:
        """Starts it; ``chain`` is pickled. It imports what reading needs and no more, which a process that the
        standard library spawns would not."""
        self._pipe, far = Pipe()
        argv = [sys.executable, "-m", "ledger.ahead", str(far.fileno())]
        self._process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, pass_fds=[far.fileno()])
        far.close()
        self._pipe.send(chain)
        self._is_up = False
        self._asked: Hash | None = None

    def ask(self, parent: Hash, number: int, last: int) -> None:
        """Has it read the blocks after ``number`` up to ``last``. Before it is up nothing is asked."""
        try:
            if self._asked is not None:
                self._pipe.recv()
            self._asked = None
            if self._is_up or self._pipe.poll(_START_S):
                self._is_up = self._is_up or self._pipe.recv()
                self._pipe.send((parent, number, last))
                self._asked = parent
        except (EOFError, OSError):
            self._asked = None

    def take(self, parent: Hash) -> Stretch | None:
        """What follows ``parent``, as soon as it is read; None where something else was asked, or reading failed."""
        if self._asked != parent:
            return None
        self._asked = None
        try:
            found: Stretch | None = self._pipe.recv()
        except (EOFError, OSError):
            return None
        return found

    def close(self) -> None:
        """Ends the process."""
        self._pipe.close()
        try:
            self._process.wait(_END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _serve(pipe: Connection) -> None:
    """The process: says that it is up, then answers until nobody holds the other end of its pipe."""
    chain: Chain = pipe.recv()
    pipe.send(True)
    while True:
        pipe.send(_read(chain, *pipe.recv()))


def _read(chain: Chain, parent: Hash, number: int, last: int) -> Stretch | None:
    try:
        with uncollected():
            return read_stretch(chain, parent, number, last)
    except (NodeError, LogError, ChainMoved):
        return None


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # an interrupt of the group is for the one that started it
    with suppress(EOFError, OSError):
        _serve(Connection(int(sys.argv[1])))
