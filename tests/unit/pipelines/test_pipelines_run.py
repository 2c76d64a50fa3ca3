"""What `cloister run` refuses before it does anything, and who may look into the work directory."""

from __future__ import annotations

import fcntl
import io
import os
import shutil
import stat
from pathlib import Path

import pytest

from contracts.errors import UsageError
from contracts.region import load_region
from contracts.zone import WorkArea
from federated.programs import program_digest
from governance.approvals import find_approval
from governance.files import require_private
from governance.roster import load_roster
from pipelines.console import Console
from pipelines.deployment import Deployment
from pipelines.federation import FederationSession
from pipelines.keys import revoke_site
from pipelines.parties import approve, set_up_parties
from pipelines.processes import Supervisor
from pipelines.region_location import BASELINE_JOB, build_definitions
from pipelines.run import run_region
from pipelines.settings import Settings

DEMO = Path(__file__).resolve().parents[3] / "regions" / "demo"


@pytest.fixture
def private_region(tmp_path: Path) -> Path:
    """The demo region as if its data were not public."""
    folder = tmp_path / "region"
    shutil.copytree(DEMO, folder)
    settings = folder / "region.toml"
    text = settings.read_text(encoding="utf-8")
    assert "public_data = true" in text
    settings.write_text(text.replace("public_data = true", "public_data = false"), encoding="utf-8")
    return folder


def test_a_second_run_in_the_same_work_directory_is_refused_at_once(tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    with (work / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(UsageError, match="another run or job is at work"):
            run_region(Settings(region=DEMO, work=work), Console(io.StringIO()))
    assert [path.name for path in work.iterdir()] == [".lock"]


def test_baselines_are_refused_unless_the_data_are_public(private_region: Path, tmp_path: Path) -> None:
    settings = Settings(region=private_region, work=tmp_path / "work")
    with pytest.raises(UsageError, match="not marked public_data"):
        run_region(settings, Console(io.StringIO()), baselines=True)
    assert not settings.work.exists()
    region = load_region(private_region)
    definitions = build_definitions(region, settings)
    assert BASELINE_JOB not in {job.name for job in definitions.jobs or ()}
    with pytest.raises(UsageError, match="not marked public_data"):
        FederationSession(region, settings, lambda stage, words: None).compare(region.tasks[0].name)


def test_only_its_owner_looks_into_a_partys_folder(tmp_path: Path) -> None:
    region, area = load_region(DEMO), WorkArea(tmp_path)
    area.site(region.sites[0].name).root.mkdir(parents=True, mode=0o755)
    set_up_parties(region, area)
    zones = [area.site(site.name).root for site in region.sites]
    for folder in (*zones, area.authority, area.coordinator, area.gateway, area.dagster):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700, folder


def test_no_secret_can_be_read_by_others(tmp_path: Path) -> None:
    region, area = load_region(DEMO), WorkArea(tmp_path)
    set_up_parties(region, area)
    files = [path for path in tmp_path.rglob("*") if path.is_file() and "secrets" in path.parts]
    assert len(files) > 4 * len(region.sites)
    open_ones = {path.name for path in files if path.stat().st_mode & 0o077}
    assert {Path(name).suffix for name in open_ones} <= {".crt", ".pub"}


@pytest.mark.parametrize("umask", [0o002, 0o000])
def test_every_party_may_start_after_set_up_whatever_the_umask(tmp_path: Path, umask: int) -> None:
    region, area = load_region(DEMO), WorkArea(tmp_path)
    (area.coordinator / "secrets").mkdir(parents=True)
    (area.coordinator / "secrets").chmod(0o777)  # as an earlier version may have left it
    before = os.umask(umask)
    try:
        set_up_parties(region, area)
    finally:
        os.umask(before)
    parties = [area.authority, area.coordinator, *(area.site(site.name).root for site in region.sites)]
    for folder in parties:
        require_private(folder / "secrets")


def test_a_revoked_site_is_not_deployed(tmp_path: Path) -> None:
    region, area = load_region(DEMO), WorkArea(tmp_path)
    set_up_parties(region, area)
    revoke_site(Settings(region=DEMO, work=tmp_path), "west", "a test")
    deployment = Deployment(region, area, set_up_parties(region, area), Supervisor())
    assert [site.name for site in deployment.region.sites] == ["east", "north", "south"]
    assert set(deployment.node_keys()) == set(deployment.roster.sites)


def test_setting_up_and_approving_again_changes_nothing(tmp_path: Path) -> None:
    region, area = load_region(DEMO), WorkArea(tmp_path)
    first = set_up_parties(region, area)
    approve(region, area, region.tasks[0])
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert set_up_parties(region, area) == first
    approve(region, area, region.tasks[0])
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
    task = region.tasks[0]
    roster = load_roster(first.roster, first.commission)
    found, _ = find_approval(area.authority / "approvals", roster, task.name, program_digest(task))
    assert found.at_least == task.training.min_patients
