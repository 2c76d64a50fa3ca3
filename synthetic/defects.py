"""Plants a habit's defects among a hospital's rows. Each planted record is new, so it takes nothing else with it."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from datetime import date
from random import Random

from synthetic.city import delivery_days
from synthetic.sheets import Defect, Entry, Habit, Row

Dated = list[tuple[date, Row]]


def plant(
    habit: Habit, rows: dict[str, Dated], strangers: dict[str, Dated], rng: Random
) -> tuple[dict[str, list[Entry]], dict[str, int]]:
    """Every source's entries in order of writing, and how often each defect was planted (``source/defect``)."""
    entries = {source: [Entry(day, row) for day, row in dated] for source, dated in rows.items()}
    planted: dict[str, int] = {}
    for defect in habit.defects:
        normal = rows[defect.source]
        count = min(max(2, round(defect.rate * len(normal))), len(normal))
        if defect.kind == "edit":
            templates = strangers.get(defect.source) or normal
            made = _edited(habit, defect, templates, count, rng)
            for entry in made:
                entries[defect.source].insert(rng.randrange(len(entries[defect.source]) + 1), entry)
        else:
            count = _repeated(entries[defect.source], defect, count, rng)
        planted[f"{defect.source}/{defect.name}"] = count
    return entries, planted


def _edited(habit: Habit, defect: Defect, templates: Dated, count: int, rng: Random) -> list[Entry]:
    key = habit.layout(defect.source).key
    made = []
    for n in range(count):
        day, row = rng.choice(templates)
        copy = deepcopy(row)
        copy[key] = f"{copy[key]}-{defect.name.replace('_', '')[:12]}{n}"
        if defect.edit:
            defect.edit(copy)
        made.append(Entry(day, copy, defect.outcome, defect.rule, defect.pending, defect.damage, planted=True))
    return made


def _repeated(entries: list[Entry], defect: Defect, count: int, rng: Random) -> int:
    """Repeat untouched records: the earlier of two is superseded. Returns how many."""
    days = delivery_days()
    untouched = [n for n, entry in enumerate(entries) if not entry.planted and entry.day < days[-1]]
    chosen = sorted(rng.sample(untouched, min(count, len(untouched))), reverse=True)
    for n in chosen:
        first = entries[n]
        copy = deepcopy(first.row)
        if defect.edit:
            defect.edit(copy)
        day = first.day
        if defect.kind == "update":
            day = days[days.index(first.day) + 1]
        entries[n] = replace(first, outcome="superseded", planted=True)
        entries.insert(n + 1, Entry(day, copy, planted=True))
    return len(chosen)
