"""Who is in the network: names, ports and keys; and what each node is told of the others."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from contracts.wire.ids import Address, address_text
from contracts.wire.typed_data import address_of
from scripts.home import Home
from scripts.network.genesis import CHAIN_ID
from scripts.network.node import Node, enode
from scripts.processes import free_ports

VALIDATORS = ("validator-1", "validator-2", "validator-3", "validator-4")
OBSERVER = "observer"


class UnknownMember(LookupError):
    """No node of that name."""

    def __init__(self, name: str, members: Sequence[str]) -> None:
        super().__init__(f"no node is called {name!r}; there are {', '.join(members)}")


@dataclass(frozen=True, slots=True)
class Member:
    """One node. It listens on 127.0.0.1 alone, for its peers and for calls."""

    name: str
    p2p_port: int
    rpc_port: int

    @property
    def is_validator(self) -> bool:
        """Whether it proposes and votes; the others follow."""
        return self.name in VALIDATORS

    @property
    def url(self) -> str:
        """Where it takes calls."""
        return f"http://127.0.0.1:{self.rpc_port}"


@dataclass(frozen=True, slots=True)
class Members:
    """The nodes, and the port of each link: a peer is dialled through a link that can be cut."""

    nodes: tuple[Member, ...]
    links: Mapping[str, int]

    @classmethod
    def drawn(cls, names: Sequence[str]) -> Members:
        """New members on free ports."""
        ways = [link_name(a, b) for a in names for b in names if a != b]
        ports = iter(free_ports(2 * len(names) + len(ways)))
        nodes = tuple(Member(name, next(ports), next(ports)) for name in names)
        links = {way: next(ports) for way in ways}
        return cls(nodes, links)

    @classmethod
    def load(cls, path: Path) -> Members:
        """What ``save`` wrote."""
        kept = json.loads(path.read_text())
        return cls(tuple(Member(**node) for node in kept["nodes"]), kept["links"])

    def save(self, path: Path) -> None:
        """Keeps names and ports, so that a network comes back where it was."""
        path.write_text(json.dumps({"nodes": [asdict(node) for node in self.nodes], "links": self.links}, indent=2))

    @property
    def names(self) -> tuple[str, ...]:
        """The nodes' names."""
        return tuple(node.name for node in self.nodes)

    def named(self, name: str) -> Member:
        """The node of a name. Raises UnknownMember."""
        for node in self.nodes:
            if node.name == name:
                return node
        raise UnknownMember(name, self.names)


def link_name(dialling: str, dialled: str) -> str:
    """The name of the way by which one node reaches another."""
    return f"{dialling}>{dialled}"


def node_key(home: Home, name: str) -> bytes:
    """A node's key, drawn on this machine when it is first asked for; a validator signs its blocks with it."""
    return home.key(_key_name(name))


def _key_name(name: str) -> str:
    return f"node-{name}"


def validator_addresses(home: Home) -> list[Address]:
    """Who may propose and vote."""
    return [address_of(node_key(home, name)) for name in VALIDATORS]


def drawn_validators(home: Home) -> list[Address]:
    """The validators of a new network, with keys that every node puts into one order.

    GoQuorum takes turns by the addresses' bytes, and from a node's second start on by their text, where the capitals of
    EIP-55 come before all small letters. Where the two orders differ, validators that were restarted and those that
    were not wait for different proposers, and the chain stands for minutes.
    """
    while sorted(found := validator_addresses(home)) != sorted(found, key=address_text):
        for name in VALIDATORS:
            home.forget_key(_key_name(name))
    return found


def place(member: Member, folder: Path) -> Node:
    """The node that a member runs."""
    listen = f"127.0.0.1:{member.p2p_port}"
    return Node(member.name, folder / member.name, listen, member.rpc_port, CHAIN_ID, member.is_validator)


def allowlist(home: Home, members: Members) -> list[str]:
    """Who may speak to whom: the members and nobody else."""
    return [enode(node_key(home, node.name), f"127.0.0.1:{node.p2p_port}") for node in members.nodes]


def peers_of(home: Home, members: Members, name: str) -> list[str]:
    """Whom a member dials, each through a wire of its own."""
    others = [other for other in members.names if other != name]
    return [enode(node_key(home, n), f"127.0.0.1:{members.links[link_name(name, n)]}") for n in others]
