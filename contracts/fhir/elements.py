"""Element tables: the subset of FHIR R4 (4.0.1, equal in 4.3.0) that Cloister maps, in ``contracts.fhir.r4_table``.

One line an element: path, cardinality, type, then marks. ``! list`` names a required binding. ``value[x]`` lists its
types joined by ``|`` and becomes one element each (``valueQuantity``), at most one of which may be there.
``Reference(A|B)`` names the allowed targets, ``Reference(Any)`` all of ``RESOURCES``. ``~`` marks free text: words that
a person wrote. ``@`` marks what identifies a person, a record or a device, or carries what does: specs may map it and
``map convert`` keeps it, silver has no column for it. So Patient has no name, telecom, address, identifier or contact
in silver, references no display, attachments no data: silver is pseudonymous by schema.

Recursive types are unrolled once (items of a questionnaire, sections of a document). Extensions are allow-listed by URL
in ``contracts.fhir.extensions``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from contracts.fhir.r4_table import TABLE

PRIMITIVES = frozenset(
    {"boolean", "integer", "positiveInt", "unsignedInt", "decimal", "string", "markdown", "code", "uri", "id"}
    | {"date", "dateTime", "instant", "time", "url", "canonical", "base64Binary", "xhtml"}
)

RESOURCES: tuple[str, ...] = (
    "Patient",
    "Encounter",
    "Condition",
    "Observation",
    "MedicationRequest",
    "DiagnosticReport",
    "Specimen",
    "MedicationStatement",
    "MedicationAdministration",
    "Procedure",
    "AllergyIntolerance",
    "Immunization",
    "ServiceRequest",
    "DocumentReference",
    "Composition",
    "ImagingStudy",
    "Coverage",
    "Organization",
    "Practitioner",
    "PractitionerRole",
    "Location",
    "Appointment",
    "QuestionnaireResponse",
    "RelatedPerson",
    "Medication",
    "Device",
    "FamilyMemberHistory",
)
"""Every type that a spec may emit; a site's silver has tables for those that its own specs emit."""


@dataclass(frozen=True)
class Element:
    """One element of a type.

    Attributes:
        name: as it stands in JSON: ``valueQuantity``, not ``value[x]``.
        type: a primitive or the name of a complex type; ``Reference`` for references.
        minimum: 0 or 1. For a choice, the minimum of the whole choice stands on each of its elements.
        is_list: whether it repeats (``0..*``).
        binding: name of the required code list in ``contracts.fhir.bindings``, or None.
        targets: resource types that a Reference may name; () otherwise.
        choice: ``value[x]`` when the element is one type of a choice, else None.
        is_free_text: words that a person wrote; kept only where the region allows it, masked.
        is_identifying: kept by ``map convert`` only; no column of silver.
    """

    name: str
    type: str
    minimum: int
    is_list: bool
    binding: str | None = None
    targets: tuple[str, ...] = ()
    choice: str | None = None
    is_free_text: bool = False
    is_identifying: bool = False

    @property
    def is_primitive(self) -> bool:
        return self.type in PRIMITIVES


@dataclass(frozen=True)
class ComplexType:
    """A resource, data type or backbone element: its elements by name, in FHIR's order."""

    name: str
    elements: Mapping[str, Element]


_TYPE = re.compile(r"(\w+)(?:\(([\w|]+)\))?")


def _parse_line(line: str) -> tuple[str, list[Element]]:
    path, cardinality, types, *marks = line.split()
    owner, name = path.split(".")
    is_choice = name.endswith("[x]")
    elements = []
    for kind, targets in _TYPE.findall(types):
        elements.append(
            Element(
                name=name[:-3] + kind[0].upper() + kind[1:] if is_choice else name,
                type=kind,
                minimum=int(cardinality[0]),
                is_list=cardinality.endswith("*"),
                binding=marks[marks.index("!") + 1] if "!" in marks else None,
                targets=_targets(targets),
                choice=name if is_choice else None,
                is_free_text="~" in marks and kind in ("string", "markdown", "xhtml"),
                is_identifying="@" in marks,
            )
        )
    return owner, elements


def _targets(listed: str) -> tuple[str, ...]:
    if not listed:
        return ()
    return RESOURCES if listed == "Any" else tuple(listed.split("|"))


def _parse_table(table: str) -> Mapping[str, ComplexType]:
    found: dict[str, dict[str, Element]] = {}
    for line in table.splitlines():
        if line.strip():
            owner, elements = _parse_line(line)
            found.setdefault(owner, {}).update({element.name: element for element in elements})
    return MappingProxyType({name: ComplexType(name, MappingProxyType(body)) for name, body in found.items()})


TYPES: Mapping[str, ComplexType] = _parse_table(TABLE)


def complex_type(name: str) -> ComplexType:
    """The resource or data type of this name. Raises KeyError when the tables do not have it."""
    return TYPES[name]


_WAITED = {"Patient": ("subject", "patient", "beneficiary"), "Encounter": ("encounter", "context")}


def awaited(resource: str) -> dict[str, str]:
    """A type's single references to its patient and visit: ``{"Patient": "subject", "Encounter": "context"}``."""
    found = {}
    for target, names in _WAITED.items():
        for name in names:
            element = TYPES[resource].elements.get(name)
            if element is not None and target in element.targets and not element.is_list:
                found[target] = name
                break
    return found
