"""Checkpoints as the HTTP door says them: what observers signed of the chain and the ledger at one final height."""

from __future__ import annotations

from pydantic import Field

from api.models import Hex32, HexAddress, Model
from contracts.wire.checkpoint import Cosigned
from contracts.wire.ids import Hash, address_text
from ledger.queries.observed import Observed


class CosignatureModel(Model):
    """An observer's signature, checked by this door; whether to believe the observer is the reader's to say."""

    observer: HexAddress
    signature: str = Field(pattern="^0x[0-9a-f]{130}$")


class CheckpointModel(Model):
    """A checkpoint, docs/protocol.md §11. ``file`` is where it is to be had as it was signed."""

    name: Hex32
    chain_id: int
    settlement: HexAddress
    height: int = Field(description="the number of a final block")
    block: Hex32 = Field(description="the hash of that block")
    blocks: int = Field(description="how many blocks up to there hold an event of ours")
    blocks_root: Hex32
    ledger: Hex32 = Field(description="the digest of what those events state")
    cosignatures: list[CosignatureModel]
    file: str


class CheckpointsModel(Model):
    """The newest checkpoints, the highest first. ``unreadable`` names files that are not what they say."""

    checkpoints: list[CheckpointModel]
    unreadable: list[str]


class Checkpoints:
    """Checkpoints of a running town."""

    def __init__(self, observed: Observed) -> None:
        self._observed = observed

    def newest(self, count: int) -> CheckpointsModel:
        """The highest ``count``."""
        found = self._observed.newest(count)
        return CheckpointsModel(
            checkpoints=[_checkpoint(cosigned) for cosigned in found.checkpoints], unreadable=list(found.unreadable)
        )

    def file(self, name: Hash) -> bytes | None:
        """The bytes of a published checkpoint."""
        found = self._observed.one(name)
        return None if found is None else found.encode()


def _checkpoint(found: Cosigned) -> CheckpointModel:
    point = found.checkpoint
    return CheckpointModel(
        name=_hex(point.name),
        chain_id=point.chain_id,
        settlement=address_text(point.settlement),
        height=point.height,
        block=_hex(point.block),
        blocks=point.blocks,
        blocks_root=_hex(point.blocks_root),
        ledger=_hex(point.ledger),
        cosignatures=[
            CosignatureModel(observer=address_text(c.observer), signature=_hex(c.signature)) for c in found.cosignatures
        ],
        file=f"/files/checkpoints/{_hex(point.name)}.json",
    )


def _hex(data: bytes) -> str:
    return "0x" + data.hex()
