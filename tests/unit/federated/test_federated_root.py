"""Site and coordinator trust the one TLS root that the signed roster names, and start with no other."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from contracts.errors import IntegrityError
from contracts.region import load_region
from contracts.zone import WorkArea
from federated.coordinator.run import train
from federated.coordinator.settings import CoordinatorSettings
from federated.site.app import SiteApplication
from federated.site.settings import WorkerSettings
from governance.certificates import make_root
from pipelines.parties import Papers, set_up_parties

DEMO = Path(__file__).resolve().parents[3] / "regions" / "demo"
Start = Callable[[WorkArea, Papers, Path], None]


@pytest.fixture
def area(tmp_path: Path) -> WorkArea:
    return WorkArea(tmp_path / "work")


@pytest.fixture
def papers(area: WorkArea) -> Papers:
    return set_up_parties(load_region(DEMO), area)


def start_site(area: WorkArea, papers: Papers, ca: Path) -> None:
    zone = area.site("north")
    settings = WorkerSettings(
        site="north",
        zone=zone.root,
        region=DEMO,
        roster=papers.roster,
        commission=papers.commission,
        runtime="127.0.0.1:1",
        ca=ca,
        log_file=zone.logs / "worker.log",
    )
    SiteApplication.open(settings).guard.close()


def start_coordinator(area: WorkArea, papers: Papers, ca: Path) -> None:
    settings = CoordinatorSettings(
        region=DEMO,
        tasks=("triage",),
        folder=area.coordinator / "runs",
        roster=papers.roster,
        commission=papers.commission,
        port=1,
        ca=ca,
        secrets=area.coordinator / "secrets",
        authority="https://127.0.0.1:1",
        memory=area.coordinator / "authority.memory",
        node_keys={},
    )
    train(settings, lambda event: None)


@pytest.mark.parametrize("start", [start_site, start_coordinator])
def test_another_root_is_refused(area: WorkArea, papers: Papers, start: Start, tmp_path: Path) -> None:
    make_root(tmp_path / "other.crt", tmp_path / "other.key", "another region")
    with pytest.raises(IntegrityError, match="is not the TLS root that the roster names"):
        start(area, papers, tmp_path / "other.crt")


@pytest.mark.parametrize("start", [start_site, start_coordinator])
def test_a_second_root_beside_the_rosters_is_refused(
    area: WorkArea, papers: Papers, start: Start, tmp_path: Path
) -> None:
    make_root(tmp_path / "other.crt", tmp_path / "other.key", "another region")
    both = tmp_path / "both.crt"
    both.write_bytes(papers.root.read_bytes() + (tmp_path / "other.crt").read_bytes())
    with pytest.raises(IntegrityError, match="or not it alone"):
        start(area, papers, both)


def test_a_site_starts_with_the_rosters_root(area: WorkArea, papers: Papers) -> None:
    start_site(area, papers, papers.root)
