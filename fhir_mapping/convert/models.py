"""The second opinion: every resource read by fhir.resources (R4B models for R4, which they fit; R5 models for R5)."""

from __future__ import annotations

from decimal import Decimal
from functools import cache
from importlib import import_module
from typing import Any

from contracts.fhir.json_text import DecimalText
from fhir_mapping.convert.options import Version
from fhir_mapping.document import Resource

_PACKAGES = {"R4": "fhir.resources.R4B", "R5": "fhir.resources"}


def model_faults(body: Resource, version: Version) -> tuple[str | int, ...] | None:
    """Where fhir.resources finds the first fault; None when it takes the resource.

    A type that R4B no longer has (it renamed a few that concern medicinal products) has no model to ask.
    """
    from pydantic import ValidationError

    model = _model(str(body["resourceType"]), version)
    if model is None:
        return None
    try:
        model.model_validate(_numbers(body))
    except ValidationError as error:
        fault = error.errors(include_input=False, include_context=False, include_url=False)[0]
        return tuple(part for part in fault["loc"] if isinstance(part, str | int))
    return None


@cache
def _model(name: str, version: Version) -> Any:
    try:
        return import_module(_PACKAGES[version]).get_fhir_model_class(name)
    except (KeyError, LookupError, ImportError):
        return None


def _numbers(value: Any) -> Any:
    """Decimals by their text, as the models read them."""
    if isinstance(value, dict):
        return {name: _numbers(entry) for name, entry in value.items()}
    if isinstance(value, list):
        return [_numbers(entry) for entry in value]
    return Decimal(value) if isinstance(value, DecimalText) else value
