"""What goes wrong inside a hospital's step stays in its zone: Dagster's home, which all share, holds no value of it."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from contracts.errors import CloisterError, DataError
from contracts.region import load_region
from contracts.wire import digest
from contracts.zone import WorkArea
from pipelines.dagster_home import dagster_instance
from pipelines.hospital import HospitalSession
from pipelines.settings import Settings
from pipelines.site_location import FIRST_DAY, build_definitions

DEMO = Path(__file__).resolve().parents[3] / "regions" / "demo"
VALUE = "Wang-Xiaoming-13800138000"


class Failing:
    """A hospital in which every step prints a patient's value and then fails with it in the error's text."""

    def __init__(self, session: HospitalSession) -> None:
        self.confined = session.confined

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        print(VALUE, flush=True)
        raise ValueError(f"cannot cast {VALUE}")


@pytest.fixture
def session(tmp_path: Path) -> HospitalSession:
    region = load_region(DEMO)
    return HospitalSession(region, region.sites[0], Settings(region=DEMO, work=tmp_path), lambda stage, words: None)


def test_no_step_of_a_hospital_lets_a_value_into_dagsters_home(session: HospitalSession, tmp_path: Path) -> None:
    definitions = build_definitions(session.region, session.site, Settings(region=DEMO, work=tmp_path))
    steps = [*(definitions.assets or ()), *(definitions.asset_checks or ())]
    runnable = [step for step in steps if isinstance(step, dg.AssetsDefinition) and step.is_executable]
    assert len(runnable) > 10
    area = WorkArea(tmp_path)
    with dagster_instance(area) as instance:
        for step in runnable:
            done = dg.materialize(
                [step],
                selection=dg.AssetSelection.checks(step) if isinstance(step, dg.AssetChecksDefinition) else None,
                instance=instance,
                resources={"hospital": dg.ResourceDefinition(lambda _: Failing(session))},
                partition_key=FIRST_DAY.isoformat() if step.partitions_def else None,
                raise_on_error=False,
            )
            assert not done.success, step
    found = [path for path in area.dagster.rglob("*") if path.is_file() and VALUE.encode() in path.read_bytes()]
    assert found == []
    log = session.zone.logs / "failures.log"
    assert log.read_text(encoding="utf-8").count(f"cannot cast {VALUE}") == len(runnable)
    assert stat.S_IMODE(log.stat().st_mode) == 0o600


def test_a_foreign_error_leaves_as_its_class_and_ours_without_its_cause(session: HospitalSession) -> None:
    with (
        pytest.raises(CloisterError, match=r"^ValueError; its traceback is in .*failures\.log$") as foreign,
        session.confined(),
    ):
        raise ValueError(VALUE)
    with pytest.raises(DataError, match="no such table") as ours, session.confined():
        try:
            raise ValueError(VALUE)
        except ValueError as error:
            raise DataError("no such table") from error
    for caught in (foreign, ours):
        assert caught.value.__cause__ is None and caught.value.__suppress_context__


def test_digests_alone_tell_the_sensor_of_new_files(tmp_path: Path) -> None:
    from pipelines.landing import landing_state

    day = WorkArea(tmp_path).site("north").landing / "2026-11-20"
    day.mkdir(parents=True)
    (day / f"{VALUE}.xml").write_text("a", encoding="utf-8")
    state = landing_state(WorkArea(tmp_path).site("north"))
    assert set(state) == {"2026-11-20"}
    assert len(state["2026-11-20"]) == len(digest(b""))
    assert VALUE not in str(state)
