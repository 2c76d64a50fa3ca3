"""A CDS Hooks call: its body checked, the FHIR resources of its prefetch taken out, the unit to predict for chosen.

Nothing that is raised here quotes what was sent: field names and positions only. Field names are CDS Hooks'.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, JsonValue, StringConstraints, ValidationError

from gateway.models import Offer
from gateway.outcome import CallError
from registry.features import FeatureRow

FhirId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9\-.]{1,64}$")]
MAX_RESOURCES = 2000


class _Received(BaseModel):
    # what clients add (extension, fhirServer, fhirAuthorization) is let pass and never looked at
    model_config = ConfigDict(frozen=True, extra="ignore")


class Context(_Received):
    """The part of a hook's context that is used; ``patient-view`` has the ids without their type."""

    patientId: FhirId
    encounterId: FhirId | None = None


class HookCall(_Received):
    """Body of ``POST /cds-services/{id}``."""

    hook: str = Field(min_length=1, max_length=64)
    hookInstance: UUID
    context: Context
    prefetch: dict[str, JsonValue] = {}


def parse_json(body: bytes) -> Any:
    """JSON of a body. Raises CallError 400; NaN and endless nesting are no JSON here."""
    try:
        return json.loads(body, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise CallError(400, "structure", "the body is not JSON in UTF-8") from None


def _refuse_constant(name: str) -> float:
    raise ValueError("not a JSON number")


def validated(model: type[BaseModel], body: Any) -> Any:
    """An instance of ``model``. Raises CallError 400 naming the field at fault."""
    try:
        return model.model_validate(body)
    except (ValidationError, RecursionError) as error:
        if isinstance(error, RecursionError):
            raise CallError(400, "structure", "the body is nested too deeply") from None
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        # names of our own fields; keys that the client chose (in prefetch) stay out
        where = ".".join(str(part) for part in first["loc"][:2] if str(part) in _FIELDS or isinstance(part, int))
        raise CallError(
            400, "invalid", f"{where or 'the body'}: {_REASONS.get(first['type'], 'not of the form')}"
        ) from None


_FIELDS = {
    *("hook", "hookInstance", "context", "patientId", "encounterId", "prefetch"),
    *("feedback", "card", "outcome", "outcomeTimestamp", "acceptedSuggestions", "overrideReason"),
}
_REASONS = {
    "missing": "is required",
    "model_type": "must be an object",
    "dict_type": "must be an object",
    "list_type": "must be an array",
    "string_type": "must be a text",
    "uuid_parsing": "must be a UUID",
    "string_pattern_mismatch": "must be the id of a FHIR resource",
}


def resources_of(call: HookCall) -> list[dict[str, Any]]:
    """FHIR resources of the prefetch, out of bundles too. Raises CallError 400 when an entry is neither.

    A key whose value is null was asked for and has no data; an OperationOutcome is the client's failure to fetch.
    """
    found: list[dict[str, Any]] = []
    for value in call.prefetch.values():
        if value is None:
            continue
        if not isinstance(value, dict) or not isinstance(value.get("resourceType"), str):
            raise CallError(400, "structure", "prefetch: each value must be a FHIR resource, a Bundle of them, or null")
        found += _unpacked(value)
    if len(found) > MAX_RESOURCES:
        raise CallError(413, "too-costly", f"prefetch: more than {MAX_RESOURCES} resources")
    return [one for one in found if one.get("resourceType") != "OperationOutcome"]


def _unpacked(resource: dict[str, Any]) -> list[dict[str, Any]]:
    if resource["resourceType"] != "Bundle":
        return [resource]
    entries = resource.get("entry", [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise CallError(400, "structure", "prefetch: a Bundle's entry must be an array of objects")
    inside = [entry["resource"] for entry in entries if "resource" in entry]
    if not all(isinstance(one, dict) and isinstance(one.get("resourceType"), str) for one in inside):
        raise CallError(400, "structure", "prefetch: a Bundle's entry holds something that is no FHIR resource")
    return inside


def choose_row(offer: Offer, call: HookCall, rows: Sequence[FeatureRow]) -> FeatureRow:
    """The unit that the context names, of the patient that it names.

    Raises:
        CallError: 412 when it was not sent along, 422 when what was sent is of another patient or not unique.
    """
    wanted = call.context.encounterId if offer.unit == "Encounter" else call.context.patientId
    rows = [row for row in rows if wanted is None or row.unit_id == wanted]
    if not rows:
        keys = ", ".join(offer.prefetch)
        raise CallError(412, "required", f"no {offer.unit} of the context in prefetch; this service needs: {keys}")
    if len(rows) > 1:
        raise CallError(422, "multiple-matches", f"several {offer.unit}s in prefetch; name one in context.encounterId")
    if rows[0].patient_id != call.context.patientId:
        raise CallError(
            422, "business-rule", f"the {offer.unit} in prefetch is not of the patient in context.patientId"
        )
    return rows[0]
