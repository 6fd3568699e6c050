"""The intake over HTTP: batches in, receipts and problems (RFC 9457) out, files for entitled readers."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from typing import Annotated, Any

from fastapi import FastAPI, Header, Query, Request, Response
from fastapi import Path as PathParameter
from fastapi.concurrency import run_in_threadpool
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

from contracts.wire.canonical import content_hash
from contracts.wire.ids import Hash
from oracle import quarantine, store
from oracle.batch import MAX_BODY_BYTES, NO_BATCH, batch_from_json, header_to_json, json_of, signature_from_json
from oracle.batch_files import DOCUMENTS, READINGS
from oracle.errors import OracleError, UnknownSource
from oracle.intake import Intake, Receipt, adopt
from oracle.refusals import BatchTooLarge, DocumentMismatch, MalformedRequest, NotEntitled, NotFound
from oracle.validation import Finding

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

    def shows_token(authorization: str | None) -> bool:
        return hmac.compare_digest((authorization or "").removeprefix(_BEARER).encode(), token.encode())

    def entitled(authorization: str | None, thing: str) -> None:
        if not shows_token(authorization):
            raise NotEntitled(thing)

    @app.post("/batches", status_code=202)
    async def post_batch(request: Request) -> dict[str, object]:
        body = await _body(request)
        return await run_in_threadpool(lambda: receipt_json(intake.accept(batch_from_json(body))))

    @app.get("/batches/{source}/{sequence}")
    def get_batch(
        source: _SourceNumber, sequence: _Sequence, authorization: Annotated[str | None, Header()] = None
    ) -> dict[str, object]:
        return batch_json(intake, source, sequence, with_meters=shows_token(authorization))

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
    def get_quarantine(
        after: Annotated[int, Query(ge=0, lt=1 << 63)] = 0,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
        authorization: Annotated[str | None, Header()] = None,
    ) -> dict[str, object]:
        entitled(authorization, "the quarantine")
        return quarantine_json(intake, after, limit)

    @app.delete("/quarantine/{digest}")
    def release_quarantined(digest: str, authorization: Annotated[str | None, Header()] = None) -> dict[str, object]:
        entitled(authorization, "the quarantine")
        with intake.engine.begin() as connection:
            if not quarantine.release(connection, _hash(digest)):
                raise NotFound(f"quarantined batch {digest}")
        return {"released": digest}

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
        "detail": str(error) if error.not_kept is None else f"{error}; {error.not_kept}",
        "remedy": error.remedy,
        "state": "quarantined" if error.kept and error.not_kept is None else "refused",
        **{name: value for name, value in error.data().items() if name not in ("state", "status")},
    }


def receipt_json(receipt: Receipt) -> dict[str, object]:
    """A receipt as JSON."""
    return {
        "root": "0x" + receipt.root.hex(),
        "sequence": receipt.sequence,
        "state": receipt.state,
        "reason": receipt.reason,
        "findings": [finding_json(finding, with_meters=True) for finding in receipt.findings],
    }


def finding_json(finding: Finding, with_meters: bool) -> dict[str, object]:
    """A reading that does not stand: which leaf, which meter (for whoever may know it), why, and what to do."""
    meter = {"meter": None if finding.meter is None else finding.meter.hex()} if with_meters else {}
    return {"leaf": finding.index, **meter, "reason": finding.name, "remedy": finding.remedy}


def batch_json(intake: Intake, source: int, sequence: int, with_meters: bool) -> dict[str, object]:
    """What is known of a batch; of a quarantined one its reason. Raises NotFound."""
    with intake.engine.begin() as connection:
        row = store.latest_at(connection, source, sequence)
        kept = quarantine.latest_at(connection, source, sequence) if row is None else None
    if row is not None:
        return {
            "header": header_to_json(row.header),
            "signature": "0x" + row.signature.hex(),
            "state": row.state,
            "reason": row.reason,
            "anchored_block": row.anchored_block,
            "findings": [finding_json(finding, with_meters) for finding in intake.findings(row)],
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


def quarantine_json(intake: Intake, after: int, limit: int) -> dict[str, object]:
    """A page of what stands in quarantine, each with its reason; ``next`` is the ``after`` of the page that follows."""
    with intake.engine.begin() as connection:
        rows = quarantine.page(connection, after, limit)
    batches = [
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
    return {"batches": batches, "next": rows[-1].id if len(rows) == limit else None}


async def _body(request: Request) -> bytes:
    """The whole body, refused as soon as it grows past the limit."""
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        if len(data) > MAX_BODY_BYTES:
            raise BatchTooLarge(len(data), MAX_BODY_BYTES, "bytes")
    return bytes(data)


def _object(body: bytes) -> Mapping[str, Any]:
    value = json_of(body)
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
