"""Billing's files, to those entitled: docs/protocol.md §8."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import FileResponse

from api.caller import Credentials, Door, actor_of, bearer_token
from api.context import Context
from api.people import Actor, Role
from api.problems import NotFound
from contracts.wire.ids import Hash

router = APIRouter(tags=["files"])

READERS = {
    "bills": frozenset({Role.LEDGER, Role.REGULATOR}),
    "lines": frozenset({Role.LEDGER, Role.REGULATOR, Role.SUPPLIER}),
    "grants": frozenset({Role.LEDGER, Role.REGULATOR, Role.WELFARE}),
}
SUFFIXES = {"bills": ".jsonl", "lines": ".jsonl", "grants": ".jsonl", "tariffs": ".json"}


@router.get("/files/{kind}/{name}", response_class=FileResponse)
def file(kind: str, name: str, credentials: Credentials, door: Door) -> FileResponse:
    """A file by its root or hash. Tariffs are open to anyone; what is not the caller's is not there."""
    root = _root(kind, name)
    if root is not None and kind != "tariffs" and not _entitled(door, _known(door, credentials), kind, root):
        root = None
    path = None if root is None else door.files / kind / f"0x{root.hex()}{SUFFIXES[kind]}"
    if path is None or not path.is_file():
        raise NotFound(f"there is no file {kind}/{name} that you may fetch")
    return FileResponse(path, media_type="application/json" if kind == "tariffs" else "application/jsonl")


def _root(kind: str, name: str) -> Hash | None:
    digits = name.removesuffix(SUFFIXES.get(kind, "")).removeprefix("0x")
    if kind not in SUFFIXES or len(digits) != 64 or set(digits) - set("0123456789abcdef"):
        return None
    return Hash(bytes.fromhex(digits))


def _known(door: Context, credentials: Credentials) -> Actor:
    return actor_of(door, bearer_token(credentials))


def _entitled(door: Context, actor: Actor, kind: str, root: Hash) -> bool:
    if actor.role not in READERS[kind]:
        return False
    return actor.role is not Role.SUPPLIER or door.books.supplier_of_lines(root) == actor.supplier
