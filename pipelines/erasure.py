"""Erase a person at a hospital: list, landing, tables, their history, features, logs; then look for what is left."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from contracts.errors import PrivacyError, UsageError
from contracts.region import Region, Site, load_region
from contracts.zone import SiteZone, WorkArea
from fhir_mapping.lifecycle import marker
from pipelines import zone_work
from pipelines.locks import alone, locked
from pipelines.settings import Settings

if TYPE_CHECKING:
    from fhir_mapping.lifecycle.erase import Cut, Person

ERASURE = "erasure"
MOST_NAMED = 20


@dataclass(frozen=True)
class Erased:
    """What an erasure did.

    Attributes:
        files, records: taken out by this erasure, and before it came to this end.
        features: feature tables made again.
        places: files that still hold a text equal to a key value; it may stand there by chance.
    """

    files: int
    records: int
    features: int
    places: tuple[Path, ...]


def erase(
    settings: Settings,
    site_name: str,
    names: Sequence[str],
    identity: str | None = None,
    *,
    are_unread_checked: bool = False,
) -> Erased:
    """Erase these people, or finish an erasure that died (then ``names`` may be empty). Safe to repeat.

    Args:
        are_unread_checked: a person has looked through the files in landing that no source reads.

    Raises:
        UsageError: nobody was named and nothing is unfinished; a name fits no key; something else is at work.
        PrivacyError: something of them was left, or may be, in files that no source reads; the mark stays, and nothing
            runs until a later attempt succeeds.
        CloisterError: a step failed; likewise.
    """
    from fhir_mapping.lifecycle.erase import find_people, name_people
    from fhir_mapping.lifecycle.erased import read_erasures
    from fhir_mapping.lifecycle.feed import require_no_listener
    from fhir_mapping.lifecycle.unread import unread_files

    region = load_region(settings.region)
    site, zone = region.site(site_name), settings.area.site(site_name)
    if not zone.root.is_dir():
        raise UsageError(f"no zone of site '{site_name}' in {settings.work}: give the work directory of its runs")
    with locked(settings.work), alone(zone):
        marker.require_finished(zone, but=ERASURE)
        people = find_people(site, names, identity) if names else []
        if not people and marker.unfinished(zone) is None:
            raise UsageError("nobody to erase: give --person or --person-file (no erasure is unfinished here)")
        require_no_listener(zone)
        before = read_erasures(zone).counts()
        ids = sorted(_ids(zone, people) | set((marker.unfinished(zone) or {}).get("ids", ())))
        marker.begin(zone, ERASURE, ids=ids)
        if people:
            name_people(zone, people)
        done, features = _remake(settings, zone, region, site)
        _forget(zone)
        places = _look(settings.area, zone, ids, people)
        unread = unread_files(zone, site)
        if unread and not are_unread_checked:
            raise PrivacyError(_unread_words(zone, unread, places))
        records, files = done.records - sum(before.values()), done.files - len(before)
        zone_work.note(
            zone, "erased", {"people": len(people), "records": records, "files": files, "unread": len(unread)}
        )
        marker.end(zone)
    return Erased(files, records, features, places)


def _remake(settings: Settings, zone: SiteZone, region: Region, site: Site) -> tuple[Cut, int]:
    """Landing and bronze without the listed people's records, then all that is made of them."""
    from fhir_mapping.lifecycle.erase import cut_listed, remake
    from quality.reconciliation import reconcile

    done = cut_listed(zone, site)
    with zone_work.engine(settings) as spark:
        if remake(spark, zone, region, site, done.days) is None:
            return done, 0
        features = zone_work.remake_features(spark, zone, region)
    reconcile(zone).raise_if_unexplained()
    return done, features


def _forget(zone: SiteZone) -> None:
    """Old versions of all tables, and logs: a traceback in them may quote a record."""
    from lake.maintenance import forget

    for path in sorted(zone.lake.iterdir()) if zone.lake.is_dir() else ():
        if (path / "_delta_log").is_dir():
            forget(path)
        elif path.is_dir():
            shutil.rmtree(path)
    for path in sorted(zone.logs.iterdir()) if zone.logs.is_dir() else ():
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def _unread_words(zone: SiteZone, unread: Sequence[Path], places: Sequence[Path]) -> str:
    number = f" {len(places)} files still hold the number as a text: {_listed(zone, places)}." if places else ""
    return (
        f"no source reads {len(unread)} files in landing, so nobody can say whether they tell of the person: "
        f"{_listed(zone, unread)}. All else is erased.{number} Look through them, take out those that tell of the "
        "person, then run again with --unread-checked."
    )


def _listed(zone: SiteZone, paths: Sequence[Path]) -> str:
    names = [os.path.relpath(path, zone.root).encode("utf-8", "backslashreplace").decode() for path in paths]
    return ", ".join(names[:MOST_NAMED]) + (f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else "")


def _ids(zone: SiteZone, people: Sequence[Person]) -> set[str]:
    """The pseudonymous ids that must be gone in the end; the mark keeps them until then."""
    from fhir_mapping.identity.key import load_key

    return set().union(*(person.ids(load_key(zone), zone.site) for person in people)) if people else set()


def _look(area: WorkArea, zone: SiteZone, ids: Sequence[str], people: Sequence[Person]) -> tuple[Path, ...]:
    """Read back all that the site and Dagster keep. Files with a key value are told; one with an id is a fault."""
    from fhir_mapping.lifecycle.links import SHORTEST_TOKEN
    from fhir_mapping.lifecycle.readback import find_traces

    folders = [folder for folder in (zone.root, area.dagster) if folder.is_dir()]
    leave_out = [zone.secrets, marker.path(zone)]
    left = [path for folder in folders for path in find_traces(folder, ids, leave_out)]
    if left:
        named = ", ".join(str(path) for path in left[:3])
        raise PrivacyError(f"{len(left)} files still hold a pseudonymous id of an erased person: {named}. Erase again.")
    values = sorted({value for person in people for value in person.values if len(value) >= SHORTEST_TOKEN})
    return tuple(path for folder in folders for path in find_traces(folder, values, leave_out))
