"""The intake over HTTP: batches in, receipts and problems (RFC 9457) out, files for entitled readers."""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable, Mapping
from typing import Annotated, Any

from fastapi import FastAPI, Header, Request, Response
from fastapi import Path as PathParameter
from fastapi.concurrency import run_in_threadpool
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

from contracts.wire.canonical import content_hash
from contracts.wire.ids import Hash
from oracle import store
from oracle.batch import MAX_BODY_BYTES, NO_BATCH, batch_from_json, header_to_json, signature_from_json
from oracle.batch_files import DOCUMENTS, READINGS
from oracle.errors import OracleError, UnknownSource
from oracle.intake import Intake, Receipt, adopt
from oracle.refusals import BatchTooLarge, DocumentMismatch, MalformedRequest, NotEntitled, NotFound

_SourceNumber = Annotated[int, PathParameter(ge=0, lt=1 << 32)]
_Sequence = Annotated[int, PathParameter(ge=0, lt=1 << 48)]
_SERVED = (READINGS, DOCUMENTS)
_BEARER = "Bearer "

Resetter = Callable[[Mapping[str, Any]], str]
"""Takes the body of POST /resets and returns the name of the intent that will bring it onto the chain."""


def make_app(intake: Intake, token: str, reset: Resetter) -> FastAPI:
    """The HTTP application. ``token`` is what entitled readers of files and putters of documents show."""
    app = FastAPI(title="Kopeck oracle", version="1")

    @app.exception_handler(OracleError)
    def problem(_request: Request, error: OracleError) -> JSONResponse:
        return JSONResponse(problem_of(error), error.status, media_type="application/problem+json")

    @app.exception_handler(RequestValidationError)
    def malformed(request: Request, error: RequestValidationError) -> JSONResponse:
        fault = error.errors()[0]
        place = ".".join(str(part) for part in fault["loc"])
        return problem(request, MalformedRequest(f"{place}: {fault['msg']}"))

    def entitled(authorization: str | None, thing: str) -> None:
        shown = (authorization or "").removeprefix(_BEARER)
        if not hmac.compare_digest(shown.encode(), token.encode()):
            raise NotEntitled(thing)

    @app.post("/batches", status_code=202)
    async def post_batch(request: Request) -> dict[str, object]:
        body = await _body(request)
        return await run_in_threadpool(lambda: receipt_json(intake.accept(batch_from_json(body))))

    @app.get("/batches/{source}/{sequence}")
    def get_batch(source: _SourceNumber, sequence: _Sequence) -> dict[str, object]:
        return batch_json(intake, source, sequence)

    @app.put("/batches/{source}/{sequence}/signature", status_code=202)
    async def put_signature(source: _SourceNumber, sequence: _Sequence, request: Request) -> dict[str, object]:
        signature = signature_from_json(_object(await _body(request)))
        return await run_in_threadpool(lambda: receipt_json(intake.sign_again(source, sequence, signature)))

    @app.get("/sources/{source}/head")
    def get_head(source: _SourceNumber) -> dict[str, object]:
        return head_json(intake, source)

    @app.post("/resets", status_code=202)
    async def post_reset(request: Request) -> dict[str, object]:
        body = _object(await _body(request))
        return {"intent": await run_in_threadpool(lambda: reset(body))}

    @app.put("/documents/{name}", status_code=201)
    async def put_document(
        name: str, request: Request, authorization: Annotated[str | None, Header()] = None
    ) -> dict[str, object]:
        entitled(authorization, "putting documents")
        named, data = _hash(name), await _body(request)
        if content_hash(data) != named:
            raise DocumentMismatch(named, content_hash(data))
        await run_in_threadpool(lambda: intake.put_document(named, data))
        return {"document": "0x" + named.hex(), "bytes": len(data)}

    @app.get("/documents/{name}/batches")
    def get_document_batches(name: str, source: int) -> list[dict[str, object]]:
        with intake.engine.begin() as connection:
            rows = store.batches_of_document(connection, source, _hash(name))
        return [{"header": header_to_json(row.header), "state": row.state} for row in rows]

    @app.get("/files/{kind}/{name}")
    def get_file(kind: str, name: str, authorization: Annotated[str | None, Header()] = None) -> Response:
        entitled(authorization, "files")
        data = intake.files.get(kind, _hash(name)) if kind in _SERVED else None
        if data is None:
            raise NotFound(f"file {kind}/{name}")
        return Response(data, media_type="application/octet-stream")

    @app.get("/quarantine")
    def get_quarantine(authorization: Annotated[str | None, Header()] = None) -> list[dict[str, object]]:
        entitled(authorization, "the quarantine")
        return quarantine_json(intake)

    @app.get("/health")
    def get_health() -> dict[str, object]:
        with intake.engine.begin() as connection:
            states = store.count_by_state(connection)
        return {"chain_time": intake.chain.now(), "batches": states}

    return app


