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


def test_leaves_are_kept_until_the_batch_is_on_the_chain(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox.db", SourceId(7))
    for n in range(3):
        append(outbox, f"day {n}", n)
    headers = [out.header for out in outbox.unsent()]
    for header in headers[:2]:
        outbox.settle(header)
    assert outbox.held() == {header.head() for header in headers[:2]}
    outbox.forget_up_to(0, 3)
    assert outbox.held() == set()
    first, unsent = outbox.find(1), outbox.find(3)
    assert first is not None
    assert (first.header, first.blobs) == (headers[0], None)
    assert unsent is not None
    assert unsent.blobs is not None, "what the oracle has not taken is kept whatever is said of the chain"


def test_what_was_taken_and_lost_goes_out_again_before_what_was_not_sent(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox.db", SourceId(7))
    for n in range(4):
        append(outbox, f"day {n}", n)
    headers = [out.header for out in outbox.unsent()]
    for header in headers[:3]:
        outbox.settle(header)
    outbox.go_on_from(ChainHead(1, 0, b"\x01" * 24), {headers[1].head(), headers[2].head()})
    assert [(o.header.epoch, o.header.sequence, o.item) for o in outbox.unsent()] == [
        (1, 1, "day 1"),
        (1, 2, "day 2"),
        (1, 3, "day 3"),
    ]


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
