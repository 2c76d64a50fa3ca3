"""What a converter makes of one message or document: FHIR R4 resources, or the rule that kept it from being read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from contracts.errors import DataError

Resource = dict[str, Any]
"""A FHIR R4 resource as JSON objects; decimals are ``contracts.fhir.json_text.DecimalText``."""


@dataclass(frozen=True)
class Problem:
    """A part of a record that could not be used; the rest of the record could.

    Attributes:
        rule: its name, as in the quarantine: ``bad_date``, ``unmapped_code:hl7v2_0001``.
        path: where it stands in the record: ``PID-7``, ``/ClinicalDocument/recordTarget``. Never a value.
    """

    rule: str
    path: str


@dataclass(frozen=True)
class Converted:
    """One message or document.

    Attributes:
        resources: with ids that are unique in the list and stable for equal input; references among them are
            ``Type/id``.
        problems: what of it was left out, part by part.
    """

    resources: tuple[Resource, ...]
    problems: tuple[Problem, ...] = ()


class RecordError(DataError):
    """A record that cannot be converted at all; it goes to the quarantine by this rule and path."""

    def __init__(self, rule: str, path: str = "") -> None:
        super().__init__(f"{rule} ({path})" if path else rule)
        self.rule = rule
        self.path = path
