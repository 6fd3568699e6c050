"""History read and made into facts by a process of its own, while this one writes what came before.

    python -m ledger.ahead FD

The two share one pipe: the process ends with the one that started it, however that ends. What fails there is not told
here; whoever wanted it reads it again and meets the reason.
"""

from __future__ import annotations

import gc
import signal
import subprocess
import sys
from contextlib import suppress
from multiprocessing import Pipe
from multiprocessing.connection import Connection

from contracts.client.reader import Block
from contracts.client.rpc import NodeError
from contracts.wire.events import LogError
from contracts.wire.ids import Hash
from ledger.errors import ChainMoved, LedgerFault
from ledger.facts import Facts, facts_of
from ledger.history import Chain, History
from ledger.projection.known import Known

_START_S = 0.0
"""How long it is waited for to be up: not at all, since whoever starts it can read by itself."""


class Ahead:
    """Goes from one block to another, stretch after stretch. One that is gone gives nothing."""

    def __init__(self, chain: Chain) -> None:
        """Starts it; ``chain`` is pickled. It imports what reading needs and no more, which a process that the
        standard library spawns would not."""
        self._pipe, far = Pipe()
        argv = [sys.executable, "-m", "ledger.ahead", str(far.fileno())]
        self._process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, pass_fds=[far.fileno()])
        far.close()
        self._pipe.send(chain)
        self._is_sent_off = False

    def send_off(self, known: Known, tip: Block, final: int) -> None:
        """Has it begin after ``tip``, once and as soon as it is up, and go on up to the height ``final``."""
        if self._is_sent_off:
            return
        with suppress(EOFError, OSError):
            if self._pipe.poll(_START_S) and self._pipe.recv():
                self._pipe.send((known, tip.hash, tip.number, final))
                self._is_sent_off = True

    def take(self, parent: Hash) -> Facts | None:
        """The facts of what follows ``parent``, as soon as they are there; None where it was not sent off, came to
        somewhere else, or failed: it gives nothing more then."""
        if not self._is_sent_off:
            return None
        try:
            found: Facts | None = self._pipe.recv()
        except (EOFError, OSError):
            return None
        return found if found is not None and found.parent == parent else None

    @property
    def is_under_way(self) -> bool:
        """Whether it was sent off."""
        return self._is_sent_off

    def close(self) -> None:
        """Ends the process, which holds nothing that is not on the chain."""
        self._pipe.close()
        self._process.kill()
        self._process.wait()


def _serve(pipe: Connection) -> None:
    """The process: says that it is up, then goes as far as it was sent."""
    history = History(pipe.recv(), is_ahead=True)
    pipe.send(True)
    known, parent, number, final = pipe.recv()
    try:
        while number < final:
            stretch = history.after(parent, number, final)
            facts = facts_of(known, stretch.blocks, stretch.events)
            parent, number = facts.tip.hash, facts.tip.number
            pipe.send(facts)
    except (NodeError, LogError, ChainMoved, LedgerFault):
        pipe.send(None)
    finally:
        history.close()


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # an interrupt of the group is for the one that started it
    gc.disable()  # it lives as long as one history, which makes no cycles: see contracts.client.cycles
    with suppress(EOFError, OSError):
        _serve(Connection(int(sys.argv[1])))
