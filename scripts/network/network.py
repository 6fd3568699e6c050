"""One network under one folder: raised, looked at, broken and mended."""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from contracts.client.private import private_folder
from contracts.client.rpc import NodeError, Rpc
from scripts.home import Home
from scripts.network.build import engine
from scripts.network.daemons import Daemons
from scripts.network.genesis import genesis
from scripts.network.members import (
    OBSERVER,
    VALIDATORS,
    Member,
    Members,
    allowlist,
    drawn_validators,
    node_key,
    peers_of,
    place,
)
from scripts.processes import NotReady, Spec, free_port, port_is_free

LINKS = "links"
_START_S = 60.0
_POLL_S = 0.2
_STALE_S = 15
"""A head older than this is a chain that stands still: a dead proposer costs a round of two seconds, or of four."""
_LAG_BLOCKS = 3


class NetworkMissing(LookupError):
    """No network was raised in this home."""

    def __init__(self, home: Path) -> None:
        super().__init__(f"there is no network in {home}; raise one with `kopeck network up`")


@dataclass(frozen=True, slots=True)
class NodeState:
    """What one node says of itself; None where it does not answer. ``head_age_s`` by this machine's clock."""

    name: str
    is_running: bool
    head: int | None = None
    head_hash: str | None = None
    head_age_s: int | None = None
    peers: int | None = None


@dataclass(frozen=True, slots=True)
class NetworkState:
    """All nodes at one look, and what is wrong; ``faults`` empty is the only word for well."""

    nodes: tuple[NodeState, ...]
    faults: tuple[str, ...]


