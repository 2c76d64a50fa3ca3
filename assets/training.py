"""Training of the region's tasks over encrypted sums: all chosen tasks share one session of Flower."""

from collections.abc import Iterator

import dagster as dg

from assets.federation import Federation
from contracts.region import Region


def training_key(task: str) -> dg.AssetKey:
    return dg.AssetKey(["region", f"training_{task}"])


def training_assets(region: Region) -> dg.AssetsDefinition:
    """``region/training_<task>``: the run's signed totals, from the sites' feature tables."""
    keys = {training_key(task.name): task.name for task in region.tasks}

    @dg.multi_asset(
        name="training",
        specs=[
            dg.AssetSpec(
                key,
                deps=[dg.AssetKey([site.name, f"feature__{name}"]) for site in region.sites],
                group_name="training",
                kinds={"flower", "tenseal"},
            )
            for key, name in keys.items()
        ],
        can_subset=True,
        required_resource_keys={"federation"},
    )
    def training(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult]:
        federation: Federation = context.resources.federation
        chosen = {keys[key]: key for key in context.selected_asset_keys}
        for name, figures in federation.train(list(chosen)).items():
            yield dg.MaterializeResult(
                asset_key=chosen[name],
                metadata={
                    "run": figures["run"],
                    "rounds": figures["rounds"],
                    "seconds": figures["seconds"],
                    "sites": len(figures["sites"]),
                    "bytes_per_slot": figures["bytes_per_slot"],
                },
            )

    return training
