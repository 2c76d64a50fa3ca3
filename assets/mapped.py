"""Mapped records of one hospital: what each emits, its errors or the rule that skipped it, by day of delivery."""

from collections.abc import Iterator

import dagster as dg

from assets.hospital import Hospital
from contracts.region import Site
from fhir_mapping.bronze import landing_days
from fhir_mapping.mapping import map_day


def mapped_assets(site: Site, days: dg.PartitionsDefinition) -> dg.AssetsDefinition:
    """One ``<site>/mapped_<source>`` a source, from its bronze table."""
    names = [source.name for source in site.sources]

    @dg.multi_asset(
        name=f"{site.name}__mapped",
        specs=[
            dg.AssetSpec(
                [site.name, f"mapped_{name}"],
                deps=[dg.AssetKey([site.name, f"bronze_{name}"])],
                group_name="mapped",
                kinds={"deltalake"},
            )
            for name in names
        ],
        partitions_def=days,
        backfill_policy=dg.BackfillPolicy.single_run(),
        required_resource_keys={"hospital"},
        pool=f"engine_{site.name}",
    )
    def mapped(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult]:
        hospital: Hospital = context.resources.hospital
        with hospital.confined():
            delivered = set(landing_days(hospital.zone))
            wanted = [day for day in context.partition_keys if day in delivered]
            map_day(hospital.spark, hospital.zone, hospital.region, hospital.site, wanted)
            hospital.report("mapped", f"{len(names)} sources, {len(wanted)} days")
            for name in names:
                yield dg.MaterializeResult(asset_key=[site.name, f"mapped_{name}"], metadata={"days": len(wanted)})

    return mapped