class Network:
    """Four validators and an observer. Whatever this object does, another one of the same folder goes on with."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self.folder = private_folder(home.root / "network")
        self._daemons = Daemons(self.folder)

    @property
    def members(self) -> Members:
        """Who is in it. Raises NetworkMissing."""
        if not self._members_file.exists():
            raise NetworkMissing(self._home.root)
        return Members.load(self._members_file)

    def up(self, names: Sequence[str] = (*VALIDATORS, OBSERVER)) -> None:
        """Starts what is not running, from the first block where there is none yet, and heals every partition.

        Gives back once each node started answers. Raises EngineMissing, DaemonDied, NotReady, UnknownMember.
        """
        program = engine()
        if not self._members_file.exists():
            self._draw()
        members = self.members
        self.heal()
        self._daemons.start(self._links_spec())
        # A peer that is turned away comes back in half a minute only: so the wires stand before anybody dials.
        self.until(lambda: not any(map(port_is_free, members.links.values())), "the wires stand", _START_S)
        for name in names:
            member = members.named(name)
            self._prepare(program, members, member)
            self._daemons.start(place(member, self.folder).spec(program))
        for name in names:
            self.until(lambda name=name: self._answers(name), f"{name} answers", _START_S)  # type: ignore[misc]

    def status(self) -> NetworkState:
        """A look at every node. Raises NetworkMissing."""
        nodes = tuple(self._state(member) for member in self.members.nodes)
        return NetworkState(nodes, tuple(self._faults(nodes)))

    def kill(self, name: str) -> bool:
        """Kills a node as a power cut does. False where it was not running. Raises UnknownMember."""
        return self._daemons.kill(self.members.named(name).name)

    def stop(self, name: str) -> bool:
        """Asks one node to end. Raises UnknownMember."""
        return self._daemons.stop(self.members.named(name).name)

    def partition(self, groups: Sequence[Sequence[str]]) -> None:
        """Cuts the network into groups; nodes that are not named stay together. Raises UnknownMember."""
        for group in groups:
            for name in group:
                self.members.named(name)
        self._write_cuts(groups)

    def heal(self) -> None:
        """Joins all groups again."""
        self._write_cuts([])

    def down(self, forget: bool = False) -> list[str]:
        """Ends every process, the wires last; with ``forget`` the chain and the ports are dropped too."""
        ended = [name for name in (*self.members.names, LINKS) if self._daemons.stop(name)]
        if forget:
            shutil.rmtree(self.folder)
        return ended

    def rpc(self, name: str) -> Rpc:
        """Calls to one node. Raises UnknownMember."""
        return Rpc(self.members.named(name).url)

    def head(self, name: str) -> int:
        """A node's height. Raises NodeError."""
        return int(self.rpc(name).call("eth_blockNumber"), 16)

    def until(self, ready: Callable[[], bool], what: str, timeout_s: float) -> None:
        """Waits. Raises NotReady, or DaemonDied where what is waited for has ended."""
        deadline = time.monotonic() + timeout_s
        while not ready():
            if time.monotonic() > deadline:
                raise NotReady(f"{what}: not after {timeout_s:.0f} s; see the logs in {self.folder / 'logs'}")
            time.sleep(_POLL_S)

    # --- files ---

    @property
    def _members_file(self) -> Path:
        return self.folder / "members.json"

    @property
    def _cuts_file(self) -> Path:
        return self.folder / "cuts.json"

    def _write_cuts(self, groups: Sequence[Sequence[str]]) -> None:
        aside = self._cuts_file.with_suffix(".new")
        aside.write_text(json.dumps([list(group) for group in groups]))
        aside.replace(self._cuts_file)

    def _draw(self) -> None:
        """A new network: names, ports, keys, and the first block. The members' file comes last and makes it count."""
        document = genesis(drawn_validators(self._home), int(time.time()) - 1)
        (self.folder / "genesis.json").write_text(json.dumps(document, indent=2))
        members = Members.drawn((*VALIDATORS, OBSERVER))
        observer = members.named(OBSERVER)
        peers = json.dumps(peers_of(self._home, members, OBSERVER), indent=2)
        (self.folder / "observer.toml").write_text(
            "# The observer's kit, for when the network runs without its own: `kopeck network up --without-observer`.\n"
            f'[node]\nfolder = "{OBSERVER}"\ngenesis = "genesis.json"\nlisten = "127.0.0.1:{observer.p2p_port}"\n'
            f"rpc_port = {observer.rpc_port}\npeers = {peers}\n\n[gateway]\nport = {free_port()}\n"
        )
        members.save(self._members_file)

    def _prepare(self, program: Path, members: Members, member: Member) -> None:
        key, peers = node_key(self._home, member.name), peers_of(self._home, members, member.name)
        node = place(member, self.folder)
        node.prepare(program, self.folder / "genesis.json", key, peers, allowlist(self._home, members))

    # --- processes ---

    def _links_spec(self) -> Spec:
        files = ("--members", str(self._members_file), "--cuts", str(self._cuts_file))
        return Spec(LINKS, (sys.executable, "-m", "scripts.network.links", *files))

    # --- looks ---

    def _answers(self, name: str) -> bool:
        self._daemons.check(name)
        try:
            self.head(name)
        except NodeError:
            return False
        return True

    def _state(self, member: Member) -> NodeState:
        is_running = self._daemons.pid(member.name) is not None
        rpc = Rpc(member.url, timeout_s=3.0)
        try:
            block, peers = rpc.batch([("eth_getBlockByNumber", ["latest", False]), ("net_peerCount", [])])
        except NodeError:
            return NodeState(member.name, is_running)
        finally:
            rpc.close()
        age = int(time.time()) - int(block["timestamp"], 16)
        return NodeState(member.name, is_running, int(block["number"], 16), block["hash"], age, int(peers, 16))

    def _faults(self, nodes: Sequence[NodeState]) -> list[str]:
        faults = [f"{node.name} is not running" for node in nodes if not node.is_running]
        faults += [f"{node.name} does not answer" for node in nodes if node.is_running and node.head is None]
        heads = [node.head for node in nodes if node.head is not None]
        if not heads:
            return faults
        for node in nodes:
            if node.head is not None and node.head < max(heads) - _LAG_BLOCKS:
                faults.append(f"{node.name} is {max(heads) - node.head} blocks behind")
            if node.peers == 0:
                faults.append(f"{node.name} has no peer")
        ages = [node.head_age_s for node in nodes if node.head_age_s is not None]
        if min(ages) > _STALE_S:
            faults.append(f"no block for {min(ages)} s: fewer than three validators reach one another")
        hashes = self._hashes_at(min(heads), nodes)
        if len(set(hashes.values())) > 1:
            shown = ", ".join(f"{name} {found}" for name, found in hashes.items())
            faults.append(f"the nodes differ on block {min(heads)}: {shown}")
        if groups := json.loads(self._cuts_file.read_text()):
            faults.append("cut off: " + " | ".join(", ".join(group) for group in groups))
        return faults

    def _hashes_at(self, number: int, nodes: Sequence[NodeState]) -> dict[str, str]:
        found = {}
        for node in nodes:
            if node.head is not None:
                try:
                    block = self.rpc(node.name).call("eth_getBlockByNumber", hex(number), False)
                except NodeError:
                    continue
                found[node.name] = block["hash"] if block else "none"
        return found
