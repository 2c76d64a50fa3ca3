"""A FHIR resource as JSON, as silver may hold it: an allow-list decides; what is left out is counted by path or URL.

Kept is what the element tables have and what does not identify; ids and references become keyed hashes, free text stays
only where it is allowed and is masked first; dates stay as they are. Element names and URLs are counted, never values.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from contracts.fhir import RESOURCES, Element
from contracts.fhir.elements import TYPES
from contracts.fhir.reference import REFERENCE
from fhir_mapping.deidentification import extension_type, load_rules
from fhir_mapping.identity.ids import resource_id
from fhir_mapping.masking import NOBODY, Known, mask_text
from fhir_mapping.spec.compile import UNKNOWN_MODIFIER

UNKNOWN_RULES = "unknown_implicit_rules"
UNKNOWN_TYPE = "unknown_resource_type"


@dataclass(frozen=True)
class Deidentified:
    """What became of one resource.

    Attributes:
        resource: as silver may hold it; None when it was refused.
        dropped: what was left out: element paths without indices (``Patient.name``), URLs of extensions.
        refused: the rule that refused it, by the name the quarantine has: ``unknown_modifier_extension``; or None.
    """

    resource: dict[str, Any] | None
    dropped: Counter[str]
    refused: str | None = None


@dataclass
class _Pass:
    """One resource on its way."""

    key: bytes
    site: str
    free_text: Collection[str]
    known: Known
    identities: Mapping[str, str]
    dropped: Counter[str] = field(default_factory=Counter)

    def id_of(self, resource: str, value: str) -> str:
        return resource_id(self.key, self.site, resource, self.identities.get(resource, resource), [value])


def deidentify(
    resource: Mapping[str, Any],
    key: bytes,
    site: str,
    *,
    free_text: Collection[str] | None = None,
    known: Known = NOBODY,
    identities: Mapping[str, str] | None = None,
) -> Deidentified:
    """A resource with nothing in it that the rules do not allow.

    Args:
        resource: FHIR R4 JSON.
        key, site: make the pseudonyms, as they make silver's ids.
        free_text: paths without indices that may hold free text; None: those of ``deidentification.toml``.
        known: names and numbers to mask in free text; see ``masking.known_of`` for those of a Patient.
        identities: namespace of the ids of a type where a spec gives one; default: the type itself.
    """
    kind = resource.get("resourceType")
    if kind not in RESOURCES:
        return Deidentified(None, Counter({f"{kind}" if isinstance(kind, str) else "?": 1}), UNKNOWN_TYPE)
    refused = refusal(resource)
    if refused is not None:
        return Deidentified(None, Counter(), refused)
    allowed = load_rules().free_text.paths if free_text is None else free_text
    task = _Pass(key, site, frozenset(allowed), known, identities or {})
    made = _struct(task, kind, kind, {name: part for name, part in resource.items() if name != "resourceType"})
    if isinstance(resource.get("id"), str):
        made["id"] = task.id_of(kind, resource["id"])
    return Deidentified({"resourceType": kind, **made}, task.dropped)


def refusal(resource: Any) -> str | None:
    """The rule by which a resource cannot be read: it says that it means something else than it seems to."""
    if isinstance(resource, Mapping):
        if resource.get("modifierExtension"):
            return UNKNOWN_MODIFIER
        if resource.get("implicitRules"):
            return UNKNOWN_RULES
        parts: Any = resource.values()
    else:
        parts = resource if isinstance(resource, list) else ()
    return next((rule for part in parts if (rule := refusal(part)) is not None), None)


def _struct(task: _Pass, type_name: str, path: str, value: Mapping[str, Any]) -> dict[str, Any]:
    elements = TYPES[type_name].elements
    made: dict[str, Any] = {}
    for name, part in value.items():
        element, below = elements.get(name), f"{path}.{name}"
        if name == "extension" and element is None:
            _drop_extensions(task, part)
        elif element is None or element.is_identifying:
            _drop(task, below, part)
        elif element.type == "Reference":
            made[name] = _each(element, part, lambda one, at=below: _reference(task, at, one))
        elif element.type == "Extension":
            made[name] = _extensions(task, path, part)
        elif element.is_primitive:
            made[name] = _primitive(task, element, below, part)
        else:
            kind = element.type
            made[name] = _each(element, part, lambda one, at=below, kind=kind: _nested(task, kind, at, one))
    return {name: part for name, part in made.items() if part not in (None, {}, [])}


def _nested(task: _Pass, kind: str, path: str, value: Any) -> dict[str, Any] | None:
    if not isinstance(value, Mapping):
        task.dropped[path] += 1
        return None
    return _struct(task, kind, path, value)


def _each(element: Element, value: Any, one: Any) -> Any:
    if not element.is_list:
        return one(value)
    entries = [one(entry) for entry in value] if isinstance(value, list) else []
    return [entry for entry in entries if entry not in (None, {}, [])]


def _primitive(task: _Pass, element: Element, path: str, value: Any) -> Any:
    if not element.is_free_text:
        return value
    if path not in task.free_text:
        task.dropped[path] += 1
        return None
    return mask_text(value, task.known) if isinstance(value, str) else None


def _reference(task: _Pass, path: str, value: Any) -> dict[str, Any] | None:
    """``Type/<hash>``; contained resources and ``urn:`` name nothing that has an id in silver."""
    if not isinstance(value, Mapping):
        task.dropped[path] += 1
        return None
    for name in value:
        if name != "reference":
            task.dropped[f"{path}.{name}"] += 1
    written = value.get("reference")
    found = REFERENCE.search(written) if isinstance(written, str) else None
    if found is None:
        if written is not None:
            task.dropped[f"{path}.reference"] += 1
        return None
    return {"reference": f"{found[1]}/{task.id_of(found[1], found[2])}"}


def _extensions(task: _Pass, owner: str, value: Any) -> list[dict[str, Any]]:
    """The allow-listed extensions of an element, each with its one value."""
    kept = []
    place = owner.removesuffix(".extension")
    for entry in value if isinstance(value, list) else ():
        url = entry.get("url") if isinstance(entry, Mapping) else None
        kind = extension_type(url, place) if isinstance(url, str) else None
        name = f"value{kind}"
        if kind is None or name not in entry:
            task.dropped[url if isinstance(url, str) else f"{place}.extension"] += 1
            continue
        body = entry[name]
        kept.append({"url": url, name: _nested(task, kind, f"{place}.extension.{name}", body)})
    return [entry for entry in kept if all(entry.values())]


def _drop(task: _Pass, path: str, value: Any) -> None:
    """Count an element that is left out, and the extensions in it by their URLs."""
    task.dropped[path] += len(value) if isinstance(value, list) else 1
    _count_urls(task, value)


def _count_urls(task: _Pass, value: Any) -> None:
    if isinstance(value, list):
        for entry in value:
            _count_urls(task, entry)
    elif isinstance(value, Mapping):
        for name, part in value.items():
            if name == "extension":
                _drop_extensions(task, part)
            else:
                _count_urls(task, part)


def _drop_extensions(task: _Pass, value: Any) -> None:
    for entry in value if isinstance(value, list) else ():
        url = entry.get("url") if isinstance(entry, Mapping) else None
        task.dropped[url if isinstance(url, str) else "extension"] += 1
