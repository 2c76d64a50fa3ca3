"""What one document knows while it is mapped: its resources (each once), its narrative by id, its clock."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from hashlib import blake2b
from typing import Any

from lxml import etree

from contracts.fhir.json_text import dumps
from fhir_mapping.cda.element import Element, Node, all_text, child, local_name, squeeze
from fhir_mapping.cda.paths import Paths
from fhir_mapping.cda.times import Clock, within
from fhir_mapping.document import Problem, Resource

_WITH_ID = etree.XPath("//*[@ID]")
_VISITED = {
    "Observation": ("encounter", ("effectiveDateTime", "effectivePeriod")),
    "DiagnosticReport": ("encounter", ("effectiveDateTime", "effectivePeriod")),
    "Procedure": ("encounter", ("performedDateTime", "performedPeriod")),
    "Immunization": ("encounter", ("occurrenceDateTime",)),
    "MedicationAdministration": ("context", ("effectiveDateTime", "effectivePeriod")),
    "MedicationRequest": ("encounter", ("authoredOn",)),
    "ServiceRequest": ("encounter", ("authoredOn",)),
    "DeviceRequest": ("encounter", ("authoredOn",)),
}
"""For each type its reference to an encounter, and the elements that tell when it happened."""
MERGED = frozenset(
    {"Patient", "Practitioner", "Organization", "Location", "RelatedPerson", "Device", "PractitionerRole"}
)
"""Types that many places of a document describe in part: what is said of one of them is put together."""
_CHOICES = ("value", "effective", "onset", "abatement", "performed", "occurrence", "medication", "deceased", "born")
_COMPARED = 16
"""With how many of the same number or name a resource is compared: thousands of one id must not cost their square."""
_SHARED_IDS = frozenset({"Patient", "Practitioner", "Organization", "Location"})


class Context:
    """The state of one conversion. Handlers add resources and get references; nothing else is shared.

    Attributes:
        links: pointers from one act to another: reference of the source, typeCode, keys of the target's ids.
        named: the references of acts whose ids stand in no resource, by key of the id.
        ranks: of diagnoses that are told with one, by reference of the Condition.
    """

    def __init__(self, root: Element, document_key: str, clock: Clock) -> None:
        self.root = root
        self.clock = clock
        self.problems: list[Problem] = []
        self.patient = ""
        self.encounter = ""
        self.language = ""
        self.links: list[tuple[str, str, list[str]]] = []
        self.named: dict[str, str] = {}
        self.ranks: dict[str, int] = {}
        self.walk: Callable[[Node, Any], list[str]]
        self.entries: Callable[[Node, Any], list[str]]
        self._key = document_key
        self._resources: dict[str, Resource] = {}
        self._by_name: dict[tuple[str, str], list[Resource]] = {}
        self._words: dict[str, Element] | None = None
        self._said: dict[str, str] = {}
        self._paths = Paths()

    @property
    def resources(self) -> tuple[Resource, ...]:
        """All that was added, in order."""
        return tuple(self._resources.values())

    def resource(self, reference: str) -> Resource:
        """The resource behind a reference that ``add`` gave."""
        return self._resources[reference]

    def has(self, reference: str) -> bool:
        """Whether ``add`` gave the reference and it still stands."""
        return reference in self._resources

    def add(self, resource: Resource) -> str:
        """Take a resource in and return ``Type/id``; one that was said before is put together with the earlier.

        The id is a digest of the document, the type and the content as first given (people, organizations and
        places: without the document, so that they are the same in the next one).
        """
        kind = resource["resourceType"]
        self._visit(kind, resource)
        keys = _keys(kind, resource)
        for key in keys:
            for known in _without_doubt(self._by_name.get((kind, key), ())[:_COMPARED], resource, kind in MERGED):
                if _absorb(known, resource, kind in MERGED):
                    self._find_by(kind, keys, known)
                    return f"{kind}/{known['id']}"
        reference = self._place(kind, resource)
        self._find_by(kind, keys, resource)
        return reference

    def _find_by(self, kind: str, keys: Iterable[str], resource: Resource) -> None:
        for key in keys:
            listed = self._by_name.setdefault((kind, key), [])
            if not any(one is resource for one in listed[:_COMPARED]):
                listed.append(resource)

    def _visit(self, kind: str, resource: Resource) -> None:
        """Link what was done within the document's encounter to it; history stays outside, whatever header it has."""
        name, times = _VISITED.get(kind, ("", ()))
        if not name or not self.encounter or name in resource:
            return
        told = next((resource[time] for time in times if time in resource), None)
        moment = told.get("start", told.get("end")) if isinstance(told, dict) else told
        if moment is not None and within(moment, self.resource(self.encounter).get("period", {})):
            resource[name] = {"reference": self.encounter}

    def _place(self, kind: str, resource: Resource) -> str:
        seed = b"" if kind in _SHARED_IDS else self._key.encode("utf-8", "surrogatepass")
        content = dumps({name: value for name, value in resource.items() if name != "id"})
        turn = 0
        while True:
            digest = blake2b(b"\0".join((kind.encode(), seed, content, str(turn).encode())), digest_size=16).hexdigest()
            reference = f"{kind}/{digest}"
            if reference not in self._resources:
                break
            turn += 1
        resource["id"] = digest
        self._resources[reference] = resource
        return reference

    def complete(self, reference: str, other: Resource) -> None:
        """Put what another mention says into a resource that is known to be the same: lists joined, gaps filled."""
        known = self._resources[reference]
        for name, value in other.items():
            present = known.get(name)
            if present is None:
                known[name] = value
            elif isinstance(present, list) and isinstance(value, list):
                known[name] = _joined(present, value)

    def drop(self, reference: str) -> None:
        """Take a resource out that became a part of another one."""
        dropped = self._resources.pop(reference, None)
        if dropped is not None:
            for known in self._by_name.values():
                known[:] = [one for one in known if one is not dropped]

    def problem(self, rule: str, element: Element | None) -> None:
        """Note a part that was left out."""
        self.problems.append(Problem(rule, self._paths.of(element)))

    def words(self, element: Element | None) -> str:
        """An ED's text: its own words, else those that its reference points to in the narrative."""
        if element is None:
            return ""
        own = squeeze(element.text) if len(element) == 0 else all_text(element)
        if own:
            return own
        pointer = child(element, "reference")
        value = (pointer.get("value") or "").strip() if pointer is not None else ""
        return self.narrative(value) if value else ""

    def narrative(self, pointer: str) -> str:
        """The words at ``#id`` of a section's text; an empty anchor stands for the element that holds it."""
        if self._words is None:
            found: Any = _WITH_ID(self.root)
            self._words = {element.get("ID"): element for element in found}
        key = pointer.lstrip("#")
        target = self._words.get(key)
        if target is None:
            return ""
        if key not in self._said:
            words = all_text(target)
            above = target.getparent()
            if not words and above is not None and local_name(above) != "text":
                words = all_text(above)
            self._said[key] = words
        return self._said[key]