def problem_of(error: OracleError) -> dict[str, object]:
    """An error as an RFC 9457 problem document; ``state`` says what became of the batch."""
    return {
        "type": f"urn:kopeck:problem:{error.slug}",
        "title": type(error).__name__,
        "status": error.status,
        "detail": str(error),
        "remedy": error.remedy,
        "state": "quarantined" if error.kept else "refused",
        **{name: value for name, value in error.data().items() if name not in ("state", "status")},
    }


def receipt_json(receipt: Receipt) -> dict[str, object]:
    """A receipt as JSON."""
    return {
        "root": "0x" + receipt.root.hex(),
        "sequence": receipt.sequence,
        "state": receipt.state,
        "reason": receipt.reason,
    }


def batch_json(intake: Intake, source: int, sequence: int) -> dict[str, object]:
    """What is known of a batch; of a quarantined one its reason. Raises NotFound."""
    with intake.engine.begin() as connection:
        row = store.latest_at(connection, source, sequence)
        kept = store.quarantined_at(connection, source, sequence) if row is None else None
    if row is not None:
        return {
            "header": header_to_json(row.header),
            "signature": "0x" + row.signature.hex(),
            "state": row.state,
            "reason": row.reason,
            "anchored_block": row.anchored_block,
        }
    if kept is not None:
        return {"source": source, "sequence": sequence, "state": "quarantined", "reason": kept.reason}
    raise NotFound(f"batch {sequence} of source {source}")


def head_json(intake: Intake, source: int) -> dict[str, object]:
    """Where a source goes on from: its last accepted batch, which batches it must sign again, which it lost.

    Raises UnknownSource.
    """
    if intake.chain.source(source) is None and intake.chain.source(source, fresh=True) is None:
        raise UnknownSource(source)
    on_chain = intake.chain.head_of(source)
    with intake.engine.begin() as connection:
        adopt(connection, source, on_chain)
        head = store.chain_of(connection, source) or NO_BATCH
        stale = store.batches_in(connection, (store.BatchState.STALE,), source)
        lost = store.lost_heads(connection, source)
    return {
        "source": source,
        "epoch": head.epoch,
        "sequence": head.sequence,
        "head": "0x" + head.head.hex(),
        "anchored": on_chain.sequence if on_chain.epoch == head.epoch else 0,
        "lost": ["0x" + lost_head.hex() for lost_head in lost],
        "sign_again": [row.header.sequence for row in stale],
        "chain_time": intake.chain.now(),
    }


def quarantine_json(intake: Intake) -> list[dict[str, object]]:
    """What stands in quarantine, each with its reason."""
    with intake.engine.begin() as connection:
        rows = store.quarantined(connection)
    return [
        {
            "digest": "0x" + bytes(row.digest).hex(),
            "source": row.source,
            "sequence": row.sequence,
            "root": "0x" + bytes(row.root).hex(),
            "slug": row.slug,
            "reason": row.reason,
            "received_at": row.received_at,
        }
        for row in rows
    ]


async def _body(request: Request) -> bytes:
    """The whole body, refused as soon as it grows past the limit."""
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        if len(data) > MAX_BODY_BYTES:
            raise BatchTooLarge(len(data), MAX_BODY_BYTES, "bytes")
    return bytes(data)


def _object(body: bytes) -> Mapping[str, Any]:
    try:
        value = json.loads(body)
    except ValueError as error:
        raise MalformedRequest(f"not JSON ({error})") from error
    if not isinstance(value, dict):
        raise MalformedRequest("not an object")
    return value


def _hash(name: str) -> Hash:
    try:
        data = bytes.fromhex(name.removeprefix("0x").removesuffix(".jsonl"))
    except ValueError as error:
        raise NotFound(f"{name!r}: a name is 32 bytes of hex, and nothing else is") from error
    if len(data) != 32:
        raise NotFound(f"{name!r}: a name is 32 bytes of hex, and nothing else is")
    return Hash(data)
