"""China's shared documents: what the writer says is in them is what comes out, whatever the deviation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from typing import Any

import pytest

from fhir_mapping.cda import convert_document
from fhir_mapping.document import Converted
from synthetic.cda_cn import DEVIATIONS, KINDS, write_document


def at(node: Any, path: list[str]) -> Iterator[Any]:
    """Values at a path, lists flattened."""
    if isinstance(node, list):
        for one in node:
            yield from at(one, path)
    elif not path:
        yield node
    elif isinstance(node, dict) and path[0] in node:
        yield from at(node[path[0]], path[1:])


def same(found: Any, wanted: str) -> bool:
    if str(found) == wanted:
        return True
    try:
        return Decimal(str(found)) == Decimal(wanted)
    except InvalidOperation:
        return False


def missing(converted: Converted, facts: tuple[tuple[str, str, str], ...]) -> list[tuple[str, str, str]]:
    return [
        (kind, path, value)
        for kind, path, value in facts
        if not any(
            same(found, value)
            for one in converted.resources
            if one["resourceType"] == kind
            for found in at(one, path.split("."))
        )
    ]


@pytest.mark.parametrize("deviation", ["", *DEVIATIONS])
@pytest.mark.parametrize("kind", KINDS)
def test_every_fact_is_found_and_nothing_twice(kind, deviation):
    written = write_document(kind, 7, deviation=deviation)
    converted = convert_document(written.data)
    assert missing(converted, written.facts) == []
    counts = Counter(one["resourceType"] for one in converted.resources)
    assert {name: counts[name] for name in written.counts} == written.counts
    assert [problem.rule for problem in converted.problems] == ([written.problem] if written.problem else [])


@pytest.mark.parametrize("kind", KINDS)
def test_gb18030_says_the_same_as_utf_8(kind):
    written = write_document(kind, 3, encoding="GB18030")
    assert missing(convert_document(written.data), written.facts) == []


def test_the_writer_is_deterministic_and_seeds_differ():
    assert write_document("C0007", 1) == write_document("C0007", 1)
    assert write_document("C0007", 1).data != write_document("C0007", 2).data


def test_results_that_cannot_be_paired_are_left_out_not_guessed():
    written = write_document("C0007", 5, deviation="flat_results_mismatch")
    converted = convert_document(written.data)
    assert [one for one in converted.resources if one["resourceType"] == "Observation"] == []
    assert [(one.rule, "section" in one.path) for one in converted.problems] == [("unpaired_results", True)]


def test_the_edition_of_icd_10_that_a_document_names_is_its_system():
    written = write_document("C0002", 1)
    data = written.data.replace(
        b'codeSystem="2.16.156.10011.2.3.3.11.1"',
        'codeSystem="2.16.156.10011.2.3.3.11.1" codeSystemName="ICD-10国家临床版2.0"'.encode(),
    )
    systems = {
        coding["system"]
        for one in convert_document(data).resources
        if one["resourceType"] == "Condition"
        for coding in one["code"].get("coding", ())
    }
    assert systems == {"urn:cn:nhc:icd-10:clinical:2", "urn:oid:2.16.156.10011.2.3.3.14"}


def test_a_visit_number_is_the_visits_and_an_id_card_the_patients():
    converted = convert_document(write_document("C0002", 4).data)
    of_patient = {
        one["system"] for r in converted.resources if r["resourceType"] == "Patient" for one in r["identifier"]
    }
    of_visit = {
        one["system"] for r in converted.resources if r["resourceType"] == "Encounter" for one in r["identifier"]
    }
    assert of_patient == {"urn:oid:2.16.156.10011.1.3", "urn:oid:2.16.156.10011.1.19"}
    assert of_visit == {"urn:oid:2.16.156.10011.1.11"}
