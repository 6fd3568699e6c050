"""Reading the chain: blocks, logs, views, and calls tried without being sent. Holds no key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from contracts.client import abi
from contracts.client.deployments import Deployment
from contracts.client.rpc import NodeError, Rpc, RpcError, WrongAnswer
from contracts.wire.errors import decode_revert
from contracts.wire.events import Event, decode_log
from contracts.wire.ids import Address, Hash

_BLOCKS_AT_ONCE = 2000
_HASHES_AT_ONCE = 400
"""Fewer than the client puts into one request, which one node answers."""


class NotTheSameChain(NodeError):
    """Logs were asked of a node that does not have their blocks: it is behind, or on a branch that was left. Some
    nodes then give no logs and no error, and a load balancer may lead each request to another node."""

    def __init__(self, url: str, last: str) -> None:
        super().__init__(f"the node at {url} gave logs and does not have their last block {last}: asking again")
        self.last = last


@dataclass(frozen=True, slots=True)
class Block:
    """A block's header; ``timestamp`` is seconds UTC."""

    number: int
    hash: Hash
    parent: Hash
    timestamp: int


class Reader:
    """What the chain says about one deployment."""

    def __init__(self, rpc: Rpc, deployment: Deployment) -> None:
        self.rpc = rpc
        self.deployment = deployment
        self._addresses = ["0x" + address.hex() for address in deployment.addresses.values()]
        self._names = {"0x" + address.hex(): name for name, address in deployment.addresses.items()}

    # --- blocks ---

    def head(self) -> Block:
        """The latest block."""
        return self._tagged("latest")

    def finalized(self) -> Block:
        """The latest block that no reorganisation takes back."""
        return self._tagged("finalized")

    def block(self, number: int) -> Block | None:
        """The block at a height, or None past the head."""
        raw = self.rpc.call("eth_getBlockByNumber", hex(number), False)
        return None if raw is None else _block(raw)

    def block_of(self, block_hash: Hash) -> Block | None:
        """The block of a hash, or None where the node has it not (any more)."""
        raw = self.rpc.call("eth_getBlockByHash", "0x" + block_hash.hex(), False)
        return None if raw is None else _block(raw)

    def blocks(self, first: int, last: int) -> list[Block]:
        """The blocks from ``first`` to ``last``, both included, as far as there are any, in batches."""
        numbers = range(first, last + 1)
        raws = self.rpc.batch([("eth_getBlockByNumber", [hex(number), False]) for number in numbers])
        out = []
        for raw in raws:
            if raw is None:
                break
            out.append(_block(raw))
        return out

    def _tagged(self, tag: str) -> Block:
        raw = self.rpc.call("eth_getBlockByNumber", tag, False)
        if raw is None:
            raise WrongAnswer(f"the node has no {tag} block; is its chain started?")
        return _block(raw)

    # --- logs ---

    def events(self, first: int, last: int, tip: Hash | None = None) -> list[Event]:
        """Events of all our contracts in the blocks from ``first`` to ``last``, both included, in chain order.

        With the hash of the block ``last`` as ``tip`` they are of that branch and of a node that has it whole. A range
        that the node finds too large is asked for in halves. Raises NodeError, NotTheSameChain, LogError.
        """
        out: list[Event] = []
        for start in range(first, last + 1, _BLOCKS_AT_ONCE):
            out.extend(self._decode(self._logs(start, min(start + _BLOCKS_AT_ONCE - 1, last), tip)))
        return out

    def events_of(self, block_hash: Hash) -> list[Event]:
        """Events in one block, named by its hash, so that no reorganisation can slip in another."""
        return self.events_of_each([block_hash])[0]

    def events_of_each(self, block_hashes: Sequence[Hash]) -> list[list[Event]]:
        """The same for several blocks, each the child of the one before. Raises as ``events`` does."""
        out: list[list[Event]] = []
        for start in range(0, len(block_hashes), _HASHES_AT_ONCE):
            names = ["0x" + name.hex() for name in block_hashes[start : start + _HASHES_AT_ONCE]]
            queries = [("eth_getLogs", [{"blockHash": name, "address": self._addresses}]) for name in names]
            # In one request with the logs, so that the same node answers: who has the last has those before it.
            *found, tip = self.rpc.batch([*queries, ("eth_getBlockByHash", [names[-1], False])])
            if tip is None:
                raise NotTheSameChain(self.rpc.url, names[-1])
            out += [self._decode(raws) for raws in found]
        return out

    def _logs(self, first: int, last: int, tip: Hash | None) -> list[Mapping[str, Any]]:
        query = {"fromBlock": hex(first), "toBlock": hex(last), "address": self._addresses}
        asked: list[tuple[str, Sequence[object]]] = [("eth_getLogs", [query])]
        if tip is not None:
            asked.append(("eth_getBlockByHash", ["0x" + tip.hex(), False]))
        found, *block = self.rpc.batch_each(asked)
        for error in block:
            if isinstance(error, RpcError):
                raise error
        if block == [None]:
            raise NotTheSameChain(self.rpc.url, "0x" + (tip or b"").hex())
        if not isinstance(found, RpcError):
            return list(found)
        if first == last:
            raise found
        middle = (first + last) // 2
        return self._logs(first, middle, tip) + self._logs(middle + 1, last, tip)

    def _decode(self, raws: Sequence[Mapping[str, Any]]) -> list[Event]:
        out = []
        for raw in raws:
            event = decode_log(raw)
            # The same topic from another of our contracts would be no event of the one that declares it.
            if event is not None and self._names.get(raw["address"].lower()) == event.log.contract:
                out.append(event)
        out.sort(key=lambda event: (event.log.block_number, event.log.log_index))
        return out

    # --- calls ---

    def view(self, contract: str, function: str, *args: object, block: int | str = "latest") -> Any:
        """What a view function returns, in types of our own; several values as a tuple.

        Raises ContractError where it reverts, NodeError, NoSuchFunction.
        """
        data = abi.encode(contract, function, *args)
        found = self._call({"to": self._address(contract), "data": "0x" + data.hex()}, block)
        return abi.decode_outputs(contract, function, len(args), found)

    def views(self, calls: Sequence[tuple[str, str, Sequence[object]]], block: int | str = "latest") -> list[Any]:
        """Many views in one batch: (contract, function, arguments). Raises as ``view`` does."""
        requests = [
            ("eth_call", [{"to": self._address(c), "data": "0x" + abi.encode(c, f, *args).hex()}, _tag(block)])
            for c, f, args in calls
        ]
        out = []
        for (contract, function, args), found in zip(calls, self.rpc.batch_each(requests), strict=True):
            if isinstance(found, RpcError):
                raise _refusal(found)
            out.append(abi.decode_outputs(contract, function, len(args), bytes.fromhex(found[2:])))
        return out

    def simulate(self, sender: Address, contract: str, data: bytes, block: int | str = "latest") -> bytes:
        """What a call would return if it were sent now. Raises the ContractError it would revert with, NodeError."""
        request = {"from": "0x" + sender.hex(), "to": self._address(contract), "data": "0x" + data.hex()}
        return self._call(request, block)

    def _address(self, contract: str) -> str:
        return "0x" + self.deployment.addresses[contract].hex()

    def _call(self, request: Mapping[str, str], block: int | str) -> bytes:
        try:
            found: str = self.rpc.call("eth_call", request, _tag(block))
        except RpcError as error:
            raise _refusal(error) from error
        return bytes.fromhex(found[2:])


def revert_data(error: RpcError) -> bytes | None:
    """The data that a revert carried, wherever this node puts it; None where the call did not revert."""
    data = error.data
    if isinstance(data, Mapping):
        data = data.get("data", data.get("result"))
    if isinstance(data, str):
        body = data.removeprefix("Reverted ").removeprefix("0x")
        try:
            return bytes.fromhex(body)
        except ValueError:
            return b""
    return b"" if "revert" in error.message.lower() or error.code == 3 else None


def _refusal(error: RpcError) -> Exception:
    data = revert_data(error)
    return error if data is None else decode_revert(data)


def _tag(block: int | str) -> str:
    return hex(block) if isinstance(block, int) else block


def _block(raw: Mapping[str, Any]) -> Block:
    return Block(
        int(raw["number"], 16),
        Hash(bytes.fromhex(raw["hash"][2:])),
        Hash(bytes.fromhex(raw["parentHash"][2:])),
        int(raw["timestamp"], 16),
    )
