"""The regions of real data map whole: no record unexplained, none quarantined; features say what the files say."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from contracts.region import Region, load_region
from contracts.zone import WorkArea
from features.build import build_features
from fhir_mapping.bronze import ingest_day, landing_days
from fhir_mapping.mapping import map_day
from fhir_mapping.records import map_records
from fhir_mapping.silver import build_silver
from lake.reader import read_arrow
from pipelines.delivery import deliver_public_data
from registry.features import FeatureEvaluator

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("CLOISTER_DATA", ROOT.parent / "shared" / "data"))

pytestmark = pytest.mark.skipif(
    not DATA.is_dir(), reason="needs the public data sets: put them beside the checkout or set CLOISTER_DATA"
)


def _run(spark: SparkSession, region: Region, area: WorkArea) -> dict[str, list[dict[str, Any]]]:
    """Deliver, ingest, map and build every site; the ledger of each."""
    deliver_public_data(region, DATA, area)
    ledgers = {}
    for site in region.sites:
        zone = area.site(site.name)
        zone.secrets.mkdir(parents=True)
        (zone.secrets / "pseudonym.key").write_bytes(b"\x06" * 32)
        (zone.secrets / "pseudonym.key").chmod(0o600)
        days = landing_days(zone)
        for day in days:
            ingest_day(zone, site, day)
        map_day(spark, zone, region, site, days)
        build_silver(spark, zone, region, site)
        ledgers[site.name] = read_arrow(zone.table("ledger__file")).to_pylist()
        for task in region.tasks:
            build_features(spark, zone, region, task.name)
    return ledgers


@pytest.fixture(scope="module")
def heart(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> tuple[WorkArea, dict[str, Any]]:
    area = WorkArea(tmp_path_factory.mktemp("heart"))
    return area, _run(spark, load_region(ROOT / "regions" / "heart"), area)


@pytest.fixture(scope="module")
def triage(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> tuple[WorkArea, dict[str, Any]]:
    area = WorkArea(tmp_path_factory.mktemp("triage"))
    return area, _run(spark, load_region(ROOT / "regions" / "triage"), area)


def _features(area: WorkArea, site: str, task: str) -> list[dict[str, Any]]:
    return read_arrow(area.site(site).table(f"feature__{task}")).to_pylist()


def test_every_heart_record_is_mapped(heart: tuple[WorkArea, dict[str, Any]]) -> None:
    counts = {site: [(r["records_in"], r["mapped"], r["pending"]) for r in rows] for site, rows in heart[1].items()}
    assert counts == {
        "cleveland": [(242, 242, 0)],
        "hungarian": [(235, 235, 0)],
        "switzerland": [(98, 98, 0)],
        "va": [(160, 160, 0)],
    }


@pytest.mark.parametrize("site", ["cleveland", "hungarian", "switzerland", "va"])
def test_heart_features_are_the_files_cells(heart: tuple[WorkArea, dict[str, Any]], site: str) -> None:
    """Counts of whole rows, since a person's id is not the row's number; ``?`` and 0 mg/dL are no value."""
    with (DATA / "uci-heart-4-hospitals" / f"processed.{site}.data").open() as file:
        rows = list(csv.reader(file))

    def number(cell: str, no_zero: bool = False) -> float | None:
        return None if cell == "?" or (no_zero and float(cell) == 0) else float(cell)

    expected = Counter(
        (number(r[0]), number(r[4], True), number(r[7]), number(r[9]), str(int(float(r[13]) > 0))) for r in rows
    )
    names = ("age", "cholesterol", "max_heart_rate", "st_depression")
    found = Counter((*(r[n] for n in names), *r["label"]) for r in _features(heart[0], site, "diagnosis"))
    assert found == expected


def test_triage_leaves_no_record_unexplained_and_quarantines_none(triage: tuple[WorkArea, dict[str, Any]]) -> None:
    totals = {site: Counter[str]() for site in triage[1]}
    for site, rows in triage[1].items():
        for row in rows:
            names = ("records_in", "mapped", "quarantined", "skipped", "superseded", "erased", "pending")
            totals[site].update({name: row[name] for name in names})
    assert {site: t["records_in"] for site, t in totals.items()} == {
        "midmed_a": 1048, "midmed_b": 1048, "toyhom_a": 3065, "toyhom_b": 3064,
    }  # fmt: skip
    for total in totals.values():
        assert total["records_in"] == total["mapped"] + total["superseded"]
        assert total["pending"] == 0


def test_exact_repeats_of_title_and_ask_are_one_record(triage: tuple[WorkArea, dict[str, Any]]) -> None:
    with gzip.open(DATA / "toyhom-internal-medicine" / "questions.csv.gz") as file:
        rows = list(csv.DictReader(io.TextIOWrapper(file, encoding="utf-8", newline="")))
    for site, part in (("toyhom_a", 0), ("toyhom_b", 1)):
        distinct = {(row["title"].strip(), row["ask"].strip()) for row in rows[part::2]}
        assert triage[1][site][0]["mapped"] == len(distinct)
        assert len(_features(triage[0], site, "triage")) == len(distinct)


def test_each_consultation_keeps_all_its_departments_as_shared_codes(triage: tuple[WorkArea, dict[str, Any]]) -> None:
    with (ROOT / "regions" / "triage" / "maps" / "department.csv").open(encoding="utf-8", newline="") as file:
        codes = {row["source"]: row["target_code"] for row in csv.DictReader(file)}
    with gzip.open(DATA / "midmed-departments" / "complaints.jsonl.gz") as file:
        rows = [json.loads(line) for line in file]
    for site, part in (("midmed_a", 0), ("midmed_b", 1)):
        expected = Counter(frozenset(codes[name] for name in row["departments"]) for row in rows[part::2])
        assert Counter(frozenset(row["label"]) for row in _features(triage[0], site, "triage")) == expected


def test_no_answer_of_a_doctor_reaches_silver(triage: tuple[WorkArea, dict[str, Any]]) -> None:
    with gzip.open(DATA / "toyhom-internal-medicine" / "questions.csv.gz") as file:
        rows = list(csv.DictReader(io.TextIOWrapper(file, encoding="utf-8", newline="")))
    text = repr(read_arrow(triage[0].site("toyhom_a").table("silver_fhir__encounter")).to_pylist())
    assert rows[0]["title"] in text
    assert not [row for row in rows[:400] if len(row["answer"]) > 30 and row["answer"][:30] in text]


@pytest.mark.parametrize("with_label", [True, False])
def test_every_heart_record_can_be_scored_whether_it_carries_its_label_or_not(
    spark: SparkSession, tmp_path: Path, with_label: bool
) -> None:
    region = load_region(ROOT / "regions" / "heart")
    site, task = region.site("va"), region.task("diagnosis")
    lines = (DATA / "uci-heart-4-hospitals" / "processed.va.data").read_text(encoding="ascii").splitlines()
    path = tmp_path / "held-back.data.gz"
    path.write_bytes(
        gzip.compress("\n".join(line if with_label else line.rpartition(",")[0] for line in lines).encode())
    )
    views = region.folder / "views"
    files = {f"../views/{path.name}": json.loads(path.read_text(encoding="utf-8")) for path in views.glob("*.json")}
    evaluator = FeatureEvaluator(task.features, files)
    found = list(map_records(spark, bytes(32), region, site, site.sources[0], path))
    assert len(found) == len(lines)
    for resources, line in zip(found, lines, strict=True):
        assert not isinstance(resources, str), resources
        (row,) = evaluator.rows(resources)
        assert evaluator.carries_label(resources) == with_label
        assert not with_label or row.label == (str(int(float(line.rpartition(",")[2]) > 0)),)
