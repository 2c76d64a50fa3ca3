"""CDA R2: documents (C-CDA R2.1, and China's WS/T 500) are read safely and become FHIR R4.

Belongs here: safe XML, templates and sections, the mapping of their entries.
Does not belong here: files and bundles (``fhir_mapping.convert``), sources of a region (``fhir_mapping.sources``).
"""

from fhir_mapping.cda.convert import convert_document
from fhir_mapping.cda.safe_xml import parse_document

__all__ = ["convert_document", "parse_document"]
