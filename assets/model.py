"""Released models and, on public data, the baselines beside them."""

import dagster as dg

from assets.federation import Federation
from assets.training import training_key
from contracts.region import Task


def model_asset(task: Task) -> dg.AssetsDefinition:
    """``region/model_<task>``: the model of the finished run, signed by the authority, in the registry."""

    @dg.asset(
        key=["region", f"model_{task.name}"],
        deps=[training_key(task.name)],
        group_name="models",
        required_resource_keys={"federation"},
    )
    def model(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        federation: Federation = context.resources.federation
        folder, metrics = federation.release(task.name)
        return dg.MaterializeResult(metadata={"folder": str(folder), **metrics})

    return model


def baseline_asset(task: Task) -> dg.AssetsDefinition:
    """``region/baseline_<task>``: the same program on pooled rows and on each site's alone; public data only."""

    @dg.asset(
        key=["region", f"baseline_{task.name}"],
        deps=[dg.AssetKey(["region", f"model_{task.name}"])],
        group_name="baselines",
        required_resource_keys={"federation"},
    )
    def baseline(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        federation: Federation = context.resources.federation
        found = federation.compare(task.name)
        return dg.MaterializeResult(metadata={name: value for name, value in found["pooled"].items()})

    return baseline
