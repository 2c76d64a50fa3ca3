"""Silver of one hospital: pseudonymous FHIR, the quarantine and the ledger; a pure function of the mapped tables."""

from collections.abc import Iterator

import dagster as dg

from assets.hospital import Hospital
from contracts.region import Site
from fhir_mapping.silver import build_silver
from fhir_mapping.spec.model import emitted_types

LEDGER = "ledger__file"
BESIDE = ("superseded__resource", "pending__reference", "quarantine__record")


def silver_assets(site: Site) -> dg.AssetsDefinition:
    """``<site>/silver_fhir__<resource>`` a resource type, ``<site>/quarantine__record``, ``<site>/ledger__file``."""
    mapped = [dg.AssetKey([site.name, f"mapped_{source.name}"]) for source in site.sources]
    names = [*(f"silver_fhir__{name.lower()}" for name in emitted_types(site)), *BESIDE, LEDGER]

    @dg.multi_asset(
        name=f"{site.name}__silver",
        specs=[
            dg.AssetSpec([site.name, name], deps=mapped, group_name="silver", kinds={"deltalake"}) for name in names
        ],
        required_resource_keys={"hospital"},
        pool=f"engine_{site.name}",
    )
    def silver(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult]:
        hospital: Hospital = context.resources.hospital
        with hospital.confined():
            report = build_silver(hospital.spark, hospital.zone, hospital.region, hospital.site)
            hospital.report(
                "silver",
                f"{report.records_in:,} records: {report.mapped:,} mapped, {report.quarantined:,} quarantined, "
                f"{report.skipped:,} skipped, {report.superseded:,} superseded; "
                f"{sum(report.resources_out.values()):,} resources",
            )
            out = {f"silver_fhir__{resource.lower()}": count for resource, count in report.resources_out.items()}
            for name in names:
                metadata = {"resources": out[name]} if name in out else {"records_in": report.records_in}
                yield dg.MaterializeResult(asset_key=[site.name, name], metadata=metadata)

    return silver
