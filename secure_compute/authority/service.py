"""The opener over HTTPS: bytes in, bytes out, one caller (the coordinator, by its token).

    GET  /v1/health
    POST /v1/runs                CreateRun   -> RunDescriptor
    POST /v1/runs/{run}/keys     KeyBatch    -> KeyBatch
    POST /v1/runs/{run}/open     OpenRequest -> signed total
    GET  /v1/runs/{run}/status               -> open, closed or failed
    POST /v1/runs/{run}/close
    POST /v1/runs/{run}/model    SignModel   -> signed record (JSON)

A refusal is ``{"code", "detail"}`` with its HTTP status. Without the token there is no answer but 401.
"""

from __future__ import annotations

import hmac
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException, Path, Request, Response
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from contracts.errors import CloisterError, RefusedError, http_status
from contracts.messages import RefusalCode
from contracts.wire import digest
from secure_compute.authority.opener import Opener

MAX_BODY_BYTES = 512 * 1024 * 1024
"""Thirty million values a request; more is refused before it is read."""

_Run = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$")]


def make_service(opener: Opener, token: str) -> FastAPI:
    """The service around an opener. ``token``: what the coordinator must show."""
    expected = digest(token.encode())

    def authorise(request: Request) -> None:
        scheme, _, shown = request.headers.get("authorization", "").partition(" ")
        # Comparing digests hides the length too.
        if scheme.lower() != "bearer" or not hmac.compare_digest(digest(shown.encode()), expected):
            raise HTTPException(401, "unauthorised")

    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, dependencies=[Depends(authorise)])

    @app.exception_handler(CloisterError)
    def refuse(_: Request, error: CloisterError) -> JSONResponse:
        # Errors that are not refusals may name paths of this host: only the code leaves.
        if isinstance(error, RefusedError):
            return JSONResponse({"code": str(error.code), "detail": str(error)}, http_status(error))
        return JSONResponse({"code": RefusalCode.INTERNAL, "detail": type(error).__name__}, http_status(error))

    @app.get("/v1/health")
    def health() -> dict[str, str]:
        return {"status": "ready"}

    @app.post("/v1/runs")
    async def create_run(request: Request) -> Response:
        return _bytes(await run_in_threadpool(opener.create_run, await _body(request)))

    @app.post("/v1/runs/{run}/keys")
    async def register_keys(run: _Run, request: Request) -> Response:
        return _bytes(await run_in_threadpool(opener.register_keys, run, await _body(request)))

    @app.post("/v1/runs/{run}/open")
    async def open_sum(run: _Run, request: Request) -> Response:
        return _bytes(await run_in_threadpool(opener.open, run, await _body(request)))

    @app.get("/v1/runs/{run}/status")
    async def status(run: _Run) -> Response:
        return _bytes(await run_in_threadpool(opener.status, run))

    @app.post("/v1/runs/{run}/close")
    async def close_run(run: _Run) -> Response:
        return _bytes(await run_in_threadpool(opener.close_run, run))

    @app.post("/v1/runs/{run}/model")
    async def sign_model(run: _Run, request: Request) -> Response:
        return _bytes(await run_in_threadpool(opener.sign_model, run, await _body(request)))

    return app


async def _body(request: Request) -> bytes:
    pieces: list[bytes] = []
    size = 0
    async for piece in request.stream():
        size += len(piece)
        if size > MAX_BODY_BYTES:
            raise HTTPException(413, "too large")
        pieces.append(piece)
    return b"".join(pieces)


def _bytes(data: bytes) -> Response:
    return Response(data, media_type="application/octet-stream")
