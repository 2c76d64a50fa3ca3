"""The demo region, small, through real processes: killed in the middle, run again, scored, served, tampered with."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from contracts.messages import SITE_MESSAGES
from governance.audit import read_audit, verify_audit
from lake.reader import read_arrow

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = "import sys; sys.argv[0] = 'cloister'; from pipelines.cli.main import main; main()"
SITES = ("east", "north", "south", "west")
pytestmark = pytest.mark.timeout(1500)  # two runs of the region; a busy machine takes several times a quiet one's time


def cloister(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*arguments), capture_output=True, text=True, cwd=ROOT, check=False, timeout=1000)


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-c", PROGRAM, *arguments]


def processes_below(work: Path) -> list[str]:
    """Command lines of running processes that name the work directory."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if str(work) in line:
                found.append(line)
    return found


@dataclass(frozen=True)
class Ran:
    region: Path
    work: Path
    output: str
    report: dict[str, Any]
    killed_after: str
    left_after_kill: list[str]


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ran]:
    """The demo region with few patients: one run killed once a hospital's records are mapped, then a whole run."""
    folder = tmp_path_factory.mktemp("demo")
    region, work = folder / "region", folder / "work"
    shutil.copytree(ROOT / "regions" / "demo", region)
    settings = region / "region.toml"
    text = settings.read_text(encoding="utf-8")
    settings.write_text(text.replace("patients = 1600", "patients = 400"), encoding="utf-8")
    killed_after, left = _kill_when_mapped(region, work)
    done = cloister("run", str(region), "--work", str(work), "--baselines")
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads((work / "report.json").read_text(encoding="utf-8"))
    yield Ran(region, work, done.stdout, report, killed_after, left)


