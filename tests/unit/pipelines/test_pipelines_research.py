"""What regions need that only map: joined deliveries, a report without an authority, pulls before the job."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest

from contracts.errors import BusyError, SourceContractError, UsageError
from contracts.region import Delivery, Join, Region, Site, Source
from contracts.zone import WorkArea
from pipelines.delivery import delivered_bytes, joined
from pipelines.locks import alone
from pipelines.pull import pull_databases, pull_sensors
from pipelines.report import privacy_report

LAB = Source.model_validate(
    {"system": "lab", "entity": "r", "files": ["a.csv"], "format": "csv", "column": [{"name": "id"}]}
)
BASE = Source.model_validate(
    {
        "system": "his", "entity": "v", "format": "postgres", "column": [{"name": "id"}],
        "postgres": {"connection": "CLOISTER_TEST_UNSET_DSN", "table": "v"},
    }
)  # fmt: skip


def region_of(folder: Path, *sources: Source) -> Region:
    site = Site(name="north", title="", folder=folder, sources=sources)
    return Region(name="r", title="", folder=folder, sites=(site,), tasks=())


def test_columns_of_another_table_stand_behind_each_record(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b'id,item\n1,a\n2,"b\nc"\n3,x\n4,a\n')
    (tmp_path / "d.csv").write_bytes('item,label\na,"A, first"\n"b\nc",乙\n'.encode())
    join = Join(data="d.csv", on={"item": "item"}, take={"name": "label"})
    whole = delivered_bytes(LAB, Delivery(data="a.csv", join=(join,)), tmp_path)
    assert whole.decode() == 'id,item,name\n1,a,"A, first"\n2,"b\nc",乙\n3,x,\n4,a,"A, first"\n'
    part = delivered_bytes(LAB, Delivery(data="a.csv", join=(join,), part=(1, 2)), tmp_path)
    assert part.decode() == 'id,item,name\n2,"b\nc",乙\n4,a,"A, first"\n'


def test_a_join_on_a_column_that_is_not_there_is_named() -> None:
    with pytest.raises(SourceContractError, match=r"nowhere"):
        joined(LAB, b"id\n1\n", Join(data="d.csv", on={"nowhere": "id"}, take={"x": "id"}), b"id\n1\n")


def test_a_region_without_tasks_has_no_audit_chain_to_report(tmp_path: Path) -> None:
    assert set(privacy_report(region_of(tmp_path), WorkArea(tmp_path)).values()) == {0}


def test_only_sites_with_a_database_are_pulled(tmp_path: Path) -> None:
    plain, pulled = region_of(tmp_path, LAB), region_of(tmp_path, BASE)
    zone = WorkArea(tmp_path).site("north")
    assert pull_databases(zone, plain, plain.sites[0]) == []
    assert pull_sensors(zone, plain, plain.sites[0]) == []
    (sensor,) = pull_sensors(zone, pulled, pulled.sites[0])
    with dg.DagsterInstance.ephemeral() as instance, pytest.raises(UsageError, match="is not set"):
        sensor.evaluate_tick(dg.build_sensor_context(instance=instance, sensor_name="new_rows"))


def test_a_pull_does_not_begin_beside_a_job_of_its_hospital(tmp_path: Path) -> None:
    region = region_of(tmp_path, BASE)
    zone = WorkArea(tmp_path).site("north")
    (sensor,) = pull_sensors(zone, region, region.sites[0])
    with alone(zone), dg.DagsterInstance.ephemeral() as instance:
        with pytest.raises(BusyError, match="at work in the zone"):
            pull_databases(zone, region, region.sites[0])
        tick = sensor.evaluate_tick(dg.build_sensor_context(instance=instance, sensor_name="new_rows"))
        assert tick.run_requests == [] and "next look is in 15 minutes" in (tick.skip_message or "")
