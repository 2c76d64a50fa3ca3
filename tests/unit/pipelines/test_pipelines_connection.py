"""What the connection report says of code systems: a record can hold any text as a system, and none of it leaves."""

from __future__ import annotations

from contracts.operations import OWN_SYSTEMS
from contracts.wire import canonical
from fhir_mapping.coverage import CodeCoverage
from pipelines.connection import tell_coverage

LOINC = "http://loinc.org"
SECRET = "urn:id:110101199003078514"
SECRET_SHARED = "http://hl7.org/110101199003078514"


def test_a_code_system_that_a_record_made_up_is_not_named_to_the_commission() -> None:
    found = [
        CodeCoverage("Observation", "Observation.code", LOINC, 80, True),
        CodeCoverage("Observation", "Observation.code", SECRET, 30, False),
        CodeCoverage("Observation", "Observation.code", SECRET_SHARED, 9, True),
        CodeCoverage("Observation", "Observation.code", "", 40, False),
    ]
    told = list(tell_coverage("north", found))
    assert [(one.system, one.codings, one.is_shared) for one in told] == [
        (LOINC, 80, True),
        (OWN_SYSTEMS, 40, False),
        (None, 40, False),
    ]
    text = b"".join(canonical(one.model_dump(mode="json")) for one in told)
    assert b"110101199003078514" not in text
