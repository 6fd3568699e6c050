"""The wires between nodes, before plain echo servers in the nodes' places."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from scripts.network.links import Cuts, pass_on
from scripts.network.members import Members, link_name

NAMES = ("a", "b", "c")


@asynccontextmanager
async def wired(folder: Path) -> AsyncIterator[tuple[Members, Path]]:
    """Three echo servers and the wires between them; the file of cuts."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1024):
            writer.write(data)
        writer.close()

    members, cuts = Members.drawn(NAMES), folder / "cuts.json"
    servers = [await asyncio.start_server(echo, "127.0.0.1", node.p2p_port) for node in members.nodes]
    task = asyncio.create_task(pass_on(members, Cuts(cuts)))
    try:
        await _settle()
        yield members, cuts
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        for server in servers:
            server.close()


async def _settle() -> None:
    await asyncio.sleep(0.35)  # the file is read again ten times a second


async def _dial(members: Members, a: str, b: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", members.links[link_name(a, b)])


async def _said_back(reader: asyncio.StreamReader, wait_s: float = 2) -> bytes:
    return await asyncio.wait_for(reader.read(1024), wait_s)


def test_a_cut_holds_what_is_under_way_and_lets_it_through_once_healed(tmp_path: Path) -> None:
    async def play() -> None:
        async with wired(tmp_path) as (members, cuts):
            reader, writer = await _dial(members, "a", "b")
            writer.write(b"one")
            assert await _said_back(reader) == b"one"
            cuts.write_text(json.dumps([["a"]]))
            await _settle()
            writer.write(b"two")
            with pytest.raises(TimeoutError):
                await _said_back(reader, 0.5)
            late_reader, late_writer = await _dial(members, "c", "a")
            late_writer.write(b"late")
            with pytest.raises(TimeoutError):
                await _said_back(late_reader, 0.5)
            within_reader, within_writer = await _dial(members, "b", "c")
            within_writer.write(b"same side")
            assert await _said_back(within_reader) == b"same side"
            cuts.write_text("[]")
            assert await _said_back(reader) == b"two"
            assert await _said_back(late_reader) == b"late"

    asyncio.run(play())


def test_a_peer_that_starts_late_is_waited_for_and_one_that_leaves_is_told(tmp_path: Path) -> None:
    async def play() -> None:
        members = Members.drawn(NAMES)
        task = asyncio.create_task(pass_on(members, Cuts(tmp_path / "cuts.json")))
        await _settle()
        reader, writer = await _dial(members, "a", "b")
        writer.write(b"early")
        await _settle()

        async def once(own: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
            back.write(await own.read(1024))
            back.close()

        server = await asyncio.start_server(once, "127.0.0.1", members.named("b").p2p_port)
        assert await _said_back(reader) == b"early"
        assert await _said_back(reader) == b""  # it hung up, and so does the wire
        server.close()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    asyncio.run(play())
