"""HL7 v2: messages are cut into fields, and become FHIR R4 by tables generated from HL7's official mapping.

Belongs here: delimiters, batches, MLLP frames, escapes, the lazy message tree, the mapping tables and their evaluation.
Does not belong here: files and bundles (``fhir_mapping.convert``), sources of a region (``fhir_mapping.sources``).
"""

from __future__ import annotations

from fhir_mapping.hl7v2.convert import convert_message
from fhir_mapping.hl7v2.framing import MessageText, split_messages
from fhir_mapping.hl7v2.message import Message, Path, Segment, parse, parse_path
from fhir_mapping.hl7v2.tables import Tables

__all__ = [
    "Message",
    "MessageText",
    "Path",
    "Segment",
    "Tables",
    "convert_message",
    "parse",
    "parse_path",
    "split_messages",
]
