"""Header and persons: MSH, SFT, MSA, EVN, PID, PD1, NK1, MRG, DB1, PDA."""

from __future__ import annotations

from fhir_mapping.hl7v2.datatypes import places
from fhir_mapping.hl7v2.datatypes.identifiers import is_number
from fhir_mapping.hl7v2.message import Segment
from fhir_mapping.hl7v2.walk import Draft, Walk, handles, key_of, without_number

_MERGES = frozenset({"A18", "A30", "A34", "A35", "A36", "A39", "A40", "A46", "A47"})


@handles("MSH")
def header(walk: Walk, segment: Segment) -> None:
    """The message itself."""
    found = walk.draft("MessageHeader", segment.text)
    walk.apply("MSH[MessageHeader]", segment, found)
    walk.host = None


@handles("SFT")
def software(walk: Walk, segment: Segment) -> None:
    """The first software segment names the sender; every one is a Device."""
    head = next((d for d in walk.drafts.values() if d.root["resourceType"] == "MessageHeader"), None)
    if head is not None and "software" not in head.root.get("source", {}):
        walk.apply("SFT[MessageHeader]", segment, head)
    walk.apply("SFT[Device]", segment, walk.draft("Device", segment.text))


@handles("MSA")
def acknowledgment(walk: Walk, segment: Segment) -> None:
    """The answer to another message."""
    head = next((d for d in walk.drafts.values() if d.root["resourceType"] == "MessageHeader"), None)
    if head is not None:
        walk.apply("MSA[MessageHeader]", segment, head)


@handles("EVN")
def event(walk: Walk, segment: Segment) -> None:
    """Who and when: a Provenance, when it names an operator. Its target is set when the patient is known."""
    if not segment.raw(5):
        return
    found = walk.draft("Provenance", segment.text)
    walk.apply("EVN[Provenance]", segment, found)
    code = {"system": "http://terminology.hl7.org/CodeSystem/v2-0003", "code": walk.kind[1] or segment.raw(1)}
    found.root["activity"] = {"coding": [code]}
    walk.provenance.append(found)


def person_key(raw: str, segment: Segment) -> tuple[str, ...]:
    """What identifies a person: number and authority of the first identifier."""
    parts = raw.split(segment.delimiters.repetition)[0].split(segment.delimiters.component)
    authority = parts[3] if len(parts) > 3 else ""
    return (parts[0].strip(), authority.strip())


@handles("PID")
def patient(walk: Walk, segment: Segment) -> None:
    """A new patient: what belonged to the one before ends here."""
    raw = segment.raw(3) or segment.raw(2) or segment.raw(4)
    key = person_key(raw, segment)
    if not is_number(key[0]):
        key = (without_number(segment),)
    walk.start_patient(walk.draft("Patient", *key))
    assert walk.patient is not None
    walk.apply("PID[Patient]", segment, walk.patient)
    if segment.raw(18):
        walk.account = walk.draft("Account", *key, segment.raw(18))
        walk.account.root.setdefault("subject", [walk.reference(walk.patient)])
        walk.apply("PID[Account]", segment, walk.account)
    if segment.raw(34):
        update = walk.draft("Provenance", "PID", segment.text)
        walk.apply("PID[Provenance-Patient]", segment, update)
        update.root["target"] = [walk.reference(walk.patient)]
    if segment.raw(21):
        mother = walk.draft("RelatedPerson", *key, "mother", segment.raw(21))
        code = {"system": "http://terminology.hl7.org/CodeSystem/v3-RoleCode", "code": "MTH", "display": "mother"}
        mother.root["relationship"] = [{"coding": [code]}]
        walk.apply("PID[RelatedPerson]", segment, mother)
    walk.notes = walk.host = walk.patient


@handles("PD1")
def demographics(walk: Walk, segment: Segment) -> None:
    """More of the patient."""
    found = walk.ensure_patient()
    walk.apply("PD1[Patient]", segment, found)
    if segment.raw(7):
        will = walk.draft("Observation", str(found.root["id"]), "living will", segment.raw(7))
        walk.apply("PD1[Observation-LivingWill]", segment, will)