def _keys(kind: str, resource: Resource) -> Iterable[str]:
    """By what an earlier mention is found: its identifiers, else (people, organizations, places) its name."""
    found = resource.get("identifier")
    listed = found if isinstance(found, list) else [found] if found else []
    keys = [f"{one.get('system', '')}|{one['value']}" for one in listed if "value" in one]
    if kind in ("Practitioner", "RelatedPerson", "Organization") and "name" in resource:
        keys.append(_called(resource["name"]))
    if keys:
        return keys
    if kind in MERGED:
        return [_content(resource.get("name") or resource.get("practitioner") or _bare(resource))]
    return [_content(_bare(resource))]


def _called(name: Any) -> str:
    """A name to find a person or organization by: white space, case and titles do not count."""
    if isinstance(name, str):
        return "name|" + squeeze(name).casefold()
    first = name[0]
    parts = [first.get("text", ""), first.get("family", ""), *first.get("given", ())]
    return "name|" + " ".join(" ".join(parts).casefold().split())


def _bare(resource: Resource) -> Resource:
    return {name: value for name, value in resource.items() if name != "id"}


def _content(value: Any) -> str:
    if isinstance(value, str):
        return value.casefold()
    return dumps(value).decode()


def _absorb(known: Resource, other: Resource, merged: bool) -> bool:
    """Put ``other`` into ``known`` where no two values disagree; lists of a merged type are joined."""
    additions: dict[str, Any] = {}
    if merged and _two_numbers(known, other):
        return False
    for name, value in other.items():
        if name == "id":
            continue
        present = known.get(name)
        if present is None:
            if any(name.startswith(stem) and _has_choice(known, stem) for stem in _CHOICES):
                return False
            additions[name] = value
        elif present != value:
            if not merged or not isinstance(value, list) or not isinstance(present, list):
                if (
                    merged
                    and isinstance(value, str)
                    and isinstance(present, str)
                    and present.casefold() == value.casefold()
                ):
                    continue
                return False
            if name == "name" and not _same_person(present, value):
                return False
            additions[name] = _joined(present, value)
    known.update(additions)
    return True


def _without_doubt(listed: Sequence[Resource], other: Resource, merged: bool) -> Sequence[Resource]:
    """Without those that ``other`` would be for an address's sake alone, where they are several."""
    if not merged:
        return listed
    alike = [known for known in listed if _no_number_shared(known, other) and not _two_numbers(known, other)]
    return listed if len(alike) < 2 else [known for known in listed if not any(known is one for one in alike)]


def _no_number_shared(known: Resource, other: Resource) -> bool:
    """Whether both have identifiers and none in common."""
    numbers, others = known.get("identifier") or [], other.get("identifier") or []
    is_listed = isinstance(numbers, list) and isinstance(others, list)
    return is_listed and numbers != [] and others != [] and not any(one in numbers for one in others)


def _two_numbers(known: Resource, other: Resource) -> bool:
    """Whether both have identifiers and none in common: two of one name, not one of two numbers.

    Numbers of different authorities may be one's, where the address, or without one the telephone, is the same, too.
    """
    if not _no_number_shared(known, other):
        return False
    if {one.get("system") for one in known["identifier"]} & {one.get("system") for one in other["identifier"]}:
        return True
    for part in ("address", "telecom"):
        if known.get(part) and other.get(part):
            return not any(one in known[part] for one in other[part])
    return True


def _joined(present: list[Any], value: list[Any]) -> list[Any]:
    """Both lists, each entry once; one that says less of the same than another is left out."""
    found = list(present)
    for one in value:
        if any(_says(other, one) for other in found):
            continue
        found = [other for other in found if not _says(one, other)]
        found.append(one)
    return found


def _says(more: Any, less: Any) -> bool:
    if not isinstance(more, dict) or not isinstance(less, dict):
        return bool(more == less)
    return all(more.get(name) == value for name, value in less.items())


def _has_choice(resource: Resource, stem: str) -> bool:
    return any(name.startswith(stem) and name[len(stem) : len(stem) + 1].isupper() for name in resource)


def _same_person(present: list[Any], value: list[Any]) -> bool:
    """Whether two lists of names may be one person's: a family name (or the text) in common."""

    def families(all_names: list[Any]) -> set[str]:
        return {str(one.get("family") or one.get("text") or "").casefold() for one in all_names}

    return bool(families(present) & families(value))
