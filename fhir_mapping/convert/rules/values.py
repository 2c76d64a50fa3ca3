"""Data types with rules of their own: identifiers, attachments, quantities, periods."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

from fhir_mapping.convert.definitions.reader import Type
from fhir_mapping.convert.primitives import is_absolute, is_uri
from fhir_mapping.convert.rules.coded import UCUM, coding
from fhir_mapping.convert.rules.context import Context
from fhir_mapping.convert.times import bounds
from fhir_mapping.terminology.ucum import is_ucum

PRECISE = "urn:cloister:fhir:precise"
"""Extension of one end of a Period: the moment as it was told, more precise than the other end."""
QUANTITIES = frozenset(("Age", "Count", "Distance", "Duration"))


def mended(ctx: Context, found: dict[str, Any], type: Type, path: str) -> dict[str, Any]:
    """A value of a data type, mended where its meaning is plain."""
    if type.name == "Coding":
        return coding(ctx, found, path)
    if type.name == "Attachment" and not _is_hash(found):
        ctx.fault("hash_mismatch", f"{path}.hash")
        return _but(found, "hash")
    if type.name == "Identifier" and (rule := _identifier_rule(found)):
        ctx.fault(rule, f"{path}.system")
        return _but(found, "system")
    if "code" in found and found.get("system") == UCUM and not is_ucum(str(found["code"])):
        ctx.fault("not_ucum", path)
        return _but({"unit": found["code"], **found}, "system", "code")
    return _period(ctx, found, path) if type.name == "Period" else found


def _but(value: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: entry for name, entry in value.items() if name not in names}


def _period(ctx: Context, found: dict[str, Any], path: str) -> dict[str, Any]:
    """Ends of one precision: FHIR's comparison of two precisions is neither true nor false, so per-1 is not met.

    The more precise end keeps its own text in an extension.
    """
    start, end = found.get("start"), found.get("end")
    if not start or not end or _precision(start) == _precision(end):
        return found
    name = "start" if _precision(start) > _precision(end) else "end"
    length = min(_precision(start), _precision(end))
    ctx.fault("period_precision", f"{path}.{name}")
    own = {"url": PRECISE, "valueDateTime": found[name]}
    extra = found.get("_" + name, {})
    extra = {**extra, "extension": [*extra.get("extension", ()), own]}
    return {**found, name: found[name][:length], "_" + name: extra}


def is_backward(period: dict[str, Any]) -> bool:
    """A period that ends before it starts, whatever the precision of its ends stands for."""
    if "T" not in str(period.get("start", "T")) + str(period.get("end", "T")):
        return str(period["start"]) > str(period["end"])
    start, end = bounds(period.get("start")), bounds(period.get("end"))
    return start is not None and end is not None and start[0] > end[1]


def _precision(moment: str) -> int:
    """Characters of a date or dateTime that tell its precision: a time counts whole."""
    return len(moment) if "T" not in moment else 19


def _is_hash(attachment: dict[str, Any]) -> bool:
    """Whether an attachment's hash, if it has one, is the SHA-1 of its data."""
    if "hash" not in attachment or "data" not in attachment:
        return True
    digest = hashlib.sha1(base64.b64decode(attachment["data"]), usedforsecurity=False).digest()
    return base64.b64encode(digest).decode() == attachment["hash"]


def _identifier_rule(identifier: dict[str, Any]) -> str:
    """The rule that an identifier breaks, "" for none: an absolute system, a URI where the system says so."""
    system, value = str(identifier.get("system", "urn:x")), str(identifier.get("value", "urn:x"))
    if not system.startswith(("urn:", "http://", "https://", "ftp://")):
        return "relative_system"
    return "not_a_full_uri" if system == "urn:ietf:rfc:3986" and not (is_absolute(value) and is_uri(value)) else ""
