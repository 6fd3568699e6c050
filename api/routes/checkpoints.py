"""Checkpoints that observers cosigned, for anybody: what shows that all are told the same."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query
from fastapi.responses import Response

from api.caller import Door
from api.checkpoints import CheckpointsModel
from api.problems import NotFound
from contracts.wire.ids import Hash

router = APIRouter(tags=["checkpoints"])


@router.get("/v1/checkpoints")
def checkpoints(door: Door, count: Annotated[int, Query(ge=1, le=100)] = 10) -> CheckpointsModel:
    """The newest checkpoints with who signed each; open to anyone."""
    return door.checkpoints.newest(count)


@router.get("/files/checkpoints/{name}", response_class=Response)
def checkpoint_file(name: Annotated[str, Path(pattern=r"^0x[0-9a-f]{64}\.json$")], door: Door) -> Response:
    """A published checkpoint with its cosignatures, as `kopeck capsule` and the verifiers read it; open to anyone."""
    found = door.checkpoints.file(Hash(bytes.fromhex(name[2:66])))
    if found is None:
        raise NotFound(f"there is no checkpoint {name}")
    return Response(
        found, media_type="application/json", headers={"Content-Disposition": f'attachment; filename="{name}"'}
    )
