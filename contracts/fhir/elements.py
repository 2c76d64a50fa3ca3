"""Element tables: the subset of FHIR R4 (4.0.1, equal in 4.3.0) that silver holds.

One line an element: path, cardinality, type, and for required bindings ``! list``. ``value[x]`` lists its types
joined by ``|`` and becomes one element each (``valueQuantity``), at most one of which may be there.
``Reference(A|B)`` names the allowed targets.

Patient has no name, telecom, address, identifier, photo, contact or extension: silver is pseudonymous by schema.
References carry no display, codings no extension, for the same reason.
Source: https://hl7.org/fhir/R4/ (StructureDefinition of each type).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

PRIMITIVES = frozenset(
    {"boolean", "integer", "positiveInt", "unsignedInt", "decimal", "string", "markdown", "code", "uri", "id"}
    | {"date", "dateTime", "instant"}
)

_TABLE = """
Coding.system                            0..1 uri
Coding.version                           0..1 string
Coding.code                              0..1 code
Coding.display                           0..1 string

CodeableConcept.coding                   0..* Coding
CodeableConcept.text                     0..1 string

Reference.reference                      0..1 string

Quantity.value                           0..1 decimal
Quantity.comparator                      0..1 code ! quantity-comparator
Quantity.unit                            0..1 string
Quantity.system                          0..1 uri
Quantity.code                            0..1 code

Period.start                             0..1 dateTime
Period.end                               0..1 dateTime

Annotation.time                          0..1 dateTime
Annotation.text                          1..1 markdown

TimingRepeat.frequency                   0..1 positiveInt
TimingRepeat.period                      0..1 decimal
TimingRepeat.periodUnit                  0..1 code ! units-of-time
Timing.repeat                            0..1 TimingRepeat
Timing.code                              0..1 CodeableConcept

DoseAndRate.doseQuantity                 0..1 Quantity

Dosage.sequence                          0..1 integer
Dosage.text                              0..1 string
Dosage.timing                            0..1 Timing
Dosage.route                             0..1 CodeableConcept
Dosage.doseAndRate                       0..* DoseAndRate

Patient.id                               1..1 id
Patient.active                           0..1 boolean
Patient.gender                           0..1 code ! administrative-gender
Patient.birthDate                        0..1 date
Patient.deceased[x]                      0..1 boolean|dateTime
Patient.maritalStatus                    0..1 CodeableConcept

EncounterHospitalization.admitSource           0..1 CodeableConcept
EncounterHospitalization.dischargeDisposition  0..1 CodeableConcept

Encounter.id                             1..1 id
Encounter.status                         1..1 code ! encounter-status
Encounter.class                          1..1 Coding
Encounter.type                           0..* CodeableConcept
Encounter.serviceType                    0..1 CodeableConcept
Encounter.priority                       0..1 CodeableConcept
Encounter.subject                        0..1 Reference(Patient)
Encounter.period                         0..1 Period
Encounter.reasonCode                     0..* CodeableConcept
Encounter.hospitalization                0..1 EncounterHospitalization

Condition.id                             1..1 id
Condition.clinicalStatus                 0..1 CodeableConcept ! condition-clinical
Condition.verificationStatus             0..1 CodeableConcept ! condition-ver-status
Condition.category                       0..* CodeableConcept
Condition.severity                       0..1 CodeableConcept
Condition.code                           0..1 CodeableConcept
Condition.subject                        1..1 Reference(Patient)
Condition.encounter                      0..1 Reference(Encounter)
Condition.onset[x]                       0..1 dateTime|string
Condition.abatement[x]                   0..1 dateTime|string
Condition.recordedDate                   0..1 dateTime
Condition.note                           0..* Annotation

ObservationReferenceRange.low            0..1 Quantity
ObservationReferenceRange.high           0..1 Quantity
ObservationReferenceRange.text           0..1 string

ObservationComponent.code                1..1 CodeableConcept
ObservationComponent.value[x]            0..1 Quantity|CodeableConcept|string
ObservationComponent.dataAbsentReason    0..1 CodeableConcept

