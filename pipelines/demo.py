"""The demo: the main job on the synthetic city, then one hint fetched over HTTPS as a clinic would get it."""

from __future__ import annotations

import os
import ssl
import uuid
from pathlib import Path
from typing import Any

import httpx

from contracts.zone import WorkArea
from pipelines.console import Console
from pipelines.gateway import DEMO_CLINIC, clinic_token, demo_clinic, gateway_command
from pipelines.ports import free_ports, wait_for
from pipelines.processes import Supervisor
from pipelines.run import run_region
from pipelines.settings import EngineKind, Settings

DEMO_REGION = Path(__file__).resolve().parent.parent / "regions" / "demo"
SERVICE = "triage"
COMPLAINT, GENDER, GENDER_NAME, BIRTH_DATE, VISIT = "发热、咳嗽、咳黄痰4天", "female", "女", "1958-06-01", "2026-11-20"


def run_demo(work: Path, engine: EngineKind) -> None:
    """Run everything below ``work``; raises CloisterError when a part fails."""
    console = Console()
    settings = Settings(region=DEMO_REGION, work=work, engine=engine)
    run_region(settings, console)
    console.say()
    console.say("A clinic asks for a department hint over HTTPS (CDS Hooks 2.0):")
    for line in hint_lines(fetch_hint(settings.area)):
        console.say(line)
    console.say()
    console.say(f"Done in {console.seconds:.0f} s. Next: make serve (the hints), make ui (Dagster), README.md")


def fetch_hint(area: WorkArea) -> dict[str, Any]:
    """Start the gateway, make one call as the clinic ``demo``, stop it; the answer."""
    port = free_ports(1)[0]
    argv = gateway_command(area, port)
    demo_clinic(area)
    url = f"https://localhost:{port}/cds-services/{SERVICE}"
    with Supervisor() as processes:
        processes.start("gateway", argv, dict(os.environ), area.gateway / "logs" / "gateway.log")
        wait_for(port, "the gateway")
        context = ssl.create_default_context(cafile=str(area.pki / "root.crt"))
        headers = {"Authorization": f"Bearer {clinic_token(area, DEMO_CLINIC, url)}"}
        with httpx.Client(verify=context, trust_env=False, timeout=30) as client:
            answer = client.post(url, json=triage_request(), headers=headers)
            answer.raise_for_status()
    found: dict[str, Any] = answer.json()
    return found


def triage_request() -> dict[str, Any]:
    """A CDS Hooks call with the patient and the visit as prefetch."""
    patient = {"resourceType": "Patient", "id": "p1", "gender": GENDER, "birthDate": BIRTH_DATE}
    encounter = {
        "resourceType": "Encounter",
        "id": "e1",
        "status": "in-progress",
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"},
        "subject": {"reference": "Patient/p1"},
        "period": {"start": f"{VISIT}T08:30:00+08:00"},
        "reasonCode": [{"text": COMPLAINT}],
    }
    return {
        "hook": "patient-view",
        "hookInstance": str(uuid.uuid4()),
        "context": {"userId": "Practitioner/demo", "patientId": "p1", "encounterId": "e1"},
        "prefetch": {"patient": patient, "encounter": encounter},
    }


def hint_lines(answer: dict[str, Any]) -> list[str]:
    """The request and the first card in words."""
    card = answer["cards"][0]
    age = int(VISIT[:4]) - int(BIRTH_DATE[:4])
    lines = [f"  主诉 {COMPLAINT}，{GENDER_NAME}，{age} 岁"]
    for rank, hint in enumerate(card["extension"]["cloister.hints"], start=1):
        lines.append(f"  {rank}. {hint['display']} ({hint['code']})  {_percent(hint['probability'])}")
    lines.append(f"  from {card['source']['label']}")
    return lines


def _percent(share: float) -> str:
    return "<1%" if share < 0.01 else f"{share:.0%}"
