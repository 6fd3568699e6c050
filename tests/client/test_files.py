"""Files by name: a folder that survives a crash half-way, and a server that may be silent."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from contracts.client.files import AccessDenied, FileStore, FirstOf, HttpSource, SourceUnreachable
from contracts.wire.canonical import content_hash
from contracts.wire.ids import Hash
from scripts.processes import free_port

NAME = Hash(b"\xab" * 32)
TOKEN = "let-me-in"


@pytest.fixture
def store(tmp_path: Path) -> FileStore:
    return FileStore(tmp_path / "files")


@pytest.fixture
def served(store: FileStore) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            kind, name = self.path.removeprefix("/files/").split("/")
            data = store.get(kind, Hash(bytes.fromhex(name[2:])))
            allowed = self.headers["Authorization"] == f"Bearer {TOKEN}"
            self.send_response(403 if not allowed else 404 if data is None else 200)
            self.end_headers()
            if allowed and data is not None:
                self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def test_what_is_put_is_got_and_listed(store: FileStore) -> None:
    assert store.get("readings", NAME) is None
    assert list(store.names("readings")) == []
    for data in (b"one", b"two"):
        store.put("readings", content_hash(data), data)
        store.put("readings", content_hash(data), data)
        assert store.get("readings", content_hash(data)) == data
    store.put("documents", NAME, b"act")
    assert set(store.names("readings")) == {content_hash(b"one"), content_hash(b"two")}
    assert list(store.names("documents")) == [NAME]
    assert (store.root / "readings" / f"0x{content_hash(b'one').hex()}.jsonl").exists()


def test_a_kind_nobody_knows_is_refused(store: FileStore) -> None:
    with pytest.raises(ValueError, match="one of readings"):
        store.put("secrets", NAME, b"")


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_killed_before_the_rename_nothing_is_there_under_the_name(
    store: FileStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    child = os.fork()
    if child == 0:
        monkeypatch.setattr(Path, "replace", lambda *_: os.kill(os.getpid(), signal.SIGKILL))
        store.put("bills", NAME, b"half")
        os._exit(0)
    os.waitpid(child, 0)
    assert store.get("bills", NAME) is None
    assert list(store.names("bills")) == []
    store.put("bills", NAME, b"whole")
    assert store.get("bills", NAME) == b"whole"


def test_over_http_to_whoever_is_entitled(store: FileStore, served: str) -> None:
    store.put("readings", NAME, b"rows")
    assert HttpSource(served, TOKEN).get("readings", NAME) == b"rows"
    assert HttpSource(served, TOKEN).get("bills", NAME) is None
    with pytest.raises(AccessDenied, match="not for this token"):
        HttpSource(served, "guess").get("readings", NAME)


def test_the_first_source_that_has_it_is_enough(store: FileStore, tmp_path: Path) -> None:
    silent = HttpSource(f"http://127.0.0.1:{free_port()}", TOKEN, timeout_s=1)
    other = FileStore(tmp_path / "other")
    other.put("grants", NAME, b"grant")
    assert FirstOf([silent, store, other]).get("grants", NAME) == b"grant"
    assert FirstOf([store]).get("grants", NAME) is None
    with pytest.raises(SourceUnreachable, match="is its server running"):
        FirstOf([silent, store]).get("grants", NAME)
