"""What a clinic sends is in no file, no log and no answer of the gateway, whether the call succeeds or is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
from gateway_process import RunningGateway, running_gateway
from gateway_region import visit

COMPLAINT, PATIENT, VISIT, BORN = "秘密主诉发热", "p-4711", "e-4711", "1931-07-09"
USER, ACCESS, COMMENT = "Practitioner/4711", "access-4711", "comment-4711"
MARKS = (COMPLAINT, PATIENT, VISIT, BORN, USER, ACCESS, COMMENT)


def _marked_call() -> dict[str, Any]:
    body = visit(context={"patientId": PATIENT, "encounterId": VISIT, "userId": USER})
    body["fhirAuthorization"] = {"access_token": ACCESS}
    body["prefetch"]["patient"] |= {"id": PATIENT, "birthDate": BORN}
    body["prefetch"]["encounter"] |= {
        "id": VISIT,
        "subject": {"reference": f"Patient/{PATIENT}"},
        "reasonCode": [{"text": COMPLAINT}],
    }
    return body


def _refusals(gateway: RunningGateway, client: httpx.Client) -> list[httpx.Response]:
    """The ways in which a call can be wrong, each with a mark where it is wrong."""
    body, path = _marked_call(), "/cds-services/triage"
    malformed = {**body["prefetch"]["encounter"], "reasonCode": [{"text": {"value": COMPLAINT}}]}
    wrong: list[Any] = [
        {**body, "prefetch": {COMPLAINT: malformed}},
        {**body, "prefetch": {COMPLAINT: COMPLAINT}},
        {**body, "hook": COMPLAINT},
        {**body, "hookInstance": PATIENT},
        {**body, "context": {"patientId": COMPLAINT}},
        {**body, "context": {"patientId": "other", "encounterId": VISIT}},
        list(MARKS),
    ]
    answers = [client.post(path, json=one, headers=gateway.headers()) for one in wrong]
    other = f"/cds-services/{PATIENT}"
    return [
        *answers,
        client.post(other, json=body, headers=gateway.headers(other)),
        client.post(path, content=COMPLAINT.encode(), headers=gateway.headers()),
        client.post(path, json=body, headers={"Authorization": f"Bearer {ACCESS}"}),
        client.get(f"/{PATIENT}?name={ACCESS}"),
    ]


def test_a_request_leaves_no_trace(tmp_path: Path) -> None:
    with running_gateway(tmp_path) as gateway, gateway.client() as client:
        answer = client.post("/cds-services/triage", json=_marked_call(), headers=gateway.headers())
        refusals = _refusals(gateway, client)
        path = "/cds-services/triage/feedback"
        said = {"card": answer.json()["cards"][0]["uuid"], "outcome": "overridden"}
        said |= {"outcomeTimestamp": "2026-11-20T00:00:00Z", "overrideReason": {"userComment": COMMENT}}
        counted = client.post(path, json={"feedback": [said]}, headers=gateway.headers(path))
    assert (answer.status_code, counted.status_code) == (200, 200)
    assert all(400 <= refusal.status_code < 500 for refusal in refusals), [one.status_code for one in refusals]
    kept = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    for mark in MARKS:
        assert not any(mark in text for text in (answer.text, *(one.text for one in refusals)))
        assert not any(mark.encode() in data for data in kept)
    logged = gateway.log.read_text().splitlines()
    assert len(logged) == 1 and logged[0].startswith("gateway: ready at https://")
