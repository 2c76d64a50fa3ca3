"""Staff master files (MFN_M02, PMU): STF, PRA, LAN; what MFE asks for."""

from __future__ import annotations

from fhir_mapping.hl7v2.message import Segment
from fhir_mapping.hl7v2.walk import Walk, handles, key_of

_ROLE = (4, 8, 9, 12, 13, 18)


@handles("MFI", "MFE")
def entry(walk: Walk, segment: Segment) -> None:
    """A master file and its entry: of their own they have nothing for FHIR; the next staff member is another one."""
    walk.staff = None


@handles("STF")
def staff(walk: Walk, segment: Segment) -> None:
    """A Practitioner; what STF says of the work is a PractitionerRole."""
    found = walk.staff = walk.draft("Practitioner", key_of(segment, 1) or key_of(segment, 2, 3))
    walk.apply("STF[Practitioner]", segment, found)
    if any(segment.raw(number) for number in _ROLE):
        _role(walk, "STF[PractitionerRole]", segment)
    walk.notes = walk.host = found


@handles("PRA")
def practitioner(walk: Walk, segment: Segment) -> None:
    """More of the staff member: numbers, group, category and specialty."""
    if walk.staff is None:
        walk.staff = walk.draft("Practitioner", key_of(segment, 1) or segment.text)
    walk.apply("PRA[Practitioner]", segment, walk.staff)
    if any(segment.raw(number) for number in (2, 3, 5)):
        _role(walk, "PRA[PractitionerRole]", segment)


@handles("LAN")
def language(walk: Walk, segment: Segment) -> None:
    """A language that the staff member speaks."""
    if walk.staff is not None:
        walk.apply("LAN[Practitioner]", segment, walk.staff)


def _role(walk: Walk, name: str, segment: Segment) -> None:
    assert walk.staff is not None
    role = walk.draft("PractitionerRole", "staff", str(walk.staff.root["id"]))
    role.root["practitioner"] = walk.reference(walk.staff)
    walk.apply(name, segment, role)
