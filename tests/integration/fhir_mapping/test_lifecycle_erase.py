"""A person withdraws: nothing of them stays in landing, tables, history or quarantine, and nothing comes back."""

from __future__ import annotations

import fcntl
import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from small_site import (
    ENCOUNTER,
    KEY,
    PATIENT,
    VITALS,
    csv_of,
    deliver,
    ledger,
    new_zone,
    resources,
    run,
    snapshot,
    write_region,
)

from contracts.errors import PrivacyError, UsageError
from contracts.region import Region, load_region
from contracts.zone import SiteZone
from fhir_mapping.bronze import ingest_day
from fhir_mapping.identity.ids import resource_id
from fhir_mapping.lifecycle import marker
from fhir_mapping.lifecycle.erase import cut_listed, find_people, name_people, remake
from fhir_mapping.lifecycle.erased import read_erasures
from fhir_mapping.lifecycle.feed import require_no_listener
from fhir_mapping.manifest import FileEntry, read_manifest
from fhir_mapping.tables import silver_table
from lake.maintenance import forget
from lake.reader import read_arrow
from quality.reconciliation import reconcile

MONDAY, TUESDAY, WEDNESDAY = "2026-03-02", "2026-03-03", "2026-03-04"
PERSON, NAME, VISIT = "P90017", "欧阳惜梅", "V70001"

LABS = """
source = "lis__result"
resource = "Observation"
key = ["result_no"]

[elements]
"status" = { const = "final" }
"code.text" = { column = "item" }
"encounter" = { reference = "Encounter", key = ["visit_no"] }
"valueQuantity" = { quantity = "value", unit_const = "mmol/L" }
"""

NOTES = """
source = "fhir__note"
resource = "Condition"
key = ["id"]

[elements]
"code.text" = { column = "text" }
"subject" = { reference = "Patient", key = ["subject"], extract = "Patient/([A-Z0-9]+)" }
"""

SPECS = {"encounter": ENCOUNTER, "patient": PATIENT, "vitals": VITALS, "labs": LABS, "notes": NOTES}
LAB_SOURCE = """
system = "lis"
entity = "result"
files = ["lab*.csv"]
format = "csv"
encoding = "gb18030"
column = [{ name = "result_no" }, { name = "visit_no" }, { name = "item" }, { name = "value" }]
"""
NOTE_SOURCE = """
system = "fhir"
entity = "note"
files = ["*.ndjson"]
format = "ndjson"
column = [{ name = "id" }, { name = "text" }, { name = "subject", path = "subject.reference" }]
"""


def visit(number: int, person: str, **changes: Any) -> dict[str, Any]:
    return {
        **{"visit_no": f"V7000{number}", "patient_no": person, "visit_type": "门诊", "visit_time": "2026-03-01 08:00"},
        **{"dept": "内科", "complaint": "咳嗽3天", "cancelled": "0", "updated_at": "2026-03-01 09:00", "temp": "37.5"},
        **{"sex": "女", "name": "某某", **changes},
    }


@pytest.fixture(scope="module")
def region(tmp_path_factory: pytest.TempPathFactory) -> Region:
    folder = tmp_path_factory.mktemp("region")
    write_region(folder, SPECS)
    sources = folder / "sites" / "north" / "sources"
    (sources / "lab.toml").write_text(LAB_SOURCE, encoding="utf-8")
    (sources / "note.toml").write_text(NOTE_SOURCE, encoding="utf-8")
    return load_region(folder)


