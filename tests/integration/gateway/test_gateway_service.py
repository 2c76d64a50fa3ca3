"""Discovery, calls and feedback of CDS Hooks over a released model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from gateway_region import SERVICE, GatewayUnderTest, make_gateway, visit

from contracts.errors import ModelSignatureError, UsageError
from gateway.models import load_offers
from registry.release import withdraw


@pytest.fixture
def gateway(tmp_path: Path) -> GatewayUnderTest:
    return make_gateway(tmp_path)


def _without(*path: str) -> dict[str, Any]:
    """The usual call without one field."""
    body = json.loads(json.dumps(visit()))
    inner = body
    for name in path[:-1]:
        inner = inner[name]
    del inner[path[-1]]
    return body


def test_discovery_is_public_and_asks_for_what_the_model_reads(gateway: GatewayUnderTest) -> None:
    answer = gateway.ask("GET", "/cds-services")
    assert answer.status_code == 200
    assert answer.json()["services"] == [
        {
            "hook": "patient-view",
            "title": "分诊建议",
            "description": "Suggests departments.",
            "id": "triage",
            "prefetch": {
                "encounter": "Encounter/{{context.encounterId}}",
                "patient": "Patient/{{context.patientId}}",
            },
            "usageRequirements": "Send the prefetch: the gateway calls no FHIR server.",
        }
    ]
    assert gateway.ask("GET", "/healthz").json() == {"status": "ready", "services": 1}


def test_a_call_answers_ranked_hints_and_the_models_identity(gateway: GatewayUnderTest) -> None:
    answer = gateway.call()
    assert answer.status_code == 200, answer.text
    (card,) = answer.json()["cards"]
    assert set(card) == {"uuid", "summary", "detail", "indicator", "source", "extension"}
    hints = card["extension"]["cloister.hints"]
    assert hints[0]["code"] == "07"
    assert len(hints) == SERVICE.top
    assert hints[0]["probability"] > hints[1]["probability"]
    assert card["indicator"] == "info"
    assert card["summary"].startswith("分诊建议: 07 ")
    assert len(card["summary"]) < 140
    identity = card["extension"]["cloister.model"]
    assert set(identity) == {"task", "digest", "createdAt"}
    assert identity["digest"][:12] in card["source"]["label"]
    assert not {"p1", "e1", "小儿发热", "2021-05-01"} & set(json.dumps(card, ensure_ascii=False).split('"'))


def test_a_missing_input_gives_a_warning_beside_the_hints(gateway: GatewayUnderTest) -> None:
    hints, warning = gateway.call(_without("prefetch", "patient", "birthDate")).json()["cards"]
    assert hints["indicator"] == "info"
    assert warning["indicator"] == "warning"
    assert warning["extension"]["cloister.missing"] == ["age"]
    assert "age" in warning["summary"]


def test_resources_in_a_bundle_count_and_a_null_key_does_not(gateway: GatewayUnderTest) -> None:
    body = visit()
    encounter = body["prefetch"].pop("encounter")
    body["prefetch"]["encounters"] = {
        "resourceType": "Bundle",
        "type": "searchset",
        "entry": [{"resource": {**encounter, "id": "e0"}}, {"resource": encounter}],
    }
    body["prefetch"]["observations"] = None
    body["prefetch"]["failed"] = {"resourceType": "OperationOutcome", "issue": []}
    (card,) = gateway.call(body).json()["cards"]
    assert card["extension"]["cloister.hints"][0]["code"] == "07"


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        (_without("hook"), 400, "hook: is required"),
        (_without("hookInstance"), 400, "hookInstance: is required"),
        (visit(hookInstance="no uuid"), 400, "hookInstance: must be a UUID"),
        (visit(hook="order-sign"), 400, "answers the hook patient-view"),
        (_without("context", "patientId"), 400, "context.patientId: is required"),
        (visit(context={"patientId": "汉字"}), 400, "context.patientId: must be the id of a FHIR resource"),
        (visit(prefetch={"patient": ["x"]}), 400, "must be a FHIR resource"),
        (visit(prefetch={"b": {"resourceType": "Bundle", "entry": [{"resource": 1}]}}), 400, "no FHIR resource"),
        (visit(prefetch=[]), 400, "prefetch: must be an object"),
        ([], 400, "the body: must be an object"),
        (_without("prefetch"), 412, "this service needs: encounter, patient"),
        (_without("prefetch", "encounter"), 412, "no Encounter of the context in prefetch"),
        (visit(context={"patientId": "p1", "encounterId": "e9"}), 412, "no Encounter of the context"),
        (visit(context={"patientId": "p2", "encounterId": "e1"}), 422, "not of the patient in context.patientId"),
    ],
)
def test_a_bad_call_is_refused_with_what_is_wrong(gateway: GatewayUnderTest, body: Any, status: int, said: str) -> None:
    answer = gateway.call(body)
    assert answer.status_code == status
    assert answer.json()["resourceType"] == "OperationOutcome"
    assert said in answer.json()["issue"][0]["diagnostics"]


def test_a_visit_without_any_input_is_a_failed_precondition(gateway: GatewayUnderTest) -> None:
    body = visit()
    body["prefetch"]["encounter"] = {**body["prefetch"]["encounter"], "reasonCode": []}
    body["prefetch"]["patient"] = {"resourceType": "Patient", "id": "p1"}
    answer = gateway.call(body)
    assert answer.status_code == 412
    assert "none of the model's inputs" in answer.text


def test_two_visits_without_a_named_one_are_refused(gateway: GatewayUnderTest) -> None:
    body = visit(context={"patientId": "p1"})
    body["prefetch"]["more"] = {**body["prefetch"]["encounter"], "id": "e2"}
    assert gateway.call(body).status_code == 422
    assert gateway.call(visit(context={"patientId": "p1"})).status_code == 200


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b'{"hook": NaN}', b"[" * 100_000])
def test_a_body_that_is_no_json_is_refused(gateway: GatewayUnderTest, content: bytes) -> None:
    answer = gateway.call(content=content, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400


def test_other_routes_methods_and_media_types_are_refused_in_the_same_form(gateway: GatewayUnderTest) -> None:
    for answer, status in [
        (gateway.ask("GET", "/nothing"), 404),
        (gateway.ask("GET", "/docs"), 404),
        (gateway.ask("DELETE", "/cds-services"), 405),
        (gateway.call(path="/cds-services/unknown"), 404),
        (gateway.call(content=b"a=1", headers={"Content-Type": "application/x-www-form-urlencoded"}), 415),
    ]:
        assert answer.status_code == status
        assert answer.json()["resourceType"] == "OperationOutcome"


def test_a_large_body_is_refused(tmp_path: Path) -> None:
    gateway = make_gateway(tmp_path, max_body_bytes=2000)
    assert gateway.call().status_code == 200
    body = visit()
    body["prefetch"]["patient"]["text"] = "x" * 3000
    assert gateway.call(body).status_code == 413


def test_feedback_is_counted_by_outcome_and_its_words_are_dropped(gateway: GatewayUnderTest) -> None:
    path = "/cds-services/triage/feedback"
    entry = {"card": "4e0a3a1e-3283-4575-ab82-028d55fe2719", "outcomeTimestamp": "2026-11-20T00:00:00Z"}
    said = [
        {**entry, "outcome": "overridden", "overrideReason": {"userComment": "王小明 has the measles"}},
        {**entry, "outcome": "accepted", "acceptedSuggestions": [{"id": "1"}]},
    ]
    assert gateway.call({"feedback": said}, path).status_code == 200
    assert gateway.call({"feedback": said[:1]}, path).status_code == 200
    kept = json.loads((gateway.folder / "feedback.json").read_text())
    assert list(kept["triage"].values()) == [{"accepted": 1, "overridden": 2}]
    assert gateway.call({"feedback": [{**entry, "outcome": "ignored"}]}, path).status_code == 400
    assert gateway.call({"feedback": said}, "/cds-services/other/feedback").status_code == 404


def test_a_model_withdrawn_meanwhile_is_served_no_more(gateway: GatewayUnderTest) -> None:
    withdraw(gateway.registry, "triage", "m1", "wrong labels")
    assert gateway.ask("GET", "/cds-services").json() == {"services": []}
    assert gateway.call().status_code == 410


def test_an_altered_or_foreign_model_is_not_loaded(tmp_path: Path) -> None:
    gateway = make_gateway(tmp_path)
    with pytest.raises(ModelSignatureError):
        load_offers(gateway.registry, "ab" * 32)
    card = gateway.registry / "triage" / "m1" / "card.json"
    card.write_bytes(card.read_bytes().replace("呼吸内科".encode(), "外科".encode()))
    with pytest.raises(ModelSignatureError):
        load_offers(gateway.registry, (tmp_path / "authority.key").read_bytes().hex())


def test_a_registry_without_an_offered_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no released model with a \[service\]"):
        load_offers(tmp_path, "ab" * 32)
