"""References of foreign bundles made local: ``Type/id`` for every entry, however the bundle named it.

A bundle may name its entries by ``urn:uuid``, by absolute URL, or by type and id; all become ``Type/id`` before
anything else is done. A conditional reference (``Practitioner?identifier=system|value``, allowed in transactions only)
becomes the logical reference that it is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from fhir_mapping.convert.bundle import derived_id
from fhir_mapping.document import Problem, Resource

_ID = re.compile(r"[A-Za-z0-9.-]{1,64}")
_UUID = re.compile(r"urn:uuid:([0-9a-fA-F-]{36})")


@dataclass
class Names:
    """What each name of a bundle's entries stands for.

    Attributes:
        local: ``Type/id`` by fullUrl.
        ids: id by number of the entry.
    """

    local: dict[str, str] = field(default_factory=dict)
    ids: dict[int, str] = field(default_factory=dict)

    def of_entry(self, index: int) -> str | None:
        return self.ids.get(index)


def entry_names(entries: list[Any]) -> Names:
    """Names of a bundle's entries; an entry without an id gets one from its fullUrl, else from its content."""
    names = Names()
    for index, entry in enumerate(entries):
        body = entry.get("resource") if isinstance(entry, dict) else None
        if not isinstance(body, dict) or not isinstance(body.get("resourceType"), str):
            continue
        url = entry.get("fullUrl")
        id = _entry_id(body, url if isinstance(url, str) else "")
        names.ids[index] = id
        if isinstance(url, str) and url:
            names.local.setdefault(url, f"{body['resourceType']}/{id}")
    return names


def _entry_id(body: Resource, url: str) -> str:
    own = body.get("id")
    if isinstance(own, str) and own:
        return valid_id(body["resourceType"], own)
    found = _UUID.fullmatch(url)
    if found:
        return found[1].lower()
    last = url.rstrip("/").rsplit("/", 1)[-1]
    if url and _ID.fullmatch(last):
        return last
    return derived_id(url or repr(body))


def valid_id(type: str, id: str) -> str:
    """The id where FHIR takes it as one, else one made of it: the same in every file that names it."""
    return id if _ID.fullmatch(id) else derived_id(type, id)


def localise(value: Any, names: Names, problems: list[Problem]) -> Any:
    """A copy with the references of a resource made local."""
    if isinstance(value, list):
        return [localise(entry, names, problems) for entry in value]
    if not isinstance(value, dict):
        return value
    reference = value.get("reference")
    if isinstance(reference, str):
        return _local_reference({k: localise(v, names, problems) for k, v in value.items()}, reference, names)
    return {name: localise(entry, names, problems) for name, entry in value.items()}


def _local_reference(found: dict[str, Any], reference: str, names: Names) -> dict[str, Any]:
    local = names.local.get(reference) or names.local.get(reference.split("/_history/")[0])
    if local is not None:
        return {**found, "reference": local}
    owner, slash, id = reference.partition("/")
    if slash and owner.isalpha() and owner[0].isupper() and "/" not in id and not _ID.fullmatch(id):
        return {**found, "reference": f"{owner}/{valid_id(owner, id)}"} if id else found
    type, mark, query = reference.partition("?")
    terms = parse_qsl(query) if mark and type.isalpha() else []
    if len(terms) == 1 and terms[0][0] == "identifier" and "identifier" not in found:
        system, bar, value = terms[0][1].rpartition("|")
        identifier = {"system": system, "value": value} if bar and system else {"value": value}
        rest = {name: entry for name, entry in found.items() if name not in ("reference", "type")}
        return {"type": type, "identifier": identifier, **rest}
    return found
