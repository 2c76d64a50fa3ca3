"""Feature tables of one hospital: one a task, from silver through the task's views."""

import dagster as dg

from assets.hospital import Hospital
from assets.silver import LEDGER
from contracts.region import Site, Task
from features.build import build_features


def feature_asset(site: Site, task: Task) -> dg.AssetsDefinition:
    """``<site>/feature__<task>``: one row a unit, inputs and label; never leaves the site."""

    @dg.asset(
        key=[site.name, f"feature__{task.name}"],
        deps=[dg.AssetKey([site.name, LEDGER])],
        group_name="feature",
        kinds={"deltalake"},
        required_resource_keys={"hospital"},
        pool=f"engine_{site.name}",
    )
    def feature(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        hospital: Hospital = context.resources.hospital
        with hospital.confined():
            rows = build_features(hospital.spark, hospital.zone, hospital.region, task.name)
            hospital.report("features", f"{task.name}: {rows:,} rows")
            return dg.MaterializeResult(metadata={"rows": rows})

    return feature
