"""Deliveries that look wrong: what a wrong query, a copied file or a broken export leaves behind in the tables.

Thresholds stand here with their reasons; each finding is a question to the hospital, not a verdict.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import date
from statistics import median

import pyarrow as pa
import pyarrow.compute as pc

from contracts.operations import STEP, Suspicion, SuspicionCode, percent
from contracts.region import Site
from contracts.zone import SiteZone
from lake.reader import column_names, partition_values, read_arrow

ENOUGH = 20
"""Values from which on it is no chance that all are equal; also the least median that a volume is compared with."""
ENOUGH_PATIENTS = 50
"""Patients of a day among whom both sexes are expected, where the site has both."""
EARLIER_DAYS = 3
LOW, HIGH = 0.5, 2.0
"""Shares of the median of the earlier days of the same kind (working days, weekends) outside which a volume is told."""
COMMON = 0.8
"""A column whose commonest value fills more than this share of a day may well be constant on another."""
FUTURE_SHARE = 0.01
DATES = {
    "Encounter": ("period", "start"),
    "Observation": ("effectiveDateTime",),
    "Condition": ("recordedDate",),
    "MedicationRequest": ("authoredOn",),
    "DiagnosticReport": ("issued",),
    "Procedure": ("performedDateTime",),
    "Patient": ("birthDate",),
}
"""The date by which a resource happened."""


def suspicions(zone: SiteZone, site: Site, varying: Mapping[str, frozenset[str]]) -> list[Suspicion]:
    """All findings, by day.

    Args:
        varying: columns of each source that cannot be the same in all records: keys of one column, measured values.

    Raises:
        UsageError: nothing was ingested yet.
    """
    found = [*_repeated(zone), *_volumes(zone), *_patients(zone), *_future(zone)]
    for source in site.sources:
        found += _constant_columns(zone, source.name, varying.get(source.name, frozenset()))
    return sorted(found, key=lambda one: (one.day, one.source or "", one.code, one.column or ""))


def _repeated(zone: SiteZone) -> Iterator[Suspicion]:
    """A file that came before, on another day or under another name."""
    rows = read_arrow(zone.table("manifest__file"), ["delivery_date", "source", "is_duplicate"]).to_pylist()
    for day, source in sorted({(row["delivery_date"], row["source"]) for row in rows if row["is_duplicate"]}):
        yield Suspicion(site=zone.site, source=source, day=day, code=SuspicionCode.SAME_FILE_AGAIN)


def _volumes(zone: SiteZone) -> Iterator[Suspicion]:
    records: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    columns = ["delivery_date", "source", "records", "is_duplicate"]
    for row in read_arrow(zone.table("manifest__file"), columns).to_pylist():
        if row["source"] and not row["is_duplicate"]:
            records[row["source"]][row["delivery_date"]] += row["records"]
    for source, days in sorted(records.items()):
        for day, count in sorted(days.items()):
            earlier = [n for other, n in days.items() if other < day and _is_weekend(other) == _is_weekend(day)]
            usual = median(earlier) if len(earlier) >= EARLIER_DAYS else 0
            if usual >= ENOUGH and not LOW <= count / usual <= HIGH:
                code = SuspicionCode.VOLUME_LOW if count < usual else SuspicionCode.VOLUME_HIGH
                share = round(100 * count / usual) if count >= STEP or not count else None
                yield Suspicion(site=zone.site, source=source, day=day, code=code, percent=share)


def _constant_columns(zone: SiteZone, source: str, varying: frozenset[str]) -> Iterator[Suspicion]:
    """A column with one value in a whole day that varies on other days, or must."""
    path = zone.table(f"bronze_{source}")
    if not (path / "_delta_log").is_dir():
        return
    names = [name for name in column_names(path) if not name.startswith("_")]
    constant: dict[str, list[str]] = defaultdict(list)
    varies = set(varying)
    for day in partition_values(path, "_delivery_date"):
        rows = read_arrow(path, names, {"_delivery_date": [day]})
        for name in names:
            filled = rows[name].drop_null()
            counts = pc.value_counts(filled)
            if len(counts) == 1 and len(filled) >= ENOUGH:
                constant[name].append(day)
            elif len(counts) > 1 and pc.max(pc.struct_field(counts, "counts")).as_py() <= COMMON * len(filled):
                varies.add(name)
    for name in sorted(varies & constant.keys()):
        for day in constant[name]:
            yield Suspicion(site=zone.site, source=source, day=day, code=SuspicionCode.CONSTANT_COLUMN, column=name)


def _patients(zone: SiteZone) -> Iterator[Suspicion]:
    """All patients of a day of one birth date; all of one sex where the site has both."""
    path = zone.table("silver_fhir__patient")
    if not (path / "_delta_log").is_dir():
        return
    rows = read_arrow(path, ["_delivery_date", "_source", "birthDate", "gender"])
    known = pc.is_in(rows["gender"], value_set=pa.array(["male", "female"]))
    both = pc.count_distinct(rows["gender"].filter(known)).as_py() == 2
    groups = rows.group_by(["_delivery_date", "_source"])
    sums = groups.aggregate(
        [("birthDate", "count"), ("birthDate", "count_distinct"), ("gender", "count"), ("gender", "count_distinct")]
    )
    for row in sums.to_pylist():
        place = {"site": zone.site, "source": row["_source"], "day": row["_delivery_date"]}
        if row["birthDate_count"] >= ENOUGH and row["birthDate_count_distinct"] == 1:
            yield Suspicion(**place, code=SuspicionCode.EQUAL_BIRTH_DATES)
        if both and row["gender_count"] >= ENOUGH_PATIENTS and row["gender_count_distinct"] == 1:
            yield Suspicion(**place, code=SuspicionCode.ONE_SEX)


def _future(zone: SiteZone) -> Iterator[Suspicion]:
    """Resources dated after the day they were delivered."""
    counts: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
    for resource, steps in DATES.items():
        path = zone.table(f"silver_fhir__{resource.lower()}")
        if not (path / "_delta_log").is_dir() or steps[0] not in column_names(path):
            continue
        rows = read_arrow(path, ["_delivery_date", "_source", steps[0]])
        dates = rows[steps[0]] if len(steps) == 1 else pc.struct_field(rows[steps[0]], list(steps[1:]))
        late = pc.fill_null(pc.greater(pc.utf8_slice_codeunits(dates, 0, 10), rows["_delivery_date"]), False)
        flags = pa.table({"day": rows["_delivery_date"], "source": rows["_source"], "late": late.cast(pa.int64())})
        for row in flags.group_by(["day", "source"]).aggregate([("late", "sum"), ([], "count_all")]).to_pylist():
            count = counts[row["day"], row["source"]]
            count[0], count[1] = count[0] + row["late_sum"], count[1] + row["count_all"]
    for (day, source), (late_ones, every) in sorted(counts.items()):
        if late_ones >= max(1, FUTURE_SHARE * every):
            share = percent(late_ones, every)
            yield Suspicion(site=zone.site, source=source, day=day, code=SuspicionCode.FUTURE_DATES, percent=share)


def _is_weekend(day: str) -> bool:
    return date.fromisoformat(day).weekday() >= 5