Observation.id                           1..1 id
Observation.status                       1..1 code ! observation-status
Observation.category                     0..* CodeableConcept
Observation.code                         1..1 CodeableConcept
Observation.subject                      0..1 Reference(Patient)
Observation.encounter                    0..1 Reference(Encounter)
Observation.effective[x]                 0..1 dateTime|Period
Observation.issued                       0..1 instant
Observation.value[x]                     0..1 Quantity|CodeableConcept|string|boolean|integer|dateTime
Observation.dataAbsentReason             0..1 CodeableConcept
Observation.interpretation               0..* CodeableConcept
Observation.note                         0..* Annotation
Observation.method                       0..1 CodeableConcept
Observation.referenceRange               0..* ObservationReferenceRange
Observation.component                    0..* ObservationComponent

DispenseRequest.quantity                 0..1 Quantity
DispenseRequest.expectedSupplyDuration   0..1 Quantity

MedicationRequest.id                     1..1 id
MedicationRequest.status                 1..1 code ! medicationrequest-status
MedicationRequest.intent                 1..1 code ! medicationrequest-intent
MedicationRequest.category               0..* CodeableConcept
MedicationRequest.medication[x]          1..1 CodeableConcept
MedicationRequest.subject                1..1 Reference(Patient)
MedicationRequest.encounter              0..1 Reference(Encounter)
MedicationRequest.authoredOn             0..1 dateTime
MedicationRequest.reasonCode             0..* CodeableConcept
MedicationRequest.note                   0..* Annotation
MedicationRequest.dosageInstruction      0..* Dosage
MedicationRequest.dispenseRequest        0..1 DispenseRequest

DiagnosticReport.id                      1..1 id
DiagnosticReport.status                  1..1 code ! diagnostic-report-status
DiagnosticReport.category                0..* CodeableConcept
DiagnosticReport.code                    1..1 CodeableConcept
DiagnosticReport.subject                 0..1 Reference(Patient)
DiagnosticReport.encounter               0..1 Reference(Encounter)
DiagnosticReport.effective[x]            0..1 dateTime|Period
DiagnosticReport.issued                  0..1 instant
DiagnosticReport.result                  0..* Reference(Observation)
DiagnosticReport.conclusion              0..1 string
DiagnosticReport.conclusionCode          0..* CodeableConcept
"""

RESOURCES: tuple[str, ...] = (
    "Patient",
    "Encounter",
    "Condition",
    "Observation",
    "MedicationRequest",
    "DiagnosticReport",
)


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
    """

    name: str
    type: str
    minimum: int
    is_list: bool
    binding: str | None = None
    targets: tuple[str, ...] = ()
    choice: str | None = None

    @property
    def is_primitive(self) -> bool:
        return self.type in PRIMITIVES


@dataclass(frozen=True)
class ComplexType:
    """A resource, data type or backbone element: its elements by name, in FHIR's order."""

    name: str
    elements: Mapping[str, Element]


def _parse_line(line: str) -> tuple[str, list[Element]]:
    left, _, binding = (part.strip() for part in line.partition("!"))
    path, cardinality, types = left.split()
    owner, name = path.split(".")
    minimum, is_list = int(cardinality[0]), cardinality.endswith("*")
    if types.startswith("Reference("):
        targets = tuple(types[len("Reference(") : -1].split("|"))
        return owner, [Element(name, "Reference", minimum, is_list, None, targets)]
    if not name.endswith("[x]"):
        return owner, [Element(name, types, minimum, is_list, binding or None)]
    stem = name[:-3]
    variants = [stem + kind[0].upper() + kind[1:] for kind in types.split("|")]
    return owner, [
        Element(variant, kind, minimum, is_list, None, (), name)
        for variant, kind in zip(variants, types.split("|"), strict=True)
    ]


def _parse_table(table: str) -> Mapping[str, ComplexType]:
    found: dict[str, dict[str, Element]] = {}
    for line in table.splitlines():
        if line.strip():
            owner, elements = _parse_line(line)
            found.setdefault(owner, {}).update({element.name: element for element in elements})
    return MappingProxyType({name: ComplexType(name, MappingProxyType(body)) for name, body in found.items()})


TYPES: Mapping[str, ComplexType] = _parse_table(_TABLE)


def complex_type(name: str) -> ComplexType:
    """The resource or data type of this name. Raises KeyError when the tables do not have it."""
    return TYPES[name]
