"""The key ring: one secret an account, bindings by date, and a destruction that leaves no trace of the secret."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from contracts.client.keyring import KeyDestroyed, KeyRing, UnknownKey
from contracts.wire.ids import KeyId, MeterId

KEY, OTHER = KeyId(b"\x01" * 16), KeyId(b"\x02" * 16)
METER = MeterId(b"\x0a" * 16)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keyring.db"


def test_a_secret_is_made_once_and_shared_by_processes_that_open_the_file(path: Path) -> None:
    made = KeyRing(path).create(KEY)
    assert len(made) == 32
    assert KeyRing(path).create(KEY) == made == KeyRing(path).secret(KEY)
    assert KeyRing(path).create(OTHER) != made
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(UnknownKey, match="create it first"):
        KeyRing(path).secret(KeyId(b"\x09" * 16))


def test_a_meter_is_bound_by_date(path: Path) -> None:
    ring = KeyRing(path)
    ring.create_many([KEY, OTHER])
    assert ring.key_of_meter(METER) is None
    ring.bind_meter(METER, KEY, since=100)
    ring.bind_meter(METER, OTHER, since=200)
    ring.bind_meter(METER, OTHER, since=200)
    assert [ring.key_of_meter(METER, at) for at in (99, 100, 199, 200)] == [None, KEY, KEY, OTHER]
    assert ring.key_of_meter(METER) == OTHER
    with pytest.raises(UnknownKey):
        ring.bind_meter(METER, KeyId(b"\x09" * 16), since=1)


def test_destroyed_it_is_gone_from_the_file_itself(path: Path) -> None:
    ring = KeyRing(path)
    secret = ring.create(KEY)
    ring.create(OTHER)
    on_disk = b"".join(file.read_bytes() for file in path.parent.iterdir())
    assert secret in on_disk, "the test must be able to fail"
    ring.destroy(KEY, at=1767225600, act="request 17")
    ring.destroy(KEY, at=1767229999, act="again")
    assert ring.secret(KEY) is None
    assert ring.destroyed(KEY) == (1767225600, "request 17")
    assert ring.destroyed(OTHER) is None
    on_disk = b"".join(file.read_bytes() for file in path.parent.iterdir())
    assert secret not in on_disk
    with pytest.raises(KeyDestroyed, match="needs a new one"):
        ring.create(KEY)
