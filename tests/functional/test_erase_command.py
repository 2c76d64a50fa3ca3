"""The command erases a person of a hospital with features; killed at any moment, it is finished by another run."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from contracts.errors import PrivacyError
from contracts.region import load_region
from contracts.zone import SiteZone, WorkArea
from features.build import build_features
from fhir_mapping.bronze import ingest_day, landing_days
from fhir_mapping.identity.ids import resource_id
from fhir_mapping.lifecycle import marker
from fhir_mapping.mapping import map_day
from fhir_mapping.silver import build_silver
from governance.files import write_private
from lake.reader import read_arrow
from pipelines.console import Console
from pipelines.hospital import HospitalSession
from pipelines.run import run_region
from pipelines.settings import Settings
from synthetic.generate import generate_city

ROOT = Path(__file__).resolve().parents[2]
DEMO = ROOT / "regions" / "demo"
KEY = bytes(range(32))
SITE = "north"
_MAIN = "import sys; sys.argv[0] = 'cloister'; from pipelines.cli.main import main; main()"


@pytest.fixture(scope="module")
def work(spark, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A hospital of the demo city, from raw exports to feature tables."""
    folder = tmp_path_factory.mktemp("work")
    region, area = load_region(DEMO), WorkArea(folder)
    generate_city(region, area, seed=5, patients=40)
    zone, site = area.site(SITE), region.site(SITE)
    write_private(zone.secrets / "pseudonym.key", KEY)
    for day in landing_days(zone):
        ingest_day(zone, site, day)
    map_day(spark, zone, region, site, landing_days(zone))
    build_silver(spark, zone, region, site)
    for task in region.tasks:
        build_features(spark, zone, region, task.name)
    (zone.logs).mkdir()
    return folder


def somebody(zone: SiteZone) -> tuple[str, str]:
    """Number and name of a patient with a feature row."""
    trained = set(read_arrow(zone.table("feature__triage"), ["patient_id"])["patient_id"].to_pylist())
    for row in read_arrow(zone.table("bronze_his__patient"), ["patient_no", "_raw"]).to_pylist():
        if row["patient_no"] and resource_id(KEY, SITE, "Patient", "Patient", [row["patient_no"].strip()]) in trained:
            return row["patient_no"].strip(), row["_raw"].split(",")[1]
    raise AssertionError("the city has no such patient")


def traces(zone: SiteZone, *texts: str) -> list[str]:
    found = []
    for path in sorted(zone.root.rglob("*")):
        if path.is_file() and path.parent != zone.secrets:
            content = repr(pq.read_table(path).to_pylist()).encode() if path.suffix == ".parquet" else path.read_bytes()
            texts_of_file = [content.decode(codec, "replace") for codec in ("utf-8", "gb18030")]
            found += [f"{path}: {text}" for text in texts if any(text in one for one in texts_of_file)]
    return found


def erase(work: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", _MAIN, "erase", str(DEMO), "--site", SITE, "--work", str(work), *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
    )


def test_an_erasure_that_was_killed_stops_everything_and_is_finished_by_another(work: Path, tmp_path: Path) -> None:
    shutil.copytree(work, tmp_path / "work")
    zone = WorkArea(tmp_path / "work").site(SITE)
    person, name = somebody(zone)
    (zone.logs / "failures.log").write_text(f"ValueError: {name}", encoding="utf-8")
    (tmp_path / "person.txt").write_text(f"{person}\n", encoding="utf-8")
    running = erase(tmp_path / "work", "--person-file", str(tmp_path / "person.txt"))
    while not marker.path(zone).exists() and running.poll() is None:
        time.sleep(0.01)
    time.sleep(random.Random(3).uniform(0.3, 2.5))
    os.killpg(running.pid, signal.SIGKILL)
    running.communicate()
    with pytest.raises(PrivacyError, match="cloister erase"):
        run_region(Settings(region=DEMO, work=tmp_path / "work"), Console())
    region, settings = load_region(DEMO), Settings(region=DEMO, work=tmp_path / "work")
    session = HospitalSession(region, region.site(SITE), settings, lambda *_: None)
    with closing(session), pytest.raises(PrivacyError), session.confined():
        raise AssertionError("a step of the site's job ran beside an erasure that is not finished")
    finishing = erase(tmp_path / "work")
    words, _ = finishing.communicate(timeout=120)
    assert finishing.returncode == 0, words
    assert traces(zone, person, name, resource_id(KEY, SITE, "Patient", "Patient", [person])) == []
    assert marker.unfinished(zone) is None
    again = erase(tmp_path / "work")
    assert "nobody to erase" in again.communicate()[0] and again.returncode == 2
    assert read_arrow(zone.table("feature__triage")).num_rows > 0
