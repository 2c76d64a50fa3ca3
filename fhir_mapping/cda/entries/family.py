"""Family history organizers to FamilyMemberHistory, one a relative."""

from __future__ import annotations

from typing import Any

from fhir_mapping.cda.coded import concept, identifiers
from fhir_mapping.cda.context import Context
from fhir_mapping.cda.element import Element, Node, all_text, children
from fhir_mapping.cda.entries.common import CCDA, Section, base, is_negated, nested, notes, put, status
from fhir_mapping.cda.entries.problems import age_of
from fhir_mapping.cda.times import point
from fhir_mapping.document import Resource

_AGE, _DEATH = CCDA + "31", CCDA + "47"
_GENDER = "http://hl7.org/fhir/administrative-gender"
_SEX = {"M": "male", "F": "female", "UN": "other"}
_STATUS = {"completed": "completed", "active": "partial", "nullified": "entered-in-error", "aborted": "partial"}


def family_history(node: Node, ctx: Context, section: Section) -> list[str]:
    """A FamilyMemberHistory; left out with a problem where the relationship, which FHIR requires, is not told."""
    subject = node.node("subject")
    related = subject.node("relatedSubject") if subject is not None else None
    if related is None or not ctx.patient:
        ctx.problem("no_relative" if ctx.patient else "no_patient", node.element)
        return []
    found = base("FamilyMemberHistory", node)
    found["status"] = _STATUS.get(status(node), "completed")
    found["patient"] = {"reference": ctx.patient}
    relationship = concept(related.one("code"), ctx)
    found["relationship"] = relationship or {"text": "relative"}
    person = related.node("subject")
    dead = False
    if person is not None:
        dead = _person(person, found, ctx)
    conditions: list[dict[str, Any]] = []
    for _, act in nested(node):
        if act.name == "observation":
            dead = _condition(act, conditions, found, dead, ctx)
    put(found, condition=conditions)
    return [ctx.add(found)]


def _person(person: Node, found: Resource, ctx: Context) -> bool:
    """Name, sex, birth; whether a deceased[x] was set."""
    put(found, name=next((text for one in person.all("name") if (text := all_text(one))), ""))
    ids = identifiers([*person.all("id"), *person.all("sdtc:id")])
    put(
        found,
        identifier=[*found.get("identifier", []), *(one for one in ids if one not in found.get("identifier", []))],
    )
    gender = person.one("administrativeGenderCode")
    sex = _SEX.get((gender.get("code") or "").upper() if gender is not None else "")
    if sex:
        found["sex"] = {"coding": [{"system": _GENDER, "code": sex}]}
    birth = ctx.clock.date(point(person.one("birthTime")))
    put(found, bornDate=birth)
    moment, flag = person.one("sdtc:deceasedTime"), person.one("sdtc:deceasedInd")
    when = ctx.clock.date(moment.get("value")) if moment is not None else None
    if when:
        found["deceasedDate"] = when
        return True
    if flag is not None and flag.get("value") in ("true", "false"):
        found["deceasedBoolean"] = flag.get("value") == "true"
        return True
    return False


def _condition(act: Node, conditions: list[dict[str, Any]], found: Resource, dead: bool, ctx: Context) -> bool:
    code = concept(act.one("value"), ctx)
    if not code or is_negated(act):
        return dead
    one: dict[str, Any] = {"code": code}
    for _, part in nested(act):
        if part.has(_AGE) or part.code() == "445518008":
            put(one, onsetAge=age_of(part.one("value")))
        elif part.has(_DEATH):
            dead_code = concept(part.one("value"), ctx)
            put(one, outcome=dead_code, contributedToDeath=True)
            if not dead:
                found["deceasedBoolean"] = True
                dead = True
    if "onsetAge" not in one:
        started = _start(act.one("effectiveTime"), ctx)
        put(one, onsetString=started)
    put(one, note=notes(act, ctx))
    conditions.append(one)
    return dead


def _start(time: Element | None, ctx: Context) -> str:
    """The time of onset as words: FHIR has no date for a relative's condition."""
    if time is None:
        return ""
    low = next(children(time, "low"), None)
    return ctx.clock.date_time((low.get("value") if low is not None else None) or time.get("value")) or ""
