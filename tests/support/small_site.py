"""A region of one small hospital in a temporary folder, and its way from landing to silver."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

from contracts.fhir import to_fhir_json
from contracts.region import Region, Site, load_region
from contracts.zone import SiteZone
from fhir_mapping.bronze import ingest_day, landing_days
from fhir_mapping.identity.key import KEY_FILE
from fhir_mapping.ledger import SiteReport
from fhir_mapping.mapping import map_day
from fhir_mapping.silver import build_silver
from fhir_mapping.tables import ledger_table, quarantine_table, silver_table
from lake.reader import read_arrow

KEY = bytes(range(32))
VISIT_COLUMNS = (
    *("visit_no", "patient_no", "visit_type", "visit_time", "dept", "complaint", "cancelled", "updated_at", "temp"),
    *("pulse", "id_card", "birthday", "sex", "name", "phone"),
)

ENCOUNTER = """
source = "his__visit"
resource = "Encounter"
key = ["visit_no"]
order_by = "updated_at"
skip_when = { column = "cancelled", in = ["1", "是"] }
skip_rule = "cancelled_visit"

[elements]
"status" = { const = "finished" }
"class" = { lookup = "encounter_class", column = "visit_type" }
"subject" = { reference = "Patient", key = ["patient_no"] }
"period.start" = { datetime = "visit_time" }
"serviceType" = { lookup = "department", column = "dept" }
"reasonCode[0].text" = { column = "complaint" }
"""

PATIENT = """
source = "his__visit"
resource = "Patient"
key = ["patient_no"]
order_by = "updated_at"

[[check]]
rule = "id_card"
column = "id_card"

[elements]
"gender" = { lookup = "administrative_gender", column = "sex" }
"birthDate" = { date = "birthday" }
"""

VITALS = """
source = "his__visit"
resource = "Observation"
key = ["visit_no"]
when = { present = "$column" }

[[repeat]]
item = "temperature"
column = "temp"
code = "8310-5"
unit = "Cel"

[[repeat]]
item = "pulse"
column = "pulse"
code = "8867-4"
unit = "/min"

[elements]
"status" = { const = "final" }
"code" = { code = "$code", system = "http://loinc.org" }
"subject" = { reference = "Patient", key = ["patient_no"] }
"encounter" = { reference = "Encounter", key = ["visit_no"] }
"effectiveDateTime" = { datetime = "visit_time" }
"valueQuantity" = { quantity = "$column", unit_const = "$unit" }
"""

DEPARTMENT = """source,target_system,target_code,target_display,note
内科,urn:dept,03,Internal medicine,
外科,urn:dept,04,Surgery,
皮肤科,urn:dept,13,Dermatology,
"""


def write_region(
    folder: Path,
    specs: Mapping[str, str],
    columns: Sequence[str] = VISIT_COLUMNS,
    maps: Mapping[str, str] | None = None,
) -> Region:
    """A region ``small`` with the site ``north`` and its one source ``his__visit`` (UTF-8 CSV ``visit*.csv``)."""
    site = folder / "sites" / "north"
    for part in ("sources", "specs", "maps"):
        (site / part).mkdir(parents=True, exist_ok=True)
    (folder / "region.toml").write_text('name = "small"\ntitle = "Small"\n', encoding="utf-8")
    (site / "site.toml").write_text('name = "north"\ntitle = "North"\n', encoding="utf-8")
    declared = "".join(f'[[column]]\nname = "{name}"\nrequired = false\n' for name in columns)
    head = 'system = "his"\nentity = "visit"\nfiles = ["visit*.csv"]\nformat = "csv"\n'
    (site / "sources" / "visit.toml").write_text(head + declared, encoding="utf-8")
    for name, text in specs.items():
        (site / "specs" / f"{name}.toml").write_text(text, encoding="utf-8")
    for name, text in {"department": DEPARTMENT, **(maps or {})}.items():
        (site / "maps" / f"{name}.csv").write_text(text, encoding="utf-8")
    return load_region(folder)


def csv_of(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows as CSV; columns are those of the first row."""
    names = list(rows[0])
    lines = [",".join(names), *(",".join(_cell(row.get(name, "")) for name in names) for row in rows)]
    return "\n".join(lines) + "\n"


def _cell(value: Any) -> str:
    text = str(value)
    return '"' + text.replace('"', '""') + '"' if any(c in text for c in ',"\n') else text


def new_zone(folder: Path, site: str = "north", key: bytes = KEY) -> SiteZone:
    zone = SiteZone(folder, site)
    zone.secrets.mkdir(parents=True, exist_ok=True)
    path = zone.secrets / KEY_FILE
    path.write_bytes(key)
    path.chmod(0o600)
    return zone


def deliver(zone: SiteZone, day: str, name: str, content: str | bytes) -> None:
    folder = zone.landing / day
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)


def run(spark: SparkSession, zone: SiteZone, region: Region, days: Sequence[str] | None = None) -> SiteReport:
    """Ingest and map the days (all of landing by default), then build silver."""
    site: Site = region.site(zone.site)
    wanted = list(days) if days is not None else landing_days(zone)
    for day in wanted:
        ingest_day(zone, site, day)
    map_day(spark, zone, region, site, wanted)
    return build_silver(spark, zone, region, site)


def resources(zone: SiteZone, kind: str) -> list[dict[str, Any]]:
    """Silver as FHIR JSON, sorted by id."""
    rows = read_arrow(silver_table(zone, kind).path).to_pylist()
    return [to_fhir_json(kind, row) for row in sorted(rows, key=lambda row: row["id"])]


def rules(zone: SiteZone) -> dict[tuple[str, int], list[str]]:
    """``(file, record) -> rule names`` of the quarantine."""
    rows = read_arrow(quarantine_table(zone).path).to_pylist()
    return {(row["file_name"], row["record_no"]): [rule["rule"] for rule in row["rules"]] for row in rows}


def ledger(zone: SiteZone) -> dict[str, dict[str, Any]]:
    """``day/file -> row`` of the ledger, ``resources_out`` parsed."""
    rows = read_arrow(ledger_table(zone).path).to_pylist()
    return {
        f"{row['delivery_date']}/{row['file_name']}": {**row, "resources_out": json.loads(row["resources_out"])}
        for row in rows
    }


def snapshot(zone: SiteZone) -> dict[str, list[str]]:
    """Every row of every table that mapping writes, as sorted text: equal snapshots, equal tables."""
    tables = sorted(path for path in zone.lake.iterdir() if not path.name.startswith(("bronze", "manifest")))
    return {path.name: sorted(map(repr, read_arrow(path).to_pylist())) for path in tables}
