"""What a conversion holds while it walks a message: delimiters, tables, the resources made so far, the problems."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from fhir_mapping.document import Problem, Resource
from fhir_mapping.hl7v2.conform import conform
from fhir_mapping.hl7v2.escapes import unescape
from fhir_mapping.hl7v2.message import NULL, Message, Segment
from fhir_mapping.hl7v2.prune import prune
from fhir_mapping.hl7v2.tables import Code, Tables

SUBJECTS = {
    "AllergyIntolerance": "patient",
    "CarePlan": "subject",
    "CareTeam": "subject",
    "ChargeItem": "subject",
    "ClaimResponse": "patient",
    "Condition": "subject",
    "Consent": "patient",
    "Coverage": "beneficiary",
    "DiagnosticReport": "subject",
    "DocumentReference": "subject",
    "Encounter": "subject",
    "EpisodeOfCare": "patient",
    "Goal": "subject",
    "Immunization": "patient",
    "MedicationAdministration": "subject",
    "MedicationDispense": "subject",
    "MedicationRequest": "subject",
    "NutritionOrder": "patient",
    "Observation": "subject",
    "Procedure": "subject",
    "RelatedPerson": "patient",
    "ServiceRequest": "subject",
    "Specimen": "subject",
}
"""The element by which a resource names its patient."""

_OFFSET = re.compile(r"([+-])(0\d|1[0-3])([0-5]\d)\s*$")
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufeff]")


class Context:
    """One message's conversion.

    Attributes:
        scope: the segments in reach of conditions, by name: the current one and those of its group.
        where: the field at hand, for problems: ``PID-7``.
        patient: reference to the message's (first) patient, for resources that came before it.
        resources: finished resources by ``Type/id``, in the order they were made.
    """

    def __init__(self, message: Message, tables: Tables, zone: str | None) -> None:
        self.message = message
        self.tables = tables
        self.scope: dict[str, Segment] = {}
        self.where = ""
        self.resources: dict[str, Resource] = {}
        self.problems: dict[Problem, None] = {}
        self.patient: dict[str, str] | None = None
        self._component = message.delimiters.component
        self._subcomponent = message.delimiters.subcomponent
        self._zone = zone
        self._offset: str | None = None

    # Text.

    def split(self, raw: str) -> list[str]:
        """The raw components of a repetition."""
        return raw.split(self._component)

    def subsplit(self, raw: str) -> list[str]:
        """The raw sub-components of a component."""
        return raw.split(self._subcomponent)

    def parts(self, raw: str) -> list[str]:
        """Components of a repetition, or sub-components of a component: whichever there are."""
        return raw.split(self._component if self._component in raw else self._subcomponent)

    def text(self, raw: str) -> str | None:
        """Raw text with escapes resolved, without white space around it; None when empty or null."""
        if not raw or raw == NULL:
            return None
        text = unescape(raw, self.message.delimiters).strip()
        if not text.isprintable():
            text = _UNPRINTABLE.sub("", text).strip()
        return text or None

    def at(self, parts: list[str], number: int) -> str | None:
        """Text of the component of a number from 1."""
        return self.text(parts[number - 1]) if number <= len(parts) else None

    def raw_at(self, parts: list[str], number: int) -> str:
        """Raw text of the component of a number from 1; empty when there is none."""
        raw = parts[number - 1] if number <= len(parts) else ""
        return "" if raw == NULL else raw

    # Codes.

    def code(self, table: str, code: str) -> Code | None:
        """What a code map makes of a code; None when the map does not know it."""
        codes = self.tables.codes.get(table)
        if codes is None:
            return None
        return codes.get(code) or codes.get(code.upper()) or codes.get(code.capitalize()) or codes.get(code.lower())

    # Time.

    @property
    def offset(self) -> str | None:
        """The message's own offset: that of MSH-7, as ``+08:00``."""
        if self._offset is None:
            match = _OFFSET.search(self.message.header.raw(7).split(self._component)[0])
            self._offset = f"{match[1]}{match[2]}:{match[3]}" if match else ""
        return self._offset or None

    def offset_at(self, moment: datetime) -> str | None:
        """The offset that holds for a local time: MSH-7's, else that of the zone given."""
        return self.offset or (_zone_offset(self._zone, moment) if self._zone else None)

    # Results.

    def problem(self, rule: str, path: str | None = None) -> None:
        """Note that a part could not be used."""
        self.problems[Problem(rule, path or self.where)] = None

    def add(self, resource: Resource) -> dict[str, str] | None:
        """Finish a resource and its nested ones: reference to it, None when nothing is left of it.

        A resource without an id gets one from its content, so equal content is one resource.
        """
        finished = self._finish(resource)
        if finished is None:
            return None
        key = f"{finished['resourceType']}/{finished['id']}"
        self.resources.setdefault(key, finished)
        return {"reference": key}

    def _finish(self, resource: Resource) -> Resource | None:
        own_id = resource.pop("id", None)
        clean = prune(resource, self.add)
        type_ = resource["resourceType"]
        if len(clean) < 2 and own_id is None:
            return None
        if self.patient and (subject := SUBJECTS.get(type_)):
            clean.setdefault(subject, self.patient)
        valid = conform(clean, self.problem)
        if valid is None:
            return None
        identity = own_id or resource_id(type_, json.dumps(valid, sort_keys=True, ensure_ascii=False))
        return {"resourceType": type_, "id": identity, **{k: v for k, v in valid.items() if k != "resourceType"}}


def resource_id(type_: str, *parts: str) -> str:
    """An id from what identifies a resource: 32 hex digits, the same for the same parts."""
    text = "\x1f".join((type_, *parts))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


@lru_cache(maxsize=4096)
def _zone_offset(zone: str, moment: datetime) -> str:
    delta = moment.replace(tzinfo=ZoneInfo(zone)).utcoffset() or timedelta()
    minutes = int(delta.total_seconds() // 60)
    sign = "-" if minutes < 0 else "+"
    return f"{sign}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"


Fragment = dict[str, Any]
"""A part of a resource: a data type's elements, or a whole resource with its ``resourceType``."""

Scope = Mapping[str, Segment]