def delivered(folder: Path) -> SiteZone:
    zone = new_zone(folder)
    rows = [
        visit(1, PERSON, name=NAME),
        visit(2, "P2"),
        visit(3, " Ｐ９００１７ ", name=NAME, visit_time="2026-02-30 08:00"),
        visit(4, "P4", complaint="头痛\n恶心"),
        visit(1, PERSON, name=NAME, updated_at="2026-03-01 12:00"),
    ]
    deliver(zone, MONDAY, "visit.csv", csv_of(rows) + f'V70009,{PERSON},"{NAME} never closed\n')
    labs = [lab(f"R{n}", f"V7000{n}") for n in (1, 2, 4)]
    deliver(zone, MONDAY, "lab.csv", csv_of(labs).encode("gb18030"))
    deliver(zone, TUESDAY, "lab.csv", csv_of([lab("R9", VISIT), lab("R6", "V70006")]))
    note = {"id": "n1", "text": "t", "subject": {"reference": f"Patient/{PERSON}"}}
    deliver(zone, TUESDAY, "notes.ndjson", json.dumps(note) + "\n")
    deliver(zone, TUESDAY, f"letter_{PERSON}.txt", f"Dear {NAME}\nyour number {PERSON}\nbye\n")
    return zone


def lab(number: str, visit_no: str) -> dict[str, str]:
    return {"result_no": number, "visit_no": visit_no, "item": "血糖", "value": "5.60"}


@pytest.fixture(scope="module")
def before(spark, region: Region, tmp_path_factory: pytest.TempPathFactory) -> SiteZone:
    """The zone as it was before anybody withdrew."""
    zone = delivered(tmp_path_factory.mktemp("before") / "zone")
    run(spark, zone, region)
    return zone


@pytest.fixture(scope="module")
def after(spark, region: Region, before: SiteZone, tmp_path_factory: pytest.TempPathFactory) -> SiteZone:
    """The same zone after the erasure."""
    zone = copied(before, tmp_path_factory.mktemp("after"))
    erase(spark, zone, region)
    return zone


def copied(zone: SiteZone, folder: Path) -> SiteZone:
    shutil.copytree(zone.root, folder / "zone")
    return SiteZone(folder / "zone", zone.site)


def erase(spark, zone: SiteZone, region: Region, person: str = PERSON) -> None:
    site = region.site("north")
    name_people(zone, find_people(site, [person]))
    done = cut_listed(zone, site)
    remake(spark, zone, region, site, done.days)
    for path in zone.lake.iterdir():
        forget(path)


