"""FHIR R4 to R5 and back: which version a resource is of, and its form in the other one.

Belongs here: the correspondence of elements and codes (``names.txt``, ``codes.txt``), the few shapes that need a
function (``shapes``), the walk over both versions' definitions (``walk``). What the other version has no place for goes
into the standard cross-version extensions, from which the way back restores it.
Does not belong here: checking the result (``fhir_mapping.convert.check``).
"""

from fhir_mapping.convert.versions.detect import detect_version
from fhir_mapping.convert.versions.walk import to_r4, to_r5

__all__ = ["detect_version", "to_r4", "to_r5"]
