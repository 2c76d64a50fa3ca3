"""Small CDA acts for tests, and the resources that come of them."""

from __future__ import annotations

from typing import Any

from fhir_mapping.cda import convert_document

SNOMED, LOINC = "2.16.840.1.113883.6.96", "2.16.840.1.113883.6.1"
XSI = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'


def template(number: int) -> str:
    return f'<templateId root="2.16.840.1.113883.10.20.22.4.{number}"/>'


def code_of(code: str, system: str = SNOMED, *, name: str = "code") -> str:
    return f'<{name} code="{code}" codeSystem="{system}"/>'


def value_of(code: str) -> str:
    return f'<value xsi:type="CD" code="{code}" codeSystem="{SNOMED}"/>'


def below(act: str, kind: str = "SUBJ") -> str:
    return f'<entryRelationship typeCode="{kind}">{act}</entryRelationship>'


def resources(entry: str, section: str = "") -> dict[str, list[dict[str, Any]]]:
    """The resources of an entry in a section, by type."""
    text = f"<section {XSI}>{code_of(section, LOINC)}<entry>{entry}</entry></section>"
    found: dict[str, list[dict[str, Any]]] = {}
    for one in convert_document(text.encode()).resources:
        found.setdefault(one["resourceType"], []).append(one)
    return found


def first_code(concept: dict[str, Any]) -> str:
    return concept["coding"][0]["code"]
