"""Provenance of a bundle: every resource leads back to file and record.

One a bundle: ``target`` names its resources; where records are lines or entries, each target's ``display`` says which.
``entity`` names the file (and record) as the ledger does. ``recorded`` is the record's own time, so that a second run
writes the same bytes; where the record tells none it is absent with the reason ``unknown`` rather than invented.
"""

from __future__ import annotations

from collections.abc import Sequence

from contracts.fhir.json_text import dumps
from fhir_mapping.convert.bundle import derived_id, full_url
from fhir_mapping.document import Resource

FILE_SYSTEM = "urn:cloister:convert:file"
"""System of the identifier that names a source file (relative path, ``#`` and the record's number)."""

_ABSENT = {"extension": [{"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}]}
_ASSEMBLER = "http://terminology.hl7.org/CodeSystem/provenance-participant-type"


def provenance(
    name: str,
    recorded: str | None,
    targets: Sequence[tuple[str, str, str]],
    *,
    linked: bool = True,
) -> tuple[str, bytes]:
    """The id and JSON of a bundle's Provenance.

    Args:
        name: of the source as output calls it: file, or file ``#`` record.
        linked: targets are entries of the same bundle, named by their ``fullUrl``.
        recorded: FHIR instant, or None.
        targets: type, id and the place of its record ("" where the bundle is one record) of each resource.
    """
    id = derived_id("Provenance", name)
    what = {"identifier": {"system": FILE_SYSTEM, "value": name}, "display": name}
    agent_type = {"coding": [{"system": _ASSEMBLER, "code": "assembler"}]}
    body: Resource = {
        "resourceType": "Provenance",
        "id": id,
        "target": [_target(*target, linked) for target in targets],
    }
    body.update({"recorded": recorded} if recorded else {"_recorded": _ABSENT})
    body["agent"] = [{"type": agent_type, "who": {"display": "Cloister"}}]
    body["entity"] = [{"role": "source", "what": what}]
    return id, dumps(body)


def _target(type: str, id: str, place: str, linked: bool) -> dict[str, str]:
    found = {"reference": full_url(type, id) if linked else f"{type}/{id}"}
    return {**found, "display": place} if place else found
