"""The wires between the nodes: a process that passes bytes from port to port, and holds them back where it is told.

    python -m scripts.network.links --members FILE --cuts FILE

Every node dials its peers through a wire of its own. A cut wire behaves as a network that drops packets does: what is
under way waits and connections stay open until somebody gives up; a new one is taken and gets no answer. Once healed,
what waited goes on. The file of cuts is read again all the time, so whoever writes it is the switch.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
from collections.abc import Sequence
from pathlib import Path

from scripts.network.members import Members, link_name

_POLL_S = 0.1
_CHUNK = 65_536
_TRIES = 40


class Cuts:
    """Which wires are cut now: all between nodes of different groups. Nodes that no group names are one more group."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._group: dict[str, int] = {}
        self.changed = asyncio.Condition()

    def is_cut(self, a: str, b: str) -> bool:
        """Whether the way between two nodes is cut."""
        return self._group.get(a) != self._group.get(b)

    async def watch(self) -> None:
        """Reads the file again and again, and wakes who waits for a wire."""
        while True:
            groups = json.loads(self._path.read_text()) if self._path.exists() else []
            found = {name: place for place, group in enumerate(groups) for name in group}
            if found != self._group:
                async with self.changed:
                    self._group = found
                    self.changed.notify_all()
            await asyncio.sleep(_POLL_S)

    async def until_whole(self, a: str, b: str) -> None:
        """Waits while the way between two nodes is cut."""
        async with self.changed:
            await self.changed.wait_for(lambda: not self.is_cut(a, b))


async def pass_on(members: Members, cuts: Cuts) -> None:
    """Listens for every wire, until cancelled."""
    targets = {node.name: node.p2p_port for node in members.nodes}
    servers = [
        await _wire(a, b, members.links[link_name(a, b)], targets[b], cuts)
        for a in members.names
        for b in members.names
        if a != b
    ]
    try:
        await cuts.watch()
    finally:
        for server in servers:
            server.close()


async def _wire(a: str, b: str, port: int, target: int, cuts: Cuts) -> asyncio.Server:
    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await cuts.until_whole(a, b)
            onward, back = await _reach(target)
        except OSError:
            writer.close()
            return
        async with asyncio.TaskGroup() as both:
            both.create_task(_pump(reader, back, a, b, cuts))
            both.create_task(_pump(onward, writer, b, a, cuts))

    return await asyncio.start_server(connected, "127.0.0.1", port)


async def _reach(target: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """The node at the far end, which may still be starting: a peer that is turned away comes back in half a minute
    only. Raises OSError where it stays away."""
    for _ in range(_TRIES):
        try:
            return await asyncio.open_connection("127.0.0.1", target)
        except OSError:
            await asyncio.sleep(_POLL_S)
    return await asyncio.open_connection("127.0.0.1", target)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, a: str, b: str, cuts: Cuts) -> None:
    try:
        while data := await reader.read(_CHUNK):
            if cuts.is_cut(a, b):
                await cuts.until_whole(a, b)
            writer.write(data)
            await writer.drain()
    except OSError:  # one end broke off: the other is told by closing
        pass
    finally:
        writer.close()


async def _run(members: Members, cuts: Path) -> None:
    task = asyncio.ensure_future(pass_on(members, Cuts(cuts)))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, task.cancel)
    try:
        await task
    except asyncio.CancelledError:
        return


def main(argv: Sequence[str] | None = None) -> None:
    """Runs until told to stop."""
    parser = argparse.ArgumentParser(prog="python -m scripts.network.links", description=__doc__)
    parser.add_argument("--members", type=Path, required=True, help="the network's members")
    parser.add_argument("--cuts", type=Path, required=True, help="which groups of nodes can't reach one another")
    arguments = parser.parse_args(argv)
    asyncio.run(_run(Members.load(arguments.members), arguments.cuts))


if __name__ == "__main__":
    main()