def everything(folder: Path) -> Iterator[tuple[str, str]]:
    """Every file's name and all the text in it, Parquet decoded."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.parent.name != "secrets":
            is_parquet = path.suffix == ".parquet"
            content = repr(pq.read_table(path).to_pylist()).encode() if is_parquet else path.read_bytes()
            for codec in ("utf-8", "gb18030"):
                yield str(path), str(path) + content.decode(codec, "replace")


def traces(zone: SiteZone, *texts: str) -> list[tuple[str, str]]:
    return [(name, text) for name, content in everything(zone.root) for text in texts if text in content]


def ids() -> list[str]:
    person = resource_id(KEY, "north", "Patient", "Patient", [PERSON])
    return [person, resource_id(KEY, "north", "Encounter", "Encounter", [VISIT])]


def test_nothing_of_the_person_is_left_and_nothing_of_others_is_lost(before: SiteZone, after: SiteZone) -> None:
    texts = [PERSON, NAME, VISIT, "Ｐ９００１７", *ids()]
    assert {text for _, text in traces(before, *texts)} == set(texts)
    assert traces(after, *texts) == []
    for kind in ("Encounter", "Patient"):
        assert [row for row in resources(before, kind) if row["id"] not in ids()] == resources(after, kind)
    assert len(resources(after, "Observation")) == 5
    lines = (before.landing / MONDAY / "visit.csv").read_bytes().splitlines(keepends=True)
    assert (after.landing / MONDAY / "visit.csv").read_bytes() == b"".join([lines[0], lines[2], lines[4], lines[5]])


def test_the_ledger_keeps_the_count_and_the_table_of_erasures_explains_the_digests(
    before: SiteZone, after: SiteZone
) -> None:
    row = ledger(after)[f"{MONDAY}/visit.csv"]
    assert (row["records_in"], row["erased"], row["mapped"], row["quarantined"]) == (6, 4, 2, 0)
    assert ledger(after)[f"{TUESDAY}/notes.ndjson"]["erased"] == 1
    reconcile(after).raise_if_unexplained()
    was, now = (_manifest(zone)[f"{MONDAY}/visit.csv"] for zone in (before, after))
    assert (now.sha256, now.records, now.file_id) == (was.sha256, 6, was.file_id)
    entry = next(e for e in read_erasures(after).entries if (e.delivery_date, e.file_name) == (MONDAY, "visit.csv"))
    on_disk = hashlib.sha256((after.landing / MONDAY / "visit.csv").read_bytes()).hexdigest()
    assert (entry.sha256_before, entry.sha256_after, entry.record_nos) == (was.sha256, on_disk, (0, 2, 4, 5))


def test_a_replay_of_all_days_after_an_erasure_changes_nothing(
    spark, after: SiteZone, region: Region, tmp_path: Path
) -> None:
    zone = copied(after, tmp_path)
    run(spark, zone, region)
    assert snapshot(zone) == snapshot(after)


def test_what_is_delivered_of_the_person_later_never_enters(
    spark, before: SiteZone, after: SiteZone, region: Region, tmp_path: Path
) -> None:
    zone = copied(after, tmp_path)
    deliver(zone, WEDNESDAY, "visit_again.csv", (before.landing / MONDAY / "visit.csv").read_bytes())
    deliver(zone, WEDNESDAY, "visit_new.csv", csv_of([visit(8, PERSON), visit(5, "P5")]))
    deliver(zone, WEDNESDAY, "lab.csv", csv_of([lab("R7", "V70008")]))
    run(spark, zone, region, [WEDNESDAY])
    assert traces(zone, PERSON, NAME, *ids()) == []
    rows = ledger(zone)
    again = rows[f"{WEDNESDAY}/visit_again.csv"]
    assert (again["records_in"], again["erased"], again["superseded"]) == (6, 4, 2)
    assert [rows[f"{WEDNESDAY}/{name}"]["erased"] for name in ("visit_new.csv", "lab.csv")] == [1, 1]
    reconcile(zone).raise_if_unexplained()


def test_days_that_landing_no_longer_has_are_erased_from_the_tables(
    spark, before: SiteZone, after: SiteZone, region: Region, tmp_path: Path
) -> None:
    zone = copied(before, tmp_path)
    shutil.rmtree(zone.landing / MONDAY)
    erase(spark, zone, region)
    assert traces(zone, PERSON, NAME, *ids()) == []
    kept = {name: rows for name, rows in snapshot(zone).items() if name != "erased__file"}
    assert kept == {name: rows for name, rows in snapshot(after).items() if name != "erased__file"}


def test_files_not_ingested_yet_are_cut_too(region: Region, tmp_path: Path) -> None:
    site, zone = region.site("north"), delivered(tmp_path / "zone")
    name_people(zone, find_people(site, [PERSON]))
    cut_listed(zone, site)
    assert traces(zone, PERSON, NAME) == []


def test_a_replaced_number_of_the_person_is_followed_to_the_other_and_back(tmp_path: Path) -> None:
    merge = """