def _kill_when_mapped(region: Path, work: Path) -> tuple[str, list[str]]:
    """Kill -9 the run (and nothing else) after a first "mapped" line; what is still running some seconds later."""
    with subprocess.Popen(
        command("run", str(region), "--work", str(work)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT
    ) as process:
        assert process.stdout is not None
        last = next((line for raw in process.stdout if " mapped " in (line := raw.decode())), "")
        process.send_signal(signal.SIGKILL)
    end = time.monotonic() + 20
    while processes_below(work) and time.monotonic() < end:
        time.sleep(0.2)
    return last, processes_below(work)


def test_a_killed_run_leaves_no_process(ran: Ran) -> None:
    assert "mapped" in ran.killed_after
    assert ran.left_after_kill == []


def test_a_whole_run_leaves_no_process(ran: Ran) -> None:
    assert processes_below(ran.work) == []


def test_after_a_kill_every_record_is_accounted_for_as_the_truth_says(ran: Ran) -> None:
    truth = json.loads((ran.work / "truth.json").read_text(encoding="utf-8"))
    for site in SITES:
        reported, true = ran.report["sites"][site], truth["sites"][site]
        assert reported["unexplained"] == 0
        assert reported["records_in"] == true["records"]
        assert reported["mapped"] == true["mapped"]
        assert reported["superseded"] == true["superseded"]
        assert reported["quarantined"] == sum(true["quarantined"].values())
        assert reported["skipped"] == sum(true["skipped"].values())
        assert reported["resources_out"] == true["resources"]


def test_the_federated_models_are_the_pooled_ones(ran: Ran) -> None:
    for task in ("diagnosis", "triage"):
        metrics = ran.report["tasks"][task]["metrics"]
        assert metrics["federated"]["accuracy"] == pytest.approx(metrics["pooled"]["accuracy"], abs=0.005)
        assert set(metrics["local"]) <= set(SITES)
    assert ran.report["tasks"]["diagnosis"]["max_coefficient_gap"] < 1e-5


def test_only_encrypted_terms_and_the_closed_list_left_the_hospitals(ran: Ran) -> None:
    assert ran.report["privacy"]["egress_other"] == 0
    sent = 0
    for site in SITES:
        for entry in read_audit(ran.work / "sites" / site / "egress" / "ledger.jsonl"):
            sent += 1
            assert entry.facts["kind"] in SITE_MESSAGES
            if entry.facts["kind"] == "term":
                assert entry.facts["ciphertexts"] == -(-entry.facts["slots"] // 4095)
    assert sent == ran.report["privacy"]["egress_messages"] > 0
    for task in ran.report["tasks"].values():
        assert task["bytes_per_slot"] <= 16.5


def test_the_audit_chains_are_whole(ran: Ran) -> None:
    done = cloister("audit", "verify", str(ran.work))
    assert done.returncode == 0, done.stderr
    assert verify_audit(ran.work / "authority" / "audit.jsonl") > 0
    assert ran.report["privacy"]["opened"] == sum(task["rounds"] for task in ran.report["tasks"].values())


def identities(work: Path) -> set[str]:
    """Names, ID-card numbers, telephones and addresses of the patients of north, from the raw records."""
    bronze = read_arrow(work / "sites" / "north" / "lake" / "bronze_his__patient").to_pylist()
    records = [row["_raw"].split(",") for row in bronze if row["_raw"].count(",") == 7]
    found = {record[place] for record in records for place in (1, 4, 5, 6) if len(record[place]) > 1}
    assert len(found) > 100
    return found


def test_no_name_or_number_of_a_patient_is_in_silver_or_features(ran: Ran) -> None:
    secrets = identities(ran.work)
    lake = ran.work / "sites" / "north" / "lake"
    for table in (*lake.glob("silver_fhir__*"), *lake.glob("feature__*")):
        text = json.dumps(read_arrow(table).to_pylist(), ensure_ascii=False, default=str)
        assert [secret for secret in secrets if secret in text] == [], table.name


def test_no_name_or_number_of_a_patient_is_outside_the_hospitals_zones(ran: Ran) -> None:
    values = identities(ran.work)
    secrets = {value.encode() for value in values} | {json.dumps(value)[1:-1].encode() for value in values}
    zones = ran.work / "sites"
    outside = [path for path in ran.work.rglob("*") if path.is_file() and zones not in path.parents]
    said = [*zones.glob("*/egress/*"), *zones.glob("*/logs/*")]
    texts = {path: path.read_bytes() for path in (*outside, *said)} | {Path("output"): ran.output.encode()}
    assert [path for path, data in texts.items() if any(secret in data for secret in secrets)] == []


def test_the_runs_are_recorded_where_dagster_shows_them(ran: Ran) -> None:
    import dagster as dg

    with dg.DagsterInstance.from_config(str(ran.work / "dagster")) as instance:
        jobs = [run.job_name for run in instance.get_runs() if run.status == dg.DagsterRunStatus.SUCCESS]
        assert jobs.count("site_job") >= len(SITES)
        assert "region_job_with_baselines" in jobs
        latest = instance.get_latest_materialization_event(dg.AssetKey(["north", "bronze_his__visit"]))
    assert latest is not None


def test_a_file_of_complaints_is_scored_row_by_row(ran: Ran, tmp_path: Path) -> None:
    given = tmp_path / "complaints.csv"
    given.write_text(
        "chief_complaint,age,sex,label\n发热咳嗽三天,67,female,03.01\n,,,\n头晕,abc,male,\n", encoding="utf-8"
    )
    out = tmp_path / "scores.csv"
    done = cloister("predict", str(ran.work / "registry/triage/current"), str(given), "--out", str(out))
    assert done.returncode == 0, done.stderr
    rows = list(csv.DictReader(out.read_text(encoding="utf-8").splitlines()))
    assert [row["record"] for row in rows] == ["0", "1", "2"]
    assert rows[0]["predicted"] and not rows[0]["error"] and rows[0]["label"] == "03.01"
    assert sum(float(value) for name, value in rows[0].items() if name.startswith("p:")) == pytest.approx(1)
    assert rows[1]["error"] and rows[2]["error"]


def test_an_export_of_a_site_is_scored_by_the_sites_own_specs(ran: Ran, tmp_path: Path) -> None:
    export = next((ran.work / "sites" / "north" / "landing").glob("*/门诊就诊_*.csv"))
    out = tmp_path / "scores.csv"
    model = str(ran.work / "registry/triage/current")
    done = cloister("predict", model, str(export), "--out", str(out), "--region", str(ran.region), "--site", "north")
    assert done.returncode == 0, done.stderr
    rows = list(csv.DictReader(out.read_text(encoding="utf-8").splitlines()))
    manifest = read_arrow(ran.work / "sites" / "north" / "lake" / "manifest__file").to_pylist()
    assert len(rows) == next(row["records"] for row in manifest if row["file_name"] == export.name)
    scored = [row for row in rows if row["predicted"]]
    right = sum(row["predicted"] in row["label"].split("|") for row in scored)
    assert right > 0.5 * len(scored) > 0


def test_a_missing_column_is_one_clear_line(ran: Ran, tmp_path: Path) -> None:
    given = tmp_path / "wrong.csv"
    given.write_text("complaint\n头晕\n", encoding="utf-8")
    model = str(ran.work / "registry/triage/current")
    done = cloister("predict", model, str(given), "--out", str(tmp_path / "out.csv"))
    assert done.returncode == 2
    assert "chief_complaint" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out.csv").exists()


def test_an_altered_model_is_refused(ran: Ran, tmp_path: Path) -> None:
    model = tmp_path / "model"
    shutil.copytree((ran.work / "registry/triage/current").resolve(), model)
    card = model / "card.json"
    card.write_text(card.read_text(encoding="utf-8").replace('"rounds": ', '"rounds": 1'), encoding="utf-8")
    given = tmp_path / "complaints.csv"
    given.write_text("chief_complaint,age,sex\n头晕,50,male\n", encoding="utf-8")
    key = str(ran.work / "pki" / "authority.pub")
    done = cloister("predict", str(model), str(given), "--out", str(tmp_path / "out.csv"), "--authority", key)
    assert done.returncode == 5
    assert not (tmp_path / "out.csv").exists()


def test_a_clinic_gets_a_hint_from_the_released_model(ran: Ran) -> None:
    from contracts.zone import WorkArea
    from pipelines.demo import fetch_hint, hint_lines

    lines = hint_lines(fetch_hint(WorkArea(ran.work)))
    assert len(lines) >= 4
    assert processes_below(ran.work) == []
