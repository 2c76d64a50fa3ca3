"""What happened in the city's hospitals: people fall ill, come, are measured and treated. No file format here.

Every hospital draws from a random stream of its own (``seed|site``), so one hospital's data does not change when
another is added. Visits of a day are delivered the next day.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from random import Random

from synthetic.illnesses import BLOOD_COUNT, ILLNESSES, LAB_ITEMS, Illness
from synthetic.people import Person, make_person
from synthetic.phrases import complaint

FIRST_DAY = date(2026, 3, 2)
DAYS = 4
CHILD_AGE = 14
CHILD_WARD = "07"
WRONG_DEPARTMENT = 0.04
WRONG_DIAGNOSIS = 0.03
_MISSING_VITAL = 0.08

_NORMAL_VITALS: dict[str, tuple[float, float, int]] = {
    # vital: (mean, standard deviation, decimals); °C, /min, /min, mmHg, mmHg, %
    "temperature": (36.6, 0.28, 1),
    "pulse": (78, 9, 0),
    "respiration": (18, 1.6, 0),
    "systolic": (122, 12, 0),
    "diastolic": (76, 8, 0),
    "spo2": (97.8, 0.8, 0),
}


@dataclass(frozen=True)
class Lab:
    """One laboratory result: item of ``LAB_ITEMS`` and its value as printed."""

    item: str
    value: str


@dataclass(frozen=True)
class Visit:
    """One outpatient visit, with the department and diagnosis as recorded (a few of them wrong)."""

    number: int
    person: Person
    at: datetime
    department: str
    complaint: str
    illness: Illness
    vitals: dict[str, str]
    labs: tuple[Lab, ...]
    drugs: tuple[str, ...]

    @property
    def delivered(self) -> date:
        return self.at.date() + timedelta(days=1)


@dataclass(frozen=True)
class Hospital:
    """What one hospital has to export: its people in order of number, its visits in order of time."""

    site: str
    people: tuple[Person, ...]
    visits: tuple[Visit, ...]
    strangers: tuple[Person, ...]

    def first_visits(self) -> list[Visit]:
        """Each person's first visit, in order of time."""
        first: dict[int, Visit] = {}
        for visit in self.visits:
            first.setdefault(visit.person.number, visit)
        return list(first.values())


def delivery_days() -> list[date]:
    return [FIRST_DAY + timedelta(days=k) for k in range(DAYS)]


def open_hospital(site: str, patients: int, seed: int) -> Hospital:
    """Let ``patients`` people come to a hospital once, twice or three times.

    ``strangers`` are people registered without a visit; defects are planted on their records, so that a refused
    record never takes a visit's patient away.
    """
    rng = Random(f"{seed}|{site}")
    weights = [illness.weight * rng.uniform(0.6, 1.5) for illness in ILLNESSES]
    people: list[Person] = []
    slots: list[tuple[datetime, Person, Illness]] = []
    for number in range(patients):
        illness = rng.choices(ILLNESSES, weights)[0]
        person = make_person(number, rng.random() < illness.female, _age(illness, rng), FIRST_DAY, rng)
        people.append(person)
        for k in range(rng.choices((1, 2, 3), (72, 23, 5))[0]):
            again = illness if k == 0 or rng.random() < 0.5 else _fitting(person, weights, rng)
            slots.append((_moment(rng), person, again))
    slots.sort(key=lambda slot: (slot[0], slot[1].number))
    visits = tuple(_visit(n, at, person, illness, rng) for n, (at, person, illness) in enumerate(slots))
    strangers = tuple(make_person(patients + n, n % 2 == 0, 20 + n % 60, FIRST_DAY, rng) for n in range(60))
    return Hospital(site, tuple(people), visits, strangers)


def _age(illness: Illness, rng: Random) -> int:
    youngest, typical, oldest = illness.ages
    return int(rng.triangular(youngest, oldest + 1, typical))


def _fitting(person: Person, weights: list[float], rng: Random) -> Illness:
    """Another illness that this person can have."""
    age = person.age(FIRST_DAY)
    while True:
        illness = rng.choices(ILLNESSES, weights)[0]
        if illness.ages[0] <= age <= illness.ages[2] and (person.female or illness.female < 1):
            return illness


def _moment(rng: Random) -> datetime:
    day = FIRST_DAY + timedelta(days=rng.randrange(DAYS) - 1)
    return datetime.combine(day, time(8)) + timedelta(seconds=rng.randrange(9 * 3600))


def _visit(number: int, at: datetime, person: Person, illness: Illness, rng: Random) -> Visit:
    child = person.age(at.date()) < CHILD_AGE
    said = [symptom for symptom, chance in illness.symptoms if rng.random() < chance]
    text = complaint(said[:3] or [illness.symptoms[0][0]], child, rng)
    department = CHILD_WARD if child and illness.child_ward else illness.department
    if rng.random() < WRONG_DEPARTMENT:
        department = rng.choice([other.department for other in ILLNESSES if other.department != department])
    written = illness
    if rng.random() < WRONG_DIAGNOSIS:
        written = rng.choice([other for other in ILLNESSES if other is not illness])
    count = min(len(illness.drugs), rng.choice((1, 1, 2)))
    return Visit(
        number=number,
        person=person,
        at=at,
        department=department,
        complaint=text,
        illness=written,
        vitals=_vitals(illness, child, rng),
        labs=_labs(illness, rng),
        drugs=tuple(rng.sample(illness.drugs, count)),
    )


def _vitals(illness: Illness, child: bool, rng: Random) -> dict[str, str]:
    values: dict[str, str] = {}
    for vital, (mean, sd, digits) in _NORMAL_VITALS.items():
        shift = illness.vitals.get(vital, 0.0)
        spread = sd + abs(shift) * 0.35
        value = rng.gauss(mean + shift + (18 if child and vital == "pulse" else 0), spread)
        if vital == "spo2":
            value = min(value, 100)
        if rng.random() >= _MISSING_VITAL:
            values[vital] = f"{value:.{digits}f}"
    return values


def _labs(illness: Illness, rng: Random) -> tuple[Lab, ...]:
    """The ordered panel: a blood count with CRP, and what the illness asks for; values never below zero."""
    if rng.random() >= illness.tested:
        return ()
    listed = {item: (mean, sd) for item, mean, sd in illness.labs}
    ordered = [
        item for item in LAB_ITEMS if item in listed or item in BLOOD_COUNT or (item == "crp" and rng.random() < 0.6)
    ]
    results = []
    for item in ordered:
        norm = LAB_ITEMS[item]
        mean, sd = listed.get(item, (norm.mean, norm.sd))
        value = max(rng.gauss(mean, sd), mean * 0.08)
        results.append(Lab(item, f"{value:.{norm.digits}f}"))
    return tuple(results)
