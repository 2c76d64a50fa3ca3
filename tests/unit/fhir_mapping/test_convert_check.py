"""What breaks a rule of FHIR is left out, as little as can be, and named by rule and path."""

from __future__ import annotations

from typing import Any

import pytest

from contracts.fhir.json_text import DecimalText
from fhir_mapping.convert.check import Checker
from fhir_mapping.convert.definitions.reader import definitions
from fhir_mapping.convert.invariant import compile_rule

R4 = Checker("R4")
CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"


def _patient(**elements: Any) -> dict[str, Any]:
    return {"resourceType": "Patient", "id": "p", **elements}


def _observation(**elements: Any) -> dict[str, Any]:
    return {"resourceType": "Observation", "id": "o", "status": "final", "code": {"text": "x"}, **elements}


def _faults(body: dict[str, Any]) -> list[tuple[str, str]]:
    return [(problem.rule, problem.path) for problem in R4.clean(body)[1]]


def test_a_resource_without_fault_comes_back_equal() -> None:
    body = _patient(
        name=[
            {
                "family": "张",
                "given": ["三", None],
                "_given": [None, {"extension": [{"url": "http://x", "valueCode": "y"}]}],
            }
        ],
        _gender={"extension": [{"url": "http://x.org/sex", "valueString": "1"}]},
        birthDate="1990-02",
        contained=[{"resourceType": "Organization", "id": "o", "name": "x"}],
        managingOrganization={"reference": "#o"},
    )
    assert R4.clean(body) == (body, [])


@pytest.mark.parametrize(
    ("elements", "rule", "path"),
    [
        ({"gender": "男"}, "not_in_binding", "Patient.gender"),
        ({"birthDate": "2024-02-30"}, "not_date", "Patient.birthDate"),
        ({"foo": 1}, "unknown_element", "Patient.foo"),
        ({"name": [{"family": ""}]}, "empty", "Patient.name[0].family"),
        ({"telecom": [{"value": "1"}]}, "cpt-2", "Patient.telecom[0]"),
        ({"identifier": [{"system": "MRN", "value": "1"}]}, "relative_system", "Patient.identifier[0].system"),
        ({"identifier": [{"system": "urn:oid:1.2.x", "value": "1"}]}, "not_uri", "Patient.identifier[0].system"),
        ({"managingOrganization": {"reference": "Patient/1"}}, "wrong_target", "Patient.managingOrganization"),
        ({"managingOrganization": {"reference": "#no"}}, "ref-1", "Patient.managingOrganization.reference"),
        ({"contact": [{"gender": "male"}]}, "pat-1", "Patient.contact[0]"),
        ({"extension": [{"url": "http://x"}]}, "ext-1", "Patient.extension[0]"),
        ({"contained": [{"resourceType": "Organization", "id": "o", "name": "x"}]}, "dom-3", "Patient.contained"),
        ({"text": {"status": "generated", "div": "<div>x</div>"}}, "bad_narrative", "Patient.text.div"),
    ],
)
def test_a_fault_goes_and_the_rest_stays(elements: dict[str, Any], rule: str, path: str) -> None:
    found, problems = R4.clean(_patient(active=True, **elements))
    assert found is not None and found["active"] is True
    assert (rule, path) in [(problem.rule, problem.path) for problem in problems]
    assert R4.clean(found) == (found, [])


@pytest.mark.parametrize(
    "body",
    [
        {"resourceType": "Observation", "id": "o", "status": "bogus", "code": {"text": "x"}},
        {"resourceType": "Observation", "id": "o", "status": "final"},
        {"resourceType": "AllergyIntolerance", "id": "a", "patient": {"display": "x"}},
        {"resourceType": "Nonsense", "id": "x"},
    ],
)
def test_a_resource_that_cannot_stand_goes(body: dict[str, Any]) -> None:
    found, problems = R4.clean(body)
    assert found is None and problems


def test_the_smallest_part_that_breaks_an_invariant_goes() -> None:
    both = _observation(valueString="x", dataAbsentReason={"text": "y"})
    assert R4.clean(both)[0] == _observation(valueString="x")
    condition = {"resourceType": "Condition", "id": "c", "subject": {"display": "x"}, "abatementDateTime": "2020"}
    found, problems = R4.clean(condition)
    assert found is not None and "abatementDateTime" not in found
    assert [problem.rule for problem in problems] == ["con-4"]


def test_a_code_its_system_does_not_have_keeps_its_text_and_loses_the_claim() -> None:
    system = "http://terminology.hl7.org/CodeSystem/v2-0203"
    found, _ = R4.clean(_patient(identifier=[{"type": {"coding": [{"system": system, "code": "QQ"}]}, "value": "1"}]))
    assert found is not None and found["identifier"][0]["type"] == {"coding": [{"code": "QQ"}]}


def test_a_unit_that_is_not_ucum_is_kept_as_words() -> None:
    quantity = {"value": DecimalText("5.60"), "system": "http://unitsofmeasure.org", "code": "毫克"}
    found, _ = R4.clean(_observation(valueQuantity=quantity))
    assert found is not None and found["valueQuantity"] == {"unit": "毫克", "value": "5.60"}


def test_ends_of_a_period_get_one_precision_and_lose_nothing() -> None:
    period = {"start": "2020-01-05", "end": "2020-01-06T08:00:00+08:00"}
    found, problems = R4.clean(_observation(effectivePeriod=period))
    assert found is not None and found["effectivePeriod"]["end"] == "2020-01-06"
    assert found["effectivePeriod"]["_end"]["extension"][0]["valueDateTime"] == period["end"]
    assert [problem.rule for problem in problems] == ["period_precision"]


def test_codings_beyond_a_required_binding_move_to_an_extension() -> None:
    other = {"system": "http://snomed.info/sct", "code": "55561003"}
    status = {"coding": [{"system": CLINICAL, "code": "active"}, other]}
    body = {"resourceType": "Condition", "id": "c", "subject": {"display": "x"}, "clinicalStatus": status}
    found, _ = R4.clean(body)
    assert found is not None and found["clinicalStatus"]["coding"] == [{"system": CLINICAL, "code": "active"}]
    assert found["clinicalStatus"]["extension"][0]["valueCoding"] == other


def test_control_characters_and_language_codes_are_mended() -> None:
    found, problems = R4.clean(_patient(name=[{"text": "a\x01b"}], language="zho_cn"))
    assert found is not None and (found["name"][0]["text"], found["language"]) == ("ab", "zh-CN")
    assert [problem.rule for problem in problems] == ["control_character", "language_code"]


def test_no_problem_tells_a_value() -> None:
    secret = "SECRET"
    body = _patient(gender=secret, birthDate=secret, identifier=[{"system": secret, "value": ""}], foo=secret)
    assert secret not in repr(R4.clean(body)[1])


@pytest.mark.parametrize("version", ["R4", "R5"])
def test_nearly_every_invariant_can_be_evaluated(version: Any) -> None:
    rules = [rule for some in definitions(version).invariants.values() for rule in some]
    unsupported = {key for key, text in rules if compile_rule(text) is None}
    # they ask for another resource, for terminology, or are checked natively
    assert len(unsupported) < 20 and "obs-7" not in unsupported
