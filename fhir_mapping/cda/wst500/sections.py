"""One section of a Chinese document: which of its facts go where."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

from fhir_mapping.cda.coded import identifiers
from fhir_mapping.cda.context import Context
from fhir_mapping.cda.data_tables import rows
from fhir_mapping.cda.element import Node, child, squeeze
from fhir_mapping.cda.entries.common import Section, put
from fhir_mapping.cda.wst500 import diagnoses, generic, laboratory, treatment
from fhir_mapping.cda.wst500.encounter import header_ids
from fhir_mapping.cda.wst500.facts import Fact, flatten, read_section

_STAY = frozenset({"stay_length", "stay_disposition", "stay_admit_source", "stay_destination"})
_OF_DRUGS = frozenset({"supply_days", "supply_total", "remark"})
_DRUG_GROUP = "DE08.50.056.00"
_OF_ORDERS = frozenset({"order_content"})
_EXAMINATION = frozenset({"C0006"})
_PRESCRIPTIONS = frozenset({"C0004", "C0005", "C0052"})


class Sections:
    """Maps the sections of one document; what belongs to its one report is gathered over them.

    Attributes:
        written_by: references to the people who wrote the document: of a prescription who prescribed, of a report who
            reported.
    """

    def __init__(self, root: Node, ctx: Context) -> None:
        self.root = root
        self.ctx = ctx
        self.number = root.code()
        self.written_by: list[dict[str, str]] = []
        self.report = laboratory.Report("imaging" if self.number in _EXAMINATION else "laboratory")

    def entries(self, section: Node, here: Section) -> list[str]:
        """The references that the section's entries gave."""
        read = read_section(section)
        loinc = self._loinc(section, here.code)
        found = self._acts(read.acts, read.facts, loinc, here)
        found += self._facts(read.facts, section, loinc)
        return found

    def _loinc(self, section: Node, code: str) -> str:
        """The section's code; a section without one is known by its displayName."""
        if code and any(row["loinc"] == code for row in rows("cn_sections")):
            return code
        element = section.one("code")
        words = squeeze(element.get("displayName")) if element is not None else ""
        return next((row["loinc"] for row in rows("cn_sections") if row["words"] in words), code) if words else code

    def _acts(self, acts: list[tuple[Node, int]], facts: list[Fact], loinc: str, here: Section) -> list[str]:
        use = next((row["medication"] for row in rows("cn_sections") if row["loinc"] == loinc), "")
        use = "order" if self.number in _PRESCRIPTIONS else use
        drugs = [(node, group) for node, group in acts if node.name == "substanceAdministration"]
        groups = {group for _, group in drugs}
        number = identifiers(header_ids(self.root, "prescription"))
        shared = [f for f in facts if groups and (f.part in _OF_DRUGS or f.element == _DRUG_GROUP)]
        found: list[str] = []
        for node, group in acts:
            if node.name == "substanceAdministration":
                own = _of_drug(drugs, drugs.index((node, group)), shared)
                made = treatment.medication(node, self.ctx, use, own, number)
                if self.number in _PRESCRIPTIONS:
                    self._prescribed(made)
                found += made
            elif node.name == "procedure":
                found += treatment.procedure(node, self.ctx)
            elif not treatment.transfer(node, self.ctx):
                found += self._of_the_visit(self.ctx.walk(node, here))
        for fact in shared:
            facts.remove(fact)
        return found

    def _of_the_visit(self, references: list[str]) -> list[str]:
        """Findings that are no data elements belong to the document's visit as those do."""
        for reference in references:
            if self.ctx.encounter and reference.startswith("Observation/"):
                self.ctx.resource(reference).setdefault("encounter", {"reference": self.ctx.encounter})
        return references

    def _prescribed(self, references: list[str]) -> None:
        """Who prescribed, and when: the author of the prescription."""
        author = child(self.root.one("author"), "time")
        when = self.ctx.clock.date_time(author.get("value")) if author is not None else None
        for reference in references:
            by = self.written_by[0] if self.written_by else None
            put(self.ctx.resource(reference), authoredOn=when, requester=by)

    def _facts(self, facts: list[Fact], section: Node, loinc: str) -> list[str]:
        ctx = self.ctx
        every = flatten(facts)
        found = diagnoses.conditions(facts, ctx, section.element, loinc)
        if any(fact.part in laboratory.PARTS for fact in every):
            found += laboratory.observations(facts, ctx, section.element, self.report)
        found += treatment.flat_procedures([f for f in every if f.part in treatment.PROCEDURE_PARTS], ctx)
        found += treatment.orders([f for f in every if f.part in treatment.ORDER_PARTS], ctx)
        ordered = {fact.group for fact in every if fact.part in _OF_ORDERS}
        for fact in every:
            if fact.part == "order_kind" and fact.group not in ordered:
                found += generic.observation(replace(fact, below=[]), ctx)
        allergies = [f for f in every if f.part in treatment.ALLERGY_PARTS]
        found += treatment.allergies(allergies, ctx) if allergies else []
        self.report.facts += [f for f in every if f.part in laboratory.REPORT_PARTS]
        for fact in facts:
            found += self._rest(fact)
        return list(dict.fromkeys(found))

    def _rest(self, fact: Fact) -> list[str]:
        """A fact that none of the above took, or what is nested in one that was taken."""
        taken = (
            diagnoses.PARTS
            | laboratory.PARTS
            | laboratory.REPORT_PARTS
            | treatment.PROCEDURE_PARTS
            | treatment.ORDER_PARTS
            | treatment.ALLERGY_PARTS
        )
        if fact.part in _OF_ORDERS and fact.below:
            fact.below = [below for below in fact.below if below.part != "remark"]
        if fact.part in taken or (fact.part in _STAY and treatment.stay(fact, self.ctx)):
            return [one for below in fact.below for one in self._rest(below)]
        return generic.observation(fact, self.ctx)

    def finish(self) -> None:
        """The document's report, once all sections were read."""
        taken = identifiers(header_ids(self.root, "specimen"))
        if taken and not self.report.specimens:
            one = {"resourceType": "Specimen", "identifier": taken, "subject": {"reference": self.ctx.patient}}
            self.report.specimens.append(self.ctx.add(one))
        elif len(self.report.specimens) == 1 and taken:
            self.ctx.resource(self.report.specimens[0])["identifier"] = taken
        numbers = identifiers([*header_ids(self.root, "report"), *header_ids(self.root, "order")])
        made = laboratory.add_report(self.report, self.root, self.ctx, numbers)
        if made:
            put(self.ctx.resource(made), resultsInterpreter=self.written_by)

    def orders(self) -> list[dict[str, Any]]:
        """The numbers of the orders that the document answers or gives, where it is no report over them."""
        reported = self.report.results or self.report.facts
        return [] if reported else identifiers(header_ids(self.root, "order"))


def _of_drug(drugs: list[tuple[Node, int]], place: int, shared: list[Fact]) -> list[Fact]:
    """What holds for one drug: what stands in its organizer, and what stands in none or in one without a drug.

    Of as many loose facts of one element as there are drugs, each has its own by turn.
    """
    groups = {group for _, group in drugs if group}
    loose = [fact for fact in shared if fact.group not in groups]
    counts = Counter(fact.element for fact in loose)
    turns: Counter[str] = Counter()
    found = [fact for fact in shared if fact.group in groups and fact.group == drugs[place][1]]
    for fact in loose:
        if counts[fact.element] != len(drugs) or turns[fact.element] == place:
            found.append(fact)
        turns[fact.element] += 1
    return found
