"""``kopeck up`` as a person uses it: start, look, stop, start again, and what is in the way."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from ledger.published import Published
from scripts.processes import free_port

WAIT_S = 180.0
KOPECK = str(Path(sys.executable).parent / "kopeck")


def start(home: Path, port: int) -> subprocess.Popen[str]:
    argv = [KOPECK, "up", "--home", str(home), "--port", str(port)]
    argv += ["--accounts", "12", "--months", "1"]
    return subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def serves(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/", timeout=2, follow_redirects=True).status_code == 200
    except httpx.TransportError:
        return False


def wait_until_served(process: subprocess.Popen[str], home: Path, port: int) -> None:
    until = time.monotonic() + WAIT_S
    while not (serves(port) and (home / "town" / "filled.json").exists()):
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < until
        time.sleep(0.3)


def wait_until_cosigned(process: subprocess.Popen[str], home: Path) -> None:
    until = time.monotonic() + WAIT_S
    while not any(found.cosignatures for found in Published(home / "checkpoints").all()):
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < until
        time.sleep(0.3)
    assert (home / "trust.json").exists()


def of_home(home: Path) -> list[str]:
    """Command lines of processes that work in a home."""
    lines = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(home) in line and str(os.getpid()) not in path.parts:
            lines.append(line)
    return [line for line in lines if "pytest" not in line]


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "home"
    assert of_home(tmp_path / "home") == []


@pytest.mark.slow
def test_it_is_filled_once_stopped_cleanly_and_resumed(home: Path) -> None:
    port = free_port()
    first = start(home, port)
    try:
        wait_until_served(first, home, port)
        second = start(home, free_port())
        said, _ = second.communicate(timeout=60)
        assert second.returncode != 0
        assert "already running" in said
        filled = (home / "town" / "filled.json").read_bytes()
        wait_until_cosigned(first, home)
    finally:
        first.send_signal(signal.SIGINT)
        first.communicate(timeout=60)
    assert of_home(home) == []
    assert not serves(port)

    again = start(home, port)
    try:
        wait_until_served(again, home, port)
        assert (home / "town" / "filled.json").read_bytes() == filled
        said = subprocess.run([KOPECK, "stop", "--home", str(home)], capture_output=True, text=True, check=True)
        assert "kopeck up" in said.stdout
        assert again.wait(10) == 0
        assert of_home(home) == []
    finally:
        again.kill()
        again.communicate(timeout=60)


def test_a_taken_port_is_named(home: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        process = start(home, port)
        said, _ = process.communicate(timeout=60)
    assert process.returncode != 0
    assert str(port) in said
