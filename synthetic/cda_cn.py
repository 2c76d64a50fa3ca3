"""Chinese shared documents (WS/T 500-2016) as hospitals send them: written from a seed, with what they say as truth.

Six kinds: C0002 outpatient record, C0004 prescription, C0006 examination report, C0007 laboratory report, C0032 front
page of an inpatient record, C0053 discharge summary. ``deviation`` writes one of the departures from the standard that
exports show; the truth is the same, unless the deviation makes the document ambiguous: then ``problem`` names the rule
by which a reader has to leave the part out.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from random import Random
from xml.sax.saxutils import escape, quoteattr

from synthetic import cda_cn_sections as sections
from synthetic.cda_cn_values import DEPARTMENTS, DOCTORS, HOSPITAL
from synthetic.cda_cn_writer import OID, Style, Truth
from synthetic.people import Person, make_person

KINDS = {
    "C0002": "门(急)诊病历",
    "C0004": "西药处方",
    "C0006": "检查报告",
    "C0007": "检验报告",
    "C0032": "住院病案首页",
    "C0053": "出院小结",
}
DEVIATIONS = {
    "no_structured_body": "sections stand directly under component",
    "icd_oid_bare": "the OID of ICD-10 without a suffix",
    "icd_oid_2": "the OID of ICD-10 with suffix .2",
    "icd_oid_5": "the OID of ICD-10 with suffix .5",
    "icd_under_tcm_oid": "ICD-10 codes under the OID of Chinese diseases",
    "icd_under_blood_group_oid": "ICD-10 codes under 2.16.156.10011.2.3.1.85",
    "element_oid_2": "data-element codes under 2.16.156.10011.2.2.2",
    "element_under_icd_oid": "data-element codes under the OID of ICD-10",
    "element_under_therapy_oid": "data-element codes under 2.16.156.10011.2.3.3.15",
    "nonstandard_elements": "houserNumber, township, age: elements that no schema has",
    "chinese_units": "units and currency in Chinese: 天, 元, 次/分",
    "flat_results": "items and results as sibling entries, items first",
    "flat_results_mismatch": "the same with a result missing",
    "flat_diagnoses": "codes and names as sibling entries without organizer",
}
PATIENT_ONLY = "2.16.156.10011.1.3"


@dataclass(frozen=True)
class ChineseDocument:
    """A document and what it says.

    Attributes:
        kind: ``C0007``.
        data: the file's bytes.
        facts: (resource type, dotted path, value) that a conversion has to hold.
        counts: how many resources of a type there are to be.
        problem: the rule by which the ambiguous part is left out, or empty.
    """

    kind: str
    data: bytes
    facts: tuple[tuple[str, str, str], ...]
    counts: dict[str, int]
    problem: str = ""


def write_document(kind: str, seed: int, *, deviation: str = "", encoding: str = "UTF-8") -> ChineseDocument:
    """One document of the kind; equal arguments give equal bytes."""
    rng = Random(f"{kind}-{seed}")
    style = Style(deviation)
    truth = Truth()
    person = make_person(seed, rng.random() < 0.5, rng.randrange(18, 80), date(2024, 5, 1), rng)
    written = datetime(2024, 5, 1, 8) + timedelta(minutes=rng.randrange(40_000))
    body = sections.WRITERS[kind](rng, style, truth, written)
    header = _header(kind, seed, person, written, rng, style, truth)
    inner = "".join(f"<component>{section}</component>" for section in body)
    if deviation != "no_structured_body":
        inner = f"<component><structuredBody>{inner}</structuredBody></component>"
    text = f'<?xml version="1.0" encoding="{encoding}"?>\n{header}{inner}</ClinicalDocument>'
    return ChineseDocument(kind, text.encode(encoding), tuple(truth.facts), dict(truth.counts), truth.problem)


def _header(kind: str, seed: int, person: Person, written: datetime, rng: Random, style: Style, truth: Truth) -> str:
    stamp = f"{written:%Y%m%d%H%M%S}"
    doctor = rng.choice(DOCTORS)
    department = rng.choice(DEPARTMENTS)
    inpatient = kind in ("C0032", "C0053")
    truth.has("Composition", "type.coding.code", kind)
    truth.has("Composition", "title", KINDS[kind])
    truth.has("Composition", "date", f"{written:%Y-%m-%dT%H:%M:%S}+08:00")
    return (
        '<ClinicalDocument xmlns="urn:hl7-org:v3" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
        '<realmCode code="CN"/><typeId root="2.16.840.1.113883.1.3" extension="POCD_MT000040"/>'
        f'<templateId root="2.16.156.10011.2.1.1.{int(kind[1:]) + 20}"/>'
        f'<id root="2.16.156.10011.1.1" extension="D{seed:08d}"/>'
        f'<code code="{kind}" codeSystem="2.16.156.10011.2.4" codeSystemName="卫生信息共享文档规范编码体系"/>'
        f'<title>{KINDS[kind]}</title><effectiveTime value="{stamp}"/>'
        '<confidentialityCode code="N" codeSystem="2.16.840.1.113883.5.25"/><languageCode code="zh-CN"/>'
        f"{_patient(kind, seed, person, inpatient, style, truth)}"
        f"{_author(doctor, stamp, truth)}{_custodian(truth)}"
        f"{_encounter(seed, department, written, inpatient, truth)}"
    )


def _patient(kind: str, seed: int, person: Person, inpatient: bool, style: Style, truth: Truth) -> str:
    visit = f"V{seed:07d}"
    number = "2.16.156.10011.1.12" if inpatient else "2.16.156.10011.1.11"
    more = {
        "C0004": f'<id root="2.16.156.10011.1.20" extension="R{seed:07d}"/>',
        "C0006": f'<id root="2.16.156.10011.1.32" extension="E{seed:07d}"/>',
        "C0007": f'<id root="2.16.156.10011.1.33" extension="L{seed:07d}"/>',
    }.get(kind, "")
    code, shown, gender = ("2", "女性", "female") if person.female else ("1", "男性", "male")
    for path, value in (
        ("identifier.value", person.id_card),
        ("identifier.value", f"H{seed:09d}"),
        ("name.text", person.name),
        ("gender", gender),
        ("birthDate", f"{person.birth:%Y-%m-%d}"),
        ("telecom.value", person.phone),
    ):
        truth.has("Patient", path, value)
    truth.has("Encounter", "identifier.value", visit)
    truth.counts["Patient"] = 1
    if kind == "C0004":
        truth.has("MedicationRequest", "groupIdentifier.value", f"R{seed:07d}")
    if kind in ("C0006", "C0007") and not style.mismatch:
        truth.has("DiagnosticReport", "identifier.value", f"{'E' if kind == 'C0006' else 'L'}{seed:07d}")
    odd = style.deviation == "nonstandard_elements"
    address = f"<houserNumber>{escape(person.address)}</houserNumber><township>东街道</township>" if odd else ""
    address = address or f"<streetAddressLine>{escape(person.address)}</streetAddressLine>"
    truth.has("Patient", "address.line", person.address)
    age = '<age unit="岁" value="45"/>' if odd else ""
    return (
        '<recordTarget typeCode="RCT" contextControlCode="OP"><patientRole classCode="PAT">'
        f'<id root="{number}" extension="{visit}"/><id root="2.16.156.10011.1.19" extension="H{seed:09d}"/>{more}'
        f'<addr use="H">{address}<city>滨河市</city></addr><telecom value="{person.phone}"/>'
        f'<patient classCode="PSN" determinerCode="INSTANCE"><id root="{PATIENT_ONLY}" extension="{person.id_card}"/>'
        f"<name>{escape(person.name)}</name>"
        f'<administrativeGenderCode code="{code}" codeSystem="2.16.156.10011.2.3.3.4" displayName="{shown}"/>'
        f'<birthTime value="{person.birth:%Y%m%d}"/>'
        '<maritalStatusCode code="20" codeSystem="2.16.156.10011.2.3.3.5" displayName="已婚"/>'
        '<ethnicGroupCode code="01" codeSystem="2.16.156.10011.2.3.3.3" displayName="汉族"/>'
        f"{age}</patient></patientRole></recordTarget>"
    )


def _author(doctor: str, stamp: str, truth: Truth) -> str:
    truth.has("Practitioner", "name.text", doctor)
    truth.counts["Practitioner"] = 1
    number = f"D{DOCTORS.index(doctor):04d}"
    person = (
        f'<id root="2.16.156.10011.1.7" extension="{number}"/><code displayName="责任医师"/>'
        f"<assignedPerson><name>{doctor}</name></assignedPerson>"
    )
    return (
        f'<author typeCode="AUT"><time value="{stamp}"/><assignedAuthor classCode="ASSIGNED">{person}'
        "</assignedAuthor></author>"
        f'<legalAuthenticator><time value="{stamp}"/><signatureCode/><assignedEntity>{person}</assignedEntity>'
        "</legalAuthenticator>"
    )


def _custodian(truth: Truth) -> str:
    code, name = HOSPITAL
    truth.has("Organization", "name", name)
    truth.has("Organization", "identifier.value", code)
    return (
        '<custodian typeCode="CST"><assignedCustodian classCode="ASSIGNED"><representedCustodianOrganization>'
        f'<id root="{OID}1.5" extension={quoteattr(code)}/><name>{name}</name>'
        "</representedCustodianOrganization></assignedCustodian></custodian>"
    )


def _encounter(seed: int, department: tuple[str, str], written: datetime, inpatient: bool, truth: Truth) -> str:
    start = written - timedelta(days=6 if inpatient else 0, minutes=30)
    code, name = HOSPITAL
    end = f'<high value="{written:%Y%m%d%H%M%S}"/>' if inpatient else ""
    truth.has("Encounter", "class.code", "IMP" if inpatient else "AMB")
    truth.has("Encounter", "period.start", f"{start:%Y-%m-%dT%H:%M:%S}+08:00")
    truth.has("Organization", "name", department[1])
    truth.counts["Encounter"] = 1
    bed = ""
    if inpatient:
        bed = f'<id root="{OID}1.22" extension="B{seed % 40 + 1}"/><name>{seed % 40 + 1}床</name>'
        truth.has("Location", "name", f"{seed % 40 + 1}床")
    ward = (
        f'<id root="{OID}1.26" extension="{department[0]}"/><name>{department[1]}</name>'
        '<asOrganizationPartOf classCode="PART"><wholeOrganization>'
        f'<id root="{OID}1.5" extension={quoteattr(code)}/><name>{name}</name>'
        "</wholeOrganization></asOrganizationPartOf>"
    )
    chain = (
        f"{bed}<asOrganizationPartOf><wholeOrganization>{ward}</wholeOrganization></asOrganizationPartOf>"
        if bed
        else ward
    )
    kind = ("3", "住院") if inpatient else ("1", "门诊")
    return (
        "<componentOf><encompassingEncounter>"
        f'<code code="{kind[0]}" displayName="{kind[1]}" codeSystem="{OID}2.3.1.271"/>'
        f'<effectiveTime><low value="{start:%Y%m%d%H%M%S}"/>{end}</effectiveTime>'
        f"<location><healthCareFacility><serviceProviderOrganization>{chain}</serviceProviderOrganization>"
        "</healthCareFacility></location></encompassingEncounter></componentOf>"
    )
