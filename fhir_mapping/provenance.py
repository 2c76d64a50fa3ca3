"""The R4 Provenance of a silver row: the file and record it was made from, and the spec that made it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

SOURCE_SYSTEM = "urn:cloister:record"
ENTITY_TYPE = "http://terminology.hl7.org/CodeSystem/provenance-participant-type"
CREATE = "http://terminology.hl7.org/CodeSystem/v3-DataOperation"


def provenance(resource: str, row: Mapping[str, Any], recorded: str) -> dict[str, Any]:
    """Where a resource comes from, as FHIR JSON.

    Args:
        resource: type of the row.
        row: a silver row with its lineage columns.
        recorded: FHIR instant of the mapping; given by the caller, so that an export is repeatable.

    Returns:
        A Provenance whose ``entity`` is the source record (site, source, day of delivery, digest of the file, number of
        the record) and whose ``agent`` is the spec, by name and digest. Its id is made of both, so it is stable. The
        file's name stays inside the hospital.
    """
    target = f"{resource}/{row['id']}"
    record = "/".join(str(row[name]) for name in ("_site", "_source", "_delivery_date", "_file_id", "_record_no"))
    spec = f"{row['_spec']}@{row['_spec_digest']}"
    made = hashlib.sha256("\n".join((target, record, spec)).encode()).hexdigest()
    return {
        "resourceType": "Provenance",
        "id": made[:32],
        "target": [{"reference": target}],
        "recorded": recorded,
        "activity": {"coding": [{"system": CREATE, "code": "CREATE", "display": "create"}]},
        "agent": [
            {
                "type": {"coding": [{"system": ENTITY_TYPE, "code": "assembler", "display": "Assembler"}]},
                "who": {"identifier": {"system": "urn:cloister:spec", "value": spec}},
            }
        ],
        "entity": [
            {"role": "source", "what": {"identifier": {"system": SOURCE_SYSTEM, "value": record}}},
        ],
    }
