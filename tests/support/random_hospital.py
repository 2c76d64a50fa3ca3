"""FHIR resources of a made-up hospital, dense in what features look at and in what may go wrong with it."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

DATES = (
    *("1990", "1990-05", "1990-05-02", "2004-02-29", "2023-02-28T23:59:59+08:00", "2024-05-01T08:00:00Z"),
    *("2024-05-02T08:00:00.000+08:00", "2030-12-31", "2024-05"),
)
CODES = ("8310-5", "8310-5", "1988-5", "J18", "J18.9", "J189", "03.01", "07", " 07", "99", "I10", "")
SYSTEMS = ("http://loinc.org", "http://loinc.org", "urn:local", "urn:cloister:cs:departments-cn")
TEXTS = ("无", " 无 ", "", " ", "发热\t3天", "咳嗽  伴\n痰", "a\u3000b", "x\u00a0", "'引号'", "a|b", "\u200b无")
LETTERS = "咳嗽 \t\r\n\u2003\u3000|'\"\\x𠮷é"
REFERENCES = (
    "{0}/{1}",
    "{0}/{1}",
    "{0}/{1}",
    "https://h/fhir/{0}/{1}",
    "{0}/{1}/_history/2",
    "urn:uuid:{1}",
    "Group/{1}",
)

KNOWN = (
    *(("http://loinc.org", "8310-5"), ("http://loinc.org", "8310-5"), ("http://loinc.org", "1988-5")),
    *(("urn:cloister:cs:departments-cn", "07"), ("urn:cloister:cs:departments-cn", "03.01"), ("urn:icd", "J18.9")),
)

Chance = random.Random
Body = dict[str, Any]


def hospital(seed: int, visits: int = 40) -> list[Body]:
    """Patients, encounters, observations and conditions; each element is there more often than not."""
    chance = random.Random(seed)
    people = [f"p{i}" for i in range(max(1, visits // 2))]
    stays = [f"v.{i}-A" for i in range(visits)]
    resources = [_patient(chance, key) for key in people if chance.random() < 0.9]
    resources += [_encounter(chance, key, people) for key in stays]
    resources += [_observation(chance, f"o{i}", stays) for i in range(visits * 4)]
    resources += [_condition(chance, f"c{i}", stays) for i in range(visits * 4)]
    chance.shuffle(resources)
    return resources


def _some(chance: Chance, **makers: Callable[[], Any]) -> Body:
    """An object with most of the elements; FHIR has no null and no empty element."""
    made = {name: maker() for name, maker in makers.items() if chance.random() < 0.8}
    return {name: value for name, value in made.items() if value not in (None, {}, [])}


def _list(chance: Chance, maker: Callable[[], Body]) -> list[Body]:
    return [entry for entry in (maker() for _ in range(chance.randint(1, 3))) if entry]


def _text(chance: Chance) -> str:
    if chance.random() < 0.5:
        return chance.choice(TEXTS)
    return "".join(chance.choice(LETTERS) for _ in range(chance.randint(0, 8)))


def _reference(chance: Chance, kind: str, keys: list[str]) -> Body:
    return {"reference": chance.choice(REFERENCES).format(kind, chance.choice(keys))}


def _coding(chance: Chance) -> Body:
    if chance.random() < 0.6:
        system, code = chance.choice(KNOWN)
        return {"system": system, "code": code, "display": _text(chance)}
    return _some(
        chance,
        system=lambda: chance.choice(SYSTEMS),
        code=lambda: chance.choice(CODES),
        display=lambda: _text(chance),
    )


def _concept(chance: Chance) -> Body:
    return _some(chance, coding=lambda: _list(chance, lambda: _coding(chance)), text=lambda: _text(chance))


def _quantity(chance: Chance) -> Body:
    numbers = (chance.randint(20, 60), round(chance.uniform(-50, 600), 3), chance.choice([0.1, 36.6, 0.000001, 45, 30]))
    return _some(chance, value=lambda: chance.choice(numbers), unit=lambda: "mg/L")


def _patient(chance: Chance, key: str) -> Body:
    body = _some(
        chance,
        gender=lambda: chance.choice(["male", "female", "unknown"]),
        birthDate=lambda: chance.choice(DATES)[:10],
        deceasedBoolean=lambda: chance.random() < 0.5,
    )
    return {"resourceType": "Patient", "id": key, **body}


def _encounter(chance: Chance, key: str, people: list[str]) -> Body:
    body = _some(
        chance,
        status=lambda: chance.choice(["finished", "cancelled"]),
        subject=lambda: _reference(chance, "Patient", people),
        period=lambda: _some(chance, start=lambda: chance.choice(DATES), end=lambda: chance.choice(DATES)),
        reasonCode=lambda: _list(chance, lambda: _concept(chance)),
        serviceType=lambda: _concept(chance),
    )
    return {"resourceType": "Encounter", "id": key, **body}


def _observation(chance: Chance, key: str, stays: list[str]) -> Body:
    body = _some(
        chance,
        encounter=lambda: _reference(chance, "Encounter", stays),
        code=lambda: _concept(chance),
        effectiveDateTime=lambda: chance.choice(DATES),
        valueQuantity=lambda: _quantity(chance),
        component=lambda: _list(
            chance, lambda: _some(chance, code=lambda: _concept(chance), valueQuantity=lambda: _quantity(chance))
        ),
    )
    return {"resourceType": "Observation", "id": key, **body}


def _condition(chance: Chance, key: str, stays: list[str]) -> Body:
    body = _some(
        chance,
        encounter=lambda: _reference(chance, "Encounter", stays),
        code=lambda: _concept(chance),
        verificationStatus=lambda: {"coding": [{"code": chance.choice(["confirmed", "refuted"])}]},
    )
    return {"resourceType": "Condition", "id": key, **body}
