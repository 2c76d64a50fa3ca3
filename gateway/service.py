"""The application: CDS Hooks 2.0 discovery, calls and feedback.

    GET  /healthz
    GET  /cds-services                  public
    POST /cds-services/{id}             signed token
    POST /cds-services/{id}/feedback    signed token

Source: CDS Hooks 2.0 (cds-hooks.hl7.org/2.0).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from contracts.errors import CloisterError, CredentialError, DataError
from gateway.cards import Card, hint_cards
from gateway.feedback import Feedback, FeedbackCounts
from gateway.guard import Guard
from gateway.hooks import HookCall, choose_row, parse_json, resources_of, validated
from gateway.models import Offer
from gateway.outcome import CallError, outcome
from gateway.tokens import TokenCheck
from registry.predict import missing_inputs, predict

_CODES = {404: "not-found", 405: "not-supported"}

_MALFORMED = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""What evaluating something that only looks like FHIR may end in: numbers where texts belong, texts where lists do."""


def make_service(
    offers: Mapping[str, Offer], tokens: TokenCheck, feedback: FeedbackCounts, url: str, max_body_bytes: int
) -> FastAPI:
    """The application over loaded models.

    Args:
        offers: by service id.
        url: the address clinics call, without a slash at its end; a token must be for ``url`` + path.
    """
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    app.add_middleware(Guard, max_body_bytes=max_body_bytes)
    _refuse_clearly(app)

    @app.get("/healthz")
    def health() -> dict[str, Any]:
        return {"status": "ready", "services": sum(not offer.is_withdrawn for offer in offers.values())}

    @app.get("/cds-services")
    def discover() -> dict[str, Any]:
        return {"services": [_described(offer) for offer in offers.values() if not offer.is_withdrawn]}

    @app.post("/cds-services/{service}")
    async def call(service: str, request: Request) -> dict[str, Any]:
        offer, body = await _admitted(service, request)
        return {"cards": await run_in_threadpool(answer, offer, parse_json(body))}

    @app.post("/cds-services/{service}/feedback")
    async def take_feedback(service: str, request: Request) -> dict[str, Any]:
        offer, body = await _admitted(service, request)
        said: Feedback = validated(Feedback, parse_json(body))
        await run_in_threadpool(feedback.add, service, offer.model.digest, said)
        return {}

    async def _admitted(service: str, request: Request) -> tuple[Offer, bytes]:
        """Who calls is checked before what is called and before the body is read."""
        await run_in_threadpool(tokens.check, request.headers.get("authorization"), url + request.url.path)
        if service not in offers:
            raise CallError(404, "not-found", "no such service; see GET /cds-services")
        if offers[service].is_withdrawn:
            raise CallError(410, "deleted", "this service's model was withdrawn")
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            raise CallError(415, "not-supported", "send the body as application/json")
        return offers[service], await request.body()

    return app


def answer(offer: Offer, body: Any) -> list[Card]:
    """The cards for a call's body (parsed JSON).

    Raises:
        CallError: the body is no call of this service, or lacks what the model needs.
        DataError: a resource in it is not as the model's views expect.
    """
    call: HookCall = validated(HookCall, body)
    if call.hook != offer.service.hook:
        raise CallError(400, "invalid", f"hook: this service answers the hook {offer.service.hook}")
    resources = resources_of(call)
    try:
        row = choose_row(offer, call, offer.model.evaluator.rows(resources))
        missing = missing_inputs(offer.model, row.inputs)
        probabilities = predict(offer.model, row.inputs) if len(missing) < len(row.inputs) else {}
    except _MALFORMED:
        raise CallError(422, "invalid", "a resource in prefetch is not well-formed FHIR JSON") from None
    if not probabilities:
        keys = ", ".join(offer.prefetch)
        raise CallError(412, "required", f"prefetch carries none of the model's inputs; this service needs: {keys}")
    return hint_cards(offer, probabilities, missing)


def _described(offer: Offer) -> dict[str, Any]:
    service = offer.service
    return {
        "hook": service.hook,
        "title": service.title,
        "description": service.description,
        "id": service.id,
        "prefetch": dict(offer.prefetch),
        "usageRequirements": "Send the prefetch: the gateway calls no FHIR server.",
    }


def _refuse_clearly(app: FastAPI) -> None:
    @app.exception_handler(CallError)
    def refuse_call(_: Request, error: CallError) -> JSONResponse:
        return outcome(error.status, error.code, error.detail)

    @app.exception_handler(CredentialError)
    def refuse_stranger(_: Request, error: CredentialError) -> JSONResponse:
        return outcome(401, "security", str(error), {"WWW-Authenticate": "Bearer"})

    @app.exception_handler(CloisterError)
    def refuse_data(_: Request, error: CloisterError) -> JSONResponse:
        if isinstance(error, DataError):
            return outcome(422, "processing", str(error))
        return outcome(500, "exception", type(error).__name__)

    @app.exception_handler(HTTPException)
    def refuse_route(_: Request, error: HTTPException) -> JSONResponse:
        return outcome(error.status_code, _CODES.get(error.status_code, "processing"), str(error.detail))
