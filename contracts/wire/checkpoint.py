"""Checkpoints, docs/protocol.md §11: what observers say together of a chain and of the ledger that follows from it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from contracts.wire.canonical import canonical_json
from contracts.wire.ids import Address, Hash
from contracts.wire.keccak import keccak
from contracts.wire.typed_data import SignatureError, recover, sign_digest

_TEXT = re.compile(
    r"kopeck checkpoint v1\n"
    r"chain (0|[1-9][0-9]{0,18})\n"
    r"settlement 0x([0-9a-f]{40})\n"
    r"height (0|[1-9][0-9]{0,18})\n"
    r"block 0x([0-9a-f]{64})\n"
    r"blocks ([1-9][0-9]{0,9}) 0x([0-9a-f]{64})\n"
    r"ledger 0x([0-9a-f]{64})\n"
)


class CheckpointError(ValueError):
    """Not a checkpoint, or a cosignature that is not its observer's."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """One chain at one final height.

    ``blocks`` and ``blocks_root``: how many blocks up to there hold an event of the deployment, and the root over
    them. ``ledger``: the digest of what those events state, see ledger.checkpoints.
    """

    chain_id: int
    settlement: Address
    height: int
    block: Hash
    blocks: int
    blocks_root: Hash
    ledger: Hash

    @property
    def text(self) -> str:
        """What is signed."""
        return (
            f"kopeck checkpoint v1\nchain {self.chain_id}\nsettlement 0x{self.settlement.hex()}\n"
            f"height {self.height}\nblock 0x{self.block.hex()}\n"
            f"blocks {self.blocks} 0x{self.blocks_root.hex()}\nledger 0x{self.ledger.hex()}\n"
        )

    @property
    def name(self) -> Hash:
        """keccak-256 of the text: what its file is called."""
        return Hash(keccak(self.text.encode()))

    @property
    def digest(self) -> Hash:
        """What an observer's key signs: EIP-191, version 0x45."""
        text = self.text.encode()
        return Hash(keccak(b"\x19Ethereum Signed Message:\n%d" % len(text) + text))

    @classmethod
    def parse(cls, text: str) -> Checkpoint:
        """The checkpoint in a text. Raises CheckpointError."""
        found = _TEXT.fullmatch(text)
        if found is None:
            raise CheckpointError("not a checkpoint: its eight lines are not as docs/protocol.md §11 has them")
        chain, settlement, height, block, blocks, root, ledger = found.groups()
        return cls(
            int(chain),
            Address(bytes.fromhex(settlement)),
            int(height),
            Hash(bytes.fromhex(block)),
            int(blocks),
            Hash(bytes.fromhex(root)),
            Hash(bytes.fromhex(ledger)),
        )


@dataclass(frozen=True, slots=True, order=True)
class Cosignature:
    """An observer's signature of a checkpoint."""

    observer: Address
    signature: bytes

    @classmethod
    def make(cls, private_key: bytes, observer: Address, checkpoint: Checkpoint) -> Cosignature:
        """Signs."""
        return cls(observer, sign_digest(private_key, checkpoint.digest))

    def check(self, checkpoint: Checkpoint) -> None:
        """Raises CheckpointError where it is not the observer's, or of another checkpoint."""
        try:
            signer = recover(checkpoint.digest, self.signature)
        except SignatureError as error:
            raise CheckpointError(f"cosignature of 0x{self.observer.hex()}: {error}") from error
        if signer != self.observer:
            raise CheckpointError(f"the cosignature under 0x{self.observer.hex()} is not that observer's")


@dataclass(frozen=True, slots=True)
class Cosigned:
    """A checkpoint with its cosignatures, ascending by observer."""

    checkpoint: Checkpoint
    cosignatures: tuple[Cosignature, ...] = ()

    def as_json(self) -> dict[str, object]:
        """Plain values."""
        signed = [
            {"observer": "0x" + c.observer.hex(), "signature": "0x" + c.signature.hex()} for c in self.cosignatures
        ]
        return {"text": self.checkpoint.text, "cosignatures": signed}

    def encode(self) -> bytes:
        """The bytes of a published checkpoint."""
        return canonical_json(self.as_json())

    def merged(self, others: tuple[Cosignature, ...]) -> Cosigned:
        """With further cosignatures; the first of an observer stays."""
        by_observer = {c.observer: c for c in (*others, *self.cosignatures)}
        return Cosigned(self.checkpoint, tuple(sorted(by_observer.values())))


def block_blob(number: int, block: Hash) -> bytes:
    """Blob of a leaf of the tree of blocks: number (8) ‖ hash (32)."""
    return number.to_bytes(8, "big") + block
