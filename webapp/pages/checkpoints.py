"""What observers signed of the chain and the ledger: the same for everybody, and for anybody to see."""

from __future__ import annotations

from starlette.responses import Response
from starlette.routing import Route

from webapp.view import Visit, show


async def checkpoints(visit: Visit) -> Response:
    """How far the ledger has read, and the newest checkpoints."""
    status = await visit.api.get("/v1/status")
    found = await visit.api.get("/v1/checkpoints")
    return visit.page("checkpoints.html", status=status, **found)


routes = [Route("/checkpoints", show(checkpoints), methods=["GET"])]
