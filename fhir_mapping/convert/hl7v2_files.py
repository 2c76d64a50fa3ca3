"""HL7 v2 files as records: every message of the file, and what stands between messages as records with an error."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache, partial
from pathlib import Path

from fhir_mapping.convert.options import Options
from fhir_mapping.convert.task import Item
from fhir_mapping.convert.times import v2_instant
from fhir_mapping.document import Problem
from fhir_mapping.hl7v2.convert import convert_message
from fhir_mapping.hl7v2.framing import split_messages
from fhir_mapping.hl7v2.message import parse
from fhir_mapping.hl7v2.tables import Tables


def read_messages(data: bytes, first: int, options: Options) -> Iterator[Item]:
    """Each message of a file, in order."""
    tables = _tables(options.spec)
    for message in split_messages(data):
        error = Problem(message.error, "") if message.error else None
        yield Item(
            partial(convert_message, message.text, tables, zone=options.zone),
            error,
            recorded=partial(_message_time, message.text, options.zone),
        )


@cache
def _tables(folder: Path | None) -> Tables | None:
    return None if folder is None else Tables.load(folder)


def _message_time(text: str, zone: str | None) -> str | None:
    """MSH-7 as a FHIR instant."""
    value = parse(text).value("MSH-7.1")
    return v2_instant(value, zone) if value else None