source = "hl7__merge"
resource = "Patient"
key = ["old_no"]
[elements]
"link[0].other" = { reference = "Patient", key = ["new_no"] }
"link[0].type" = { const = "replaced-by" }
"""
    region = write_region(tmp_path / "region", {"patient": PATIENT, "encounter": ENCOUNTER, "merge": merge})
    columns = '[{ name = "old_no", path = "MRG-1.1" }, { name = "new_no", path = "PID-3.1" }]'
    source = f'system = "hl7"\nentity = "merge"\nfiles = ["*.hl7"]\nformat = "hl7v2"\ncolumn = {columns}\n'
    (region.folder / "sites" / "north" / "sources" / "merge.toml").write_text(source, encoding="utf-8")
    messages = [
        f"MSH|^~\\&|H|H|||20260301||ADT^A40|{n}|P|2.4\rPID|1||{n}\rMRG|{o}\r" for n, o in (("P22", "P11"), ("P9", "P8"))
    ]
    zone = new_zone(tmp_path / "zone")
    deliver(zone, MONDAY, "merge.hl7", "".join(messages))
    deliver(zone, TUESDAY, "visit.csv", csv_of([visit(1, "P11"), visit(2, "P22"), visit(3, "P8")]))
    site = load_region(region.folder).site("north")
    name_people(zone, find_people(site, ["P11"]))
    cut_listed(zone, site)
    assert (zone.landing / MONDAY / "merge.hl7").read_text() == messages[1].replace("\r", "\n")
    assert (zone.landing / TUESDAY / "visit.csv").read_text(encoding="utf-8").count("\n") == 2
    assert traces(zone, "P11", "P22", "V70002") == []


def test_what_a_listener_keeps_is_cut_once_it_has_stopped(region: Region, tmp_path: Path) -> None:
    zone = delivered(tmp_path / "zone")
    folder = zone.root / "listener" / "lis__result"
    for name in ("open", "quarantine"):
        (folder / name).mkdir(parents=True)
    others = "\x0bMSH|1\rPID|||P900170\r\x1c\r"
    (folder / "open" / "a.part").write_bytes(f"\x0bMSH|2\rPID|||{PERSON}^^^H\r\x1c\r{others}".encode())
    (folder / "quarantine" / "b.bad_hl7.hl7").write_bytes(f"PID|||{PERSON}|{NAME}".encode("gb18030"))
    name_people(zone, find_people(region.site("north"), [PERSON]))
    with (folder / "lock").open("w") as running:
        fcntl.flock(running, fcntl.LOCK_EX)
        with pytest.raises(UsageError, match="stop it"):
            require_no_listener(zone)
    cut_listed(zone, region.site("north"))
    assert (folder / "open" / "a.part").read_bytes() == others.encode()
    assert not list((folder / "quarantine").iterdir())


def test_a_late_visit_that_makes_earlier_records_the_persons_stops_all_until_they_are_erased(
    spark, after: SiteZone, region: Region, tmp_path: Path
) -> None:
    zone = copied(after, tmp_path)
    deliver(zone, WEDNESDAY, "visit.csv", csv_of([visit(6, PERSON)]))
    with pytest.raises(PrivacyError, match="cloister erase"):
        ingest_day(zone, region.site("north"), WEDNESDAY)
    with pytest.raises(PrivacyError):
        marker.require_finished(zone)
    done = cut_listed(zone, region.site("north"))
    remake(spark, zone, region, region.site("north"), done.days)
    assert ledger(zone)[f"{TUESDAY}/lab.csv"]["erased"] == 2


def test_a_second_persons_erasure_adds_to_the_first(spark, after: SiteZone, region: Region, tmp_path: Path) -> None:
    zone = copied(after, tmp_path)
    erase(spark, zone, region, "P4")
    row = ledger(zone)[f"{MONDAY}/visit.csv"]
    assert (row["records_in"], row["erased"], row["mapped"]) == (6, 5, 1)
    assert [row["_record_no"] for row in read_arrow(silver_table(zone, "Encounter").path).to_pylist()] == [1]
    assert (zone.landing / MONDAY / "visit.csv").read_bytes().count(b"\n") == 2
    reconcile(zone).raise_if_unexplained()


def test_a_value_that_is_no_key_of_the_site_is_refused(region: Region) -> None:
    with pytest.raises(UsageError, match="--identity"):
        find_people(region.site("north"), ["x"], identity="nobody")
    assert find_people(region.site("north"), ["x"], identity="patient_no") == find_people(region.site("north"), ["x"])


def _manifest(zone: SiteZone) -> dict[str, FileEntry]:
    return {f"{entry.delivery_date}/{entry.file_name}": entry for entry in read_manifest(zone)}
