"""Writes the city: every hospital's files into its landing folder, day by day, and the truth about them."""

from __future__ import annotations

from pathlib import Path
from random import Random

from contracts.errors import UsageError
from contracts.region import Region, Site
from contracts.zone import WorkArea
from synthetic import east, north, south, west
from synthetic.city import FIRST_DAY, delivery_days, open_hospital
from synthetic.defects import plant
from synthetic.sheets import Entry, Habit, Layout
from synthetic.truth import FileTruth, SiteTruth, Truth, write_truth

HABITS: tuple[Habit, ...] = (north.HABIT, south.HABIT, east.HABIT, west.HABIT)
RESENT = {"north": "lis__result", "south": "lab__result", "east": "fhir__condition", "west": "lis__item"}
FEWEST_PATIENTS = 5


def generate_city(
    region: Region, out: WorkArea | Path, *, seed: int | None = None, patients: int | None = None
) -> Truth:
    """Write the raw exports of every site of ``region`` and ``truth.json`` beside (never inside) the sites' zones.

    The same region, seed and number of patients give the same bytes. Files of an earlier generation are replaced.

    Args:
        region: a region whose sites have sources of the four habits (``regions/demo`` or a widened copy of it).
        out: the work area, or its root folder.
        seed: default ``[synthetic] seed`` of the region.
        patients: of the whole city, shared evenly by the sites; default ``[synthetic] patients``.

    Raises:
        UsageError: the region is not synthetic, or has too few patients for its sites.
    """
    settings = region.synthetic or {}
    if not settings:
        raise UsageError(
            f"region '{region.name}' has no [synthetic] section: its exports cannot be generated. "
            "Put files into the sites' landing folders, or give --data for a region of public data."
        )
    seed = settings.get("seed", 1) if seed is None else seed
    patients = settings.get("patients", 1200) if patients is None else patients
    if patients < FEWEST_PATIENTS * len(region.sites):
        raise UsageError(f"{patients} patients for {len(region.sites)} sites: give at least {FEWEST_PATIENTS} a site")
    area = out if isinstance(out, WorkArea) else WorkArea(out)
    share, rest = divmod(patients, len(region.sites))
    sites = {
        site.name: _write_site(site, area.site(site.name).landing, share + (n < rest), seed)
        for n, site in enumerate(region.sites)
    }
    truth = Truth(seed=seed, patients=patients, sites=sites)
    write_truth(truth, area.root / "truth.json")
    return truth


def habit_of(site: Site) -> Habit:
    """The habit a site's sources follow; raises UsageError when it is none of the four."""
    names = {source.name for source in site.sources}
    for habit in HABITS:
        if habit.marker in names:
            return habit
    raise UsageError(
        f"site '{site.name}' has sources {sorted(names)}: none of the habits {[h.name for h in HABITS]}. "
        "Copy the folder of a site of regions/demo."
    )


def _write_site(site: Site, landing: Path, patients: int, seed: int) -> SiteTruth:
    habit = habit_of(site)
    hospital = open_hospital(site.name, patients, seed)
    rng = Random(f"{seed}|{site.name}|defects")
    entries, planted = plant(habit, habit.rows(hospital), habit.strangers(hospital), rng)
    files = [
        _write_file(layout, day_entries, landing / day.isoformat(), f"{day:%Y%m%d}")
        for layout in habit.layouts
        for day in delivery_days()
        if (day_entries := [entry for entry in entries[layout.source] if entry.day == day])
    ]
    files.append(_send_again(next(file for file in files if file.source == RESENT[habit.name]), landing))
    planted[f"{RESENT[habit.name]}/file_delivered_twice"] = 1
    _remove_others(landing, {(file.day, file.name) for file in files})
    resources = {
        resource
        for layout in habit.layouts
        for entry in entries[layout.source]
        if entry.outcome in ("mapped", "superseded")
        for resource in layout.resources(entry.row)
    }
    return SiteTruth.count(files, planted, [kind for kind, _ in resources])


def _write_file(layout: Layout, entries: list[Entry], folder: Path, day: str) -> FileTruth:
    path = folder / layout.file_name.format(day=day)
    records = [layout.record(entry.row) for entry in entries]
    damaged = [entry.damage(record) if entry.damage else record for entry, record in zip(entries, records, strict=True)]
    _write(path, layout.header() + b"".join(damaged))
    return FileTruth.count(layout, folder.name, path.name, entries)


def _send_again(file: FileTruth, landing: Path) -> FileTruth:
    """Deliver a file once more the next day, under another name: all its records count as superseded."""
    original = landing / file.day / file.name
    day = delivery_days()[1] if file.day == FIRST_DAY.isoformat() else delivery_days()[-1]
    again = landing / day.isoformat() / original.name.replace(".", "_again.")
    _write(again, original.read_bytes())
    return FileTruth(
        source=file.source, day=again.parent.name, name=again.name, records=file.records, superseded=file.records
    )


def _write(path: Path, content: bytes) -> None:
    """Leave a file with the same bytes alone, so that a sensor sees no new delivery where none is."""
    if path.is_file() and path.read_bytes() == content:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def _remove_others(landing: Path, wanted: set[tuple[str, str]]) -> None:
    """Remove what an earlier generation, of another seed or size, left in the generator's days."""
    for day in delivery_days():
        for path in (landing / day.isoformat()).glob("*"):
            if (day.isoformat(), path.name) not in wanted:
                path.unlink()
