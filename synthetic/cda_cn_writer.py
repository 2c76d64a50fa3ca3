"""Pieces of a Chinese shared document: observations by data element, sections; how a deviation changes them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from xml.sax.saxutils import escape, quoteattr

OID = "2.16.156.10011."
_ICD_OIDS = {
    "icd_oid_bare": "2.3.3.11",
    "icd_oid_2": "2.3.3.11.2",
    "icd_oid_5": "2.3.3.11.5",
    "icd_under_tcm_oid": "2.3.3.14",
    "icd_under_blood_group_oid": "2.3.1.85",
}
_ELEMENT_OIDS = {
    "element_oid_2": "2.2.2",
    "element_under_icd_oid": "2.3.3.11",
    "element_under_therapy_oid": "2.3.3.15",
}


@dataclass
class Truth:
    """What a document says, gathered while it is written."""

    facts: list[tuple[str, str, str]] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    problem: str = ""

    def has(self, resource: str, path: str, value: str) -> None:
        """A fact."""
        self.facts.append((resource, path, value))


@dataclass(frozen=True)
class Style:
    """How one deviation writes things."""

    deviation: str = ""

    @property
    def mismatch(self) -> bool:
        """Whether results are missing, so that nothing can be paired."""
        return self.deviation == "flat_results_mismatch"

    @property
    def icd_oid(self) -> str:
        """The OID that ICD-10 codes stand under."""
        return OID + _ICD_OIDS.get(self.deviation, "2.3.3.11.1")

    @property
    def element_oid(self) -> str:
        """The OID that data elements stand under."""
        return OID + _ELEMENT_OIDS.get(self.deviation, "2.2.1")

    def unit(self, ucum: str, chinese: str) -> str:
        """A unit as this document writes it."""
        return chinese if self.deviation == "chinese_units" else ucum

    def element(self, code: str, name: str, value: str, *, inner: str = "", time: str = "") -> str:
        """An observation of a data element; ``value`` is a whole value element."""
        return (
            f'<observation classCode="OBS" moodCode="EVN"><code code="{code}" codeSystem="{self.element_oid}" '
            f'codeSystemName="卫生信息数据元目录" displayName={quoteattr(name)}/>{time}{value}{inner}</observation>'
        )


def string(words: str) -> str:
    """An ST value."""
    return f'<value xsi:type="ST">{escape(words)}</value>'


def coded(code: str, oid: str, name: str = "") -> str:
    """A CD value."""
    shown = f" displayName={quoteattr(name)}" if name else ""
    return f'<value xsi:type="CD" code={quoteattr(code)} codeSystem="{oid}"{shown}/>'


def amount(value: str, unit: str) -> str:
    """A PQ value."""
    return f'<value xsi:type="PQ" value="{value}" unit={quoteattr(unit)}/>'


def entry(act: str) -> str:
    """An act as an entry."""
    return f'<entry typeCode="COMP">{act}</entry>'


def organizer(acts: list[str]) -> str:
    """Acts in one cluster, as an entry."""
    parts = "".join(f"<component>{act}</component>" for act in acts)
    return entry(f'<organizer classCode="CLUSTER" moodCode="EVN"><statusCode/>{parts}</organizer>')


def nested(act: str) -> str:
    """An act below another."""
    return f'<entryRelationship typeCode="COMP">{act}</entryRelationship>'


def section(code: str, name: str, entries: str) -> str:
    """A section; an empty code leaves only its displayName, as the standard's own samples do."""
    known = f'code="{code}" codeSystem="2.16.840.1.113883.6.1" codeSystemName="LOINC" ' if code else ""
    return f"<section><code {known}displayName={quoteattr(name)}/><text/>{entries}</section>"
