"""The supervisor: what dies is started again, what keeps dying is named, what was left behind is found by its id."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.processes import (
    NotReady,
    ProcessDied,
    Spec,
    Supervisor,
    free_port,
    free_ports,
    is_ours,
    port_is_free,
    stop_leftovers,
)


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    made = Supervisor(tmp_path)
    yield made
    made.stop_all()


def _python(name: str, code: str, **more: bool) -> Spec:
    return Spec(name, (sys.executable, "-c", code), **more)  # type: ignore[arg-type]


def _alive(pid: int) -> bool:
    shown = subprocess.run(["ps", "-p", str(pid), "-o", "stat="], capture_output=True, text=True, check=False)
    return shown.stdout.strip()[:1] not in ("", "Z")


def test_a_killed_child_is_started_again(supervisor: Supervisor) -> None:
    first = supervisor.start(_python("sleeper", "import time; time.sleep(60)"))
    supervisor.kill("sleeper")
    supervisor.until(lambda: supervisor.restarts.get("sleeper") == 1 and supervisor.running("sleeper"), "back", 5)
    assert not _alive(first)


def test_a_child_that_keeps_dying_is_named_with_its_last_words(supervisor: Supervisor) -> None:
    supervisor.start(_python("broken", "print('no such key'); raise SystemExit(3)"))
    with pytest.raises(ProcessDied, match="no such key") as caught:
        supervisor.until(lambda: False, "never", 20)
    assert caught.value.code == 3
    assert caught.value.name == "broken"


def test_a_child_that_ends_by_itself_is_let_go(supervisor: Supervisor) -> None:
    supervisor.start(_python("once", "raise SystemExit(0)", keep_running=False))
    assert supervisor.wait("once", 10) == 0
    time.sleep(0.3)
    assert supervisor.restarts == {}


def test_waiting_ends_with_what_was_waited_for(supervisor: Supervisor) -> None:
    with pytest.raises(NotReady, match="the flood: not done after 0 s"):
        supervisor.until(lambda: False, "the flood", 0.2)


def test_leftovers_are_stopped_by_id_and_strangers_are_not(tmp_path: Path) -> None:
    stranger = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    lost = Supervisor(tmp_path)
    pid = lost.start(_python("lost", "import time; time.sleep(61)"))
    lost._ending.set()  # its owner is gone: nobody watches
    (tmp_path / "run" / "stranger.json").write_text(f'{{"pid": {stranger.pid}, "argv": ["x", "another command"]}}')
    try:
        assert stop_leftovers(tmp_path) == ["lost"]
        assert not _alive(pid)
        assert stranger.poll() is None
        assert not list((tmp_path / "run").iterdir())
    finally:
        os.kill(stranger.pid, signal.SIGKILL)
        stranger.wait()


def test_a_free_port_is_free_until_taken() -> None:
    import socket

    port = free_port()
    assert port_is_free(port)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        assert not port_is_free(port)


def test_ports_drawn_together_differ_and_no_outgoing_connection_takes_one() -> None:
    outgoing = Path("/proc/sys/net/ipv4/ip_local_port_range")
    lowest = int(outgoing.read_text().split()[0]) if outgoing.exists() else 49_152  # what RFC 6335 leaves to them
    ports = free_ports(300)
    assert len(set(ports)) == 300
    assert max(ports) < lowest


def test_a_process_id_used_again_is_not_ours() -> None:
    assert not is_ours(os.getpid(), ["anvil", "--port", "1"])