@handles("DB1")
def disability(walk: Walk, segment: Segment) -> None:
    """Identifiers a disabled patient has."""
    walk.apply("DB1[Patient]", segment, walk.ensure_patient())


@handles("NK1")
def next_of_kin(walk: Walk, segment: Segment) -> None:
    """A related person; an organization that is next of kin is an Organization and the patient's contact."""
    found = walk.ensure_patient()
    text = without_number(segment)
    if segment.raw(2) or not segment.raw(13):
        person = walk.draft("RelatedPerson", str(found.root["id"]), key_of(segment, 2, 3, 33), text=text)
        walk.apply("NK1[RelatedPerson]", segment, person)
        walk.host = walk.notes = person
    if segment.raw(13) or segment.raw(30):
        organization = walk.draft("Organization", "kin", text)
        walk.apply("NK1[Organization]", segment, organization)
        relationship = Draft.of("RelatedPerson")
        walk.apply("NK1[RelatedPerson]", segment, relationship)
        for one in [organization, *_more_organizations(walk, segment)]:
            contact: dict[str, object] = {"organization": walk.reference(one)}
            if "relationship" in relationship.root:
                contact["relationship"] = relationship.root["relationship"]
            found.root.setdefault("contact", []).append(contact)


def _more_organizations(walk: Walk, segment: Segment) -> list[Draft]:
    """The second and further organizations of NK1-13; what else the segment says is said of the first."""
    made: list[Draft] = []
    for raw in segment.repetitions(13)[1:]:
        if (named := places.organization(walk.context, raw)) is not None:
            made.append(walk.draft("Organization", "kin", raw))
            made[-1].root.update(named)
    return made


@handles("MRG")
def merge(walk: Walk, segment: Segment) -> None:
    """Records that became one: the old patient, account or visit points at what replaced it."""
    current = walk.ensure_patient()
    if segment.raw(1):
        prior = walk.draft("Patient", *person_key(segment.raw(1), segment))
        if prior is not current:
            walk.apply("MRG[Patient]", segment, prior)
            is_merge = walk.kind[0] != "ADT" or walk.kind[1] in _MERGES
            if is_merge:
                prior.root["active"] = False
                prior.root["link"] = [{"other": walk.reference(current), "type": "replaced-by"}]
                current.root.setdefault("link", []).append({"other": walk.reference(prior), "type": "replaces"})
        else:
            walk.apply("MRG[Patient]", segment, current)
    if segment.raw(3):
        account = walk.draft("Account", "merged", segment.raw(3))
        account.root["subject"] = [walk.reference(current)]
        account.root["status"] = "inactive"
        walk.apply("MRG[Account]", segment, account)
    if segment.raw(5):
        if "PV1" in _names(walk):
            walk.prior_visit = segment
        else:
            visit = walk.draft("Encounter", "merged", segment.raw(5))
            walk.apply("MRG[Encounter]", segment, visit)


def _names(walk: Walk) -> list[str]:
    return [segment.name for segment in walk.following(frozenset({"PID", "MRG"}))]


@handles("PDA")
def death(walk: Walk, segment: Segment) -> None:
    """Cause of death as a Condition, an autopsy as a Procedure."""
    found = walk.ensure_patient()
    if segment.raw(1):
        cause = walk.draft("Condition", str(found.root["id"]), "death", segment.raw(1))
        walk.apply("PDA[Condition]", segment, cause)
    if segment.raw(3)[:1].upper() == "Y" or any(segment.raw(number) for number in (2, 4, 5)):
        certified = walk.draft("Procedure", str(found.root["id"]), "death certification")
        code = {"system": "http://snomed.info/sct", "code": "308646001", "display": "Death certification"}
        certified.root["code"] = {"coding": [code]}
        walk.apply("PDA[Procedure-Certification]", segment, certified)
    if segment.raw(6)[:1].upper() == "Y":
        autopsy = walk.draft("Procedure", str(found.root["id"]), "autopsy")
        code = {"system": "http://snomed.info/sct", "code": "29240004", "display": "Autopsy examination"}
        autopsy.root["code"] = {"coding": [code]}
        walk.apply("PDA[Procedure]", segment, autopsy)
