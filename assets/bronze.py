"""Bronze of one hospital: the manifest of delivered files and one lossless row a source record, by day of delivery."""

from collections.abc import Iterator

import dagster as dg

from assets.hospital import Hospital
from contracts.region import Site
from fhir_mapping.bronze import ingest_day, landing_days
from fhir_mapping.manifest import REFUSED, read_manifest


def bronze_assets(site: Site, days: dg.PartitionsDefinition) -> dg.AssetsDefinition:
    """``<site>/manifest__file`` and one ``<site>/bronze_<source>`` a source; a backfill over many days is one run."""
    landing = dg.AssetKey([site.name, "landing"])
    names = ["manifest__file", *(f"bronze_{source.name}" for source in site.sources)]

    @dg.multi_asset(
        name=f"{site.name}__bronze",
        specs=[
            dg.AssetSpec([site.name, name], deps=[landing], group_name="bronze", kinds={"deltalake"}) for name in names
        ],
        partitions_def=days,
        backfill_policy=dg.BackfillPolicy.single_run(),
        required_resource_keys={"hospital"},
        pool=f"engine_{site.name}",
    )
    def bronze(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult]:
        hospital: Hospital = context.resources.hospital
        with hospital.confined():
            delivered = set(landing_days(hospital.zone))
            wanted = [day for day in context.partition_keys if day in delivered]
            reports = [ingest_day(hospital.zone, hospital.site, day) for day in wanted]
            files = sum(report.files for report in reports)
            records = sum(report.records for report in reports)
            refused = sum(report.refused for report in reports)
            words = f"{files} files, {records:,} records, {len(wanted)} days"
            hospital.report("bronze", words + (f", {refused} files refused" if refused else ""))
            delivered_now = [entry for entry in read_manifest(hospital.zone) if entry.delivery_date in wanted]
            for name in names:
                own = [e for e in delivered_now if name in ("manifest__file", f"bronze_{e.source}")]
                counts = {
                    "files": len(own),
                    "records": sum(entry.records for entry in own),
                    "refused_files": sum(entry.status == REFUSED for entry in own),
                }
                yield dg.MaterializeResult(asset_key=[site.name, name], metadata=counts)

    return bronze
