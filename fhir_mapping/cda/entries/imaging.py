"""DICOM study acts to ImagingStudy; templates 6.2.6 (study), 4.63 (series), 6.2.8 (SOP instance)."""

from __future__ import annotations

import re
from typing import Any

from fhir_mapping.cda.coded import coding
from fhir_mapping.cda.context import Context
from fhir_mapping.cda.element import Element, Node, child
from fhir_mapping.cda.entries.common import Section, nested, put
from fhir_mapping.cda.times import point
from fhir_mapping.document import Resource

_SERIES = "2.16.840.1.113883.10.20.22.4.63"
_UID = re.compile(r"[0-2](\.(0|[1-9]\d*))+$")
_DICOM = "http://dicom.nema.org/resources/ontology/DCM"
_MODALITY = "121139"


def study(node: Node, ctx: Context, section: Section) -> list[str]:
    """An ImagingStudy with its series and instances; left out with a problem where it has no UID."""
    number = _uid(node)
    if not number or not ctx.patient:
        ctx.problem("no_study_uid" if ctx.patient else "no_patient", node.element)
        return []
    series = [one for _, act in nested(node) if act.has(_SERIES) and (one := _series(act, ctx))]
    found: Resource = {"resourceType": "ImagingStudy"}
    found["identifier"] = [{"system": "urn:dicom:uid", "value": f"urn:oid:{number}"}]
    found["status"] = "available"
    modalities = list({one["modality"]["code"]: one["modality"] for one in series}.values())
    put(found, modality=modalities, subject={"reference": ctx.patient})
    put(found, started=ctx.clock.date_time(point(node.one("effectiveTime"))))
    put(found, numberOfSeries=len(series), numberOfInstances=sum(len(one.get("instance", ())) for one in series))
    put(found, series=series)
    return [ctx.add(found)]


def _series(node: Node, ctx: Context) -> dict[str, Any]:
    number = _uid(node)
    if not number:
        return {}
    found: dict[str, Any] = {"uid": number, "modality": _modality(node.one("code"))}
    instances = [one for _, act in nested(node) if act.name == "observation" and (one := _instance(act))]
    put(found, numberOfInstances=len(instances), started=ctx.clock.date_time(point(node.one("effectiveTime"))))
    put(found, instance=instances)
    return found


def _modality(code: Element | None) -> dict[str, str]:
    """The qualifier of the series' code; a series without one is of another modality (OT)."""
    for part in code if code is not None else ():
        name, value = child(part, "name"), child(part, "value")
        if name is not None and name.get("code") == _MODALITY and value is not None and value.get("code"):
            return coding(value)
    return {"system": _DICOM, "code": "OT"}


def _instance(node: Node) -> dict[str, Any]:
    number, kind = _uid(node), node.code()
    if not number or not _UID.match(kind):
        return {}
    return {"uid": number, "sopClass": {"system": "urn:ietf:rfc:3986", "code": f"urn:oid:{kind}"}}


def _uid(node: Node) -> str:
    element = node.one("id")
    root = (element.get("root") or "").strip() if element is not None else ""
    return root if _UID.match(root) and len(root) <= 64 else ""
