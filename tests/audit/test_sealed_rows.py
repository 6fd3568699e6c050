"""Sealed rows read many at once: the same leaves and places as line by line, and never where a line is otherwise."""

from __future__ import annotations

import base64
import io
import random

import pytest

from contracts.wire.files import LeafLine, encode_file
from contracts.wire.ids import Hash, KeyId
from scripts.audit.rows import SealedRows, lines_of, row_of, sealed_rows

ROWS = 900


def published(chance: random.Random, rows: int = ROWS) -> list[bytes]:
    """A file as publishers write it, by lines; the head is first."""
    leaves = [
        LeafLine(Hash(chance.randbytes(32)), None, KeyId(chance.randbytes(16)), chance.randbytes(chance.randrange(90)))
        for _ in range(rows)
    ]
    return encode_file({"kind": "readings"}, leaves).splitlines(keepends=True)


def test_leaves_and_places_are_those_of_reading_line_by_line() -> None:
    lines = published(random.Random(1))
    together = [(number, part) for number, part in lines_of(io.BytesIO(b"".join(lines)), together=True)]
    assert together[0] == (1, lines[0])
    assert len(together) > 2, "more than one part"
    next_number, leaves = 2, b""
    for number, part in together[1:]:
        assert isinstance(part, SealedRows)
        assert number == next_number
        here = lines[number - 1 : number - 1 + part.count]
        assert [part.begin(place) for place in range(part.count)] == [
            sum(map(len, here[:place])) for place in range(part.count)
        ]
        assert part.size == sum(map(len, here))
        next_number, leaves = number + part.count, leaves + part.leaves
    assert leaves == b"".join(row_of(line).leaf for line in lines[1:])


def test_by_itself_every_line_comes_with_its_number() -> None:
    lines = published(random.Random(2), 5)
    assert list(lines_of(io.BytesIO(b"".join(lines)), together=False)) == list(enumerate(lines, start=1))


SEALED = base64.b64encode(bytes(61))
LINE = b'{"key":"%b","leaf":"0x%b","sealed":"%b"}\n' % (b"ab" * 16, b"cd" * 32, SEALED)


@pytest.mark.parametrize(
    "line",
    [
        LINE[:-1],
        LINE.replace(b'"key":"ab', b'"key":"AB'),
        LINE.replace(b"cd", b"c", 1),
        LINE.replace(SEALED, SEALED[1:]),
        LINE.replace(SEALED, SEALED + b"===="),
        LINE.replace(SEALED, b"*" + SEALED[1:]),
        LINE.replace(SEALED, SEALED[:8] + b"=" + SEALED[9:]),
        LINE.replace(b'"}', b'","erased":{}}'),
        LINE.replace(b'{"key"', b'{"blob":"0x00","key"'),
        LINE[:-1] + b" \n",
        b"\n",
        LINE[:40] + b"\n",
    ],
)
@pytest.mark.parametrize("place", [0, 1, 2])
def test_one_line_that_is_otherwise_sends_its_neighbours_the_slow_way_with_it(line: bytes, place: int) -> None:
    neighbours = [LINE, LINE]
    assert sealed_rows(neighbours) is not None
    assert sealed_rows([*neighbours[:place], line, *neighbours[place:]]) is None


def test_a_record_split_over_two_lines_does_not_pass_for_one() -> None:
    at = LINE.index(b"leaf")
    assert sealed_rows([LINE[:at] + b"\n", LINE[at:]]) is None
    assert sealed_rows([LINE + LINE]) is None, "as many rows as lines"
