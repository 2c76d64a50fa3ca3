"""A gateway over one released triage model, and the calls of a clinic."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI
from small_models import authority_at, signature_of, small_arrays, small_card

from contracts.region import Service
from gateway.clinics import CLINICS, ClinicDirectory, key_file, register_clinic
from gateway.feedback import FeedbackCounts
from gateway.models import load_offers
from gateway.replay import UsedTokens
from gateway.service import make_service
from gateway.tokens import TokenCheck, load_clinic_key, make_token
from registry.release import promote
from registry.store import add_signature, write_model

URL = "https://cds.example.org"
SERVICE = Service(id="triage", title="分诊建议", description="Suggests departments.", top=2)


def release(folder: Path, **changed: Any) -> tuple[Path, str]:
    """A registry with one promoted model, and the authority's public key."""
    authority, card = authority_at(folder), small_card(**{"service": SERVICE, **changed})
    registry = folder / "registry"
    write_model(registry / "triage" / "m1", card, small_arrays())
    add_signature(registry / "triage" / "m1", signature_of(card, authority), authority.public)
    promote(registry, "triage", "m1", authority.public)
    return registry, authority.public


def visit(**changed: Any) -> dict[str, Any]:
    """A call that the service answers: a boy of five with fever."""
    body: dict[str, Any] = {
        "hook": "patient-view",
        "hookInstance": "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea",
        "context": {"userId": "Practitioner/7", "patientId": "p1", "encounterId": "e1"},
        "prefetch": {
            "patient": {"resourceType": "Patient", "id": "p1", "gender": "male", "birthDate": "2021-05-01"},
            "encounter": {
                "resourceType": "Encounter",
                "id": "e1",
                "subject": {"reference": "Patient/p1"},
                "period": {"start": "2026-11-20T08:00:00+08:00"},
                "reasonCode": [{"text": "小儿发热"}],
            },
        },
    }
    return {**body, **changed}


@dataclass
class GatewayUnderTest:
    """The application in this process; ``clock`` can be turned."""

    folder: Path
    app: FastAPI
    registry: Path
    offset: list[float] = field(default_factory=lambda: [0.0])

    def token(self, path: str = "/cds-services/triage", clinic: str = "east", seconds: int = 60) -> str:
        return make_token(load_clinic_key(key_file(self.folder, clinic)), URL + path, seconds)

    def ask(self, method: str, path: str, **given: Any) -> httpx.Response:
        async def run() -> httpx.Response:
            async with httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url=URL) as client:
                return await client.request(method, path, **given)

        return asyncio.run(run())

    def call(self, body: Any = None, path: str = "/cds-services/triage", **given: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.token(path)}", **given.pop("headers", {})}
        sent = given or {"json": visit() if body is None else body}
        return self.ask("POST", path, headers=headers, **sent)


def make_gateway(folder: Path, max_body_bytes: int = 1 << 20, **changed: Any) -> GatewayUnderTest:
    """A gateway with the clinic ``east`` registered."""
    registry, authority = release(folder, **changed)
    home = folder / "gateway"
    register_clinic(home, "east")
    offset = [0.0]
    clock: Callable[[], float] = lambda: time.time() + offset[0]  # noqa: E731
    used = UsedTokens(home / "tokens.used", clock())
    tokens = TokenCheck(ClinicDirectory(home / CLINICS), used, 300, clock)
    counts = FeedbackCounts(home / "feedback.json")
    app = make_service(load_offers(registry, authority), tokens, counts, URL, max_body_bytes)
    return GatewayUnderTest(home, app, registry, offset)
