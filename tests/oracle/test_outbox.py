"""A source's outbox: one place in the chain a batch, whatever is killed, repeated or restored."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from contracts.wire.ids import MeterId, SourceId
from contracts.wire.leaf import LeafError, encode_record
from contracts.wire.merkle import Tree, leaf_hash
from oracle.batch import ChainHead
from oracle.concentrator import read_spooled, spool_readings
from oracle.outbox import Outbox
from tests.oracle.conftest import NOW, reading

METER = MeterId(b"\x01" * 16)
PERIOD = (NOW - 10, NOW)


def append(outbox: Outbox, item: str, value: int = 1) -> bytes:
    return outbox.append(item, [reading(METER, value)], PERIOD).head()


def test_batches_chain_and_survive_a_kill(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox.db", SourceId(7))
    heads = [append(outbox, f"item {n}", n) for n in range(3)]
    again = Outbox(tmp_path / "outbox.db", SourceId(7))  # the first was never closed
    unsent = again.unsent()
    assert [out.header.head() for out in unsent] == heads
    assert [out.header.previous for out in unsent] == [bytes(24), *heads[:2]]
    for out in unsent:
        assert out.blobs is not None
        assert Tree.of([leaf_hash(blob) for blob in out.blobs]).root == out.header.root
    assert again.position() == ChainHead(0, 3, heads[-1])


def test_the_same_item_again_changes_nothing(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox.db", SourceId(7))
    first = append(outbox, "day 1")
    assert append(outbox, "day 1") == first
    outbox.settle(outbox.unsent()[0].header)
    assert append(outbox, "day 1") == first
    assert outbox.unsent() == []
    assert outbox.position().sequence == 1


def test_a_settled_batch_keeps_its_header_only(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox.db", SourceId(7))
    append(outbox, "day 1")
    header = outbox.unsent()[0].header
    outbox.settle(header)
    found = outbox.find(1)
    assert found is not None
    assert (found.header, found.blobs) == (header, None)


def test_unsent_batches_move_behind_a_head_that_is_ahead(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox.db", SourceId(7))
    append(outbox, "a", 1)
    outbox.settle(outbox.unsent()[0].header)
    append(outbox, "b", 2)
    append(outbox, "c", 3)
    blobs = [out.blobs for out in outbox.unsent()]
    outbox.go_on_from(ChainHead(0, 9, b"\x09" * 24))
    moved = outbox.unsent()
    assert [(out.header.sequence, out.item) for out in moved] == [(10, "b"), (11, "c")]
    assert moved[0].header.previous == b"\x09" * 24
    assert [out.blobs for out in moved] == blobs


def test_the_spool_gives_back_what_was_left_there(tmp_path: Path) -> None:
    records = [reading(METER, 1), reading(METER, 2)]
    spool_readings(tmp_path, "2026-01-01", records)
    assert [path.name for path in tmp_path.iterdir()] == ["2026-01-01.readings"]
    assert read_spooled(tmp_path / "2026-01-01.readings") == records


@pytest.mark.parametrize("line", [b"%%%", base64.b64encode(b"\x07" * 30), base64.b64encode(b"\x02" + bytes(38))])
def test_a_faulty_spool_line_is_named(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "x.readings"
    path.write_bytes(base64.b64encode(encode_record(reading(METER, 1))) + b"\n" + line + b"\n")
    with pytest.raises(LeafError, match=r"x\.readings, line 2"):
        read_spooled(path)
