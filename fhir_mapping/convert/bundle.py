"""Bundles: one transaction a message or document, entries found by ``urn:uuid`` names that are the same on every run.

``transaction`` with ``PUT Type/id``: sent to a FHIR server, a bundle loads whole or not at all, and sent twice changes
nothing, because ids come from content. ``fullUrl`` is absolute, as FHIR asks; references between entries name it, so
they resolve inside the bundle by FHIR's own rules; a reference to what is not in the bundle stays as it was.
Source: https://hl7.org/fhir/R4/bundle.html#references, https://hl7.org/fhir/R4/http.html#trules
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Collection, Iterable
from typing import BinaryIO

from contracts.fhir.json_text import dumps

_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "https://cloister.invalid/convert")
_REFERENCE = re.compile(rb'(?<=[{,])"reference":"([A-Z][A-Za-z]+/[A-Za-z0-9.-]{1,64})"')
"""A literal reference in JSON without spaces. Inside a string its quotes would be escaped, so only members match."""


def full_url(type: str, id: str) -> str:
    """The entry's name: UUIDv5 of ``Type/id``, stable over runs, files and machines."""
    return f"urn:uuid:{uuid.uuid5(_NAMESPACE, f'{type}/{id}')}"


def derived_id(*parts: str) -> str:
    """An id made of texts: the same for the same parts."""
    # half a character (a lone surrogate) of a foreign id is no text that could be hashed as it is
    text = "\x1f".join(parts).encode("utf-8", "backslashreplace").decode()
    return str(uuid.uuid5(_NAMESPACE, text))


def link(body: bytes, present: Collection[str]) -> bytes:
    """References of a resource's JSON (from ``dumps``) to resources of the bundle become their ``fullUrl``."""

    def replace(found: re.Match[bytes]) -> bytes:
        target = found[1].decode()
        if target not in present:
            return found[0]
        return b'"reference":"' + full_url(*target.split("/")).encode() + b'"'

    return _REFERENCE.sub(replace, body)


def write_bundle(stream: BinaryIO, id: str, timestamp: str | None, entries: Iterable[tuple[str, str, bytes]]) -> None:
    """Write one bundle, an entry a line.

    Args:
        timestamp: FHIR instant of the message or document, if it has one.
        entries: type, id and JSON of each resource, references already linked; at least one.
    """
    head = {"resourceType": "Bundle", "id": id, "type": "transaction", "timestamp": timestamp}
    stream.write(dumps({name: value for name, value in head.items() if value})[:-1] + b',"entry":[\n')
    separator = b""
    for type, own, body in entries:
        request = b'{"method":"PUT","url":"%s"}' % f"{type}/{own}".encode()
        name = full_url(type, own).encode()
        stream.write(separator + b'{"fullUrl":"%s","resource":%s,"request":%s}' % (name, body, request))
        separator = b",\n"
    stream.write(b"\n]}\n")


Linker = Callable[[bytes], bytes]
