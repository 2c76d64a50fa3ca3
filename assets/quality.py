"""Great Expectations gates and the reconciliation as asset checks: counts only, never a patient value."""

import dagster as dg

from assets.hospital import Hospital
from assets.silver import LEDGER
from contracts.region import Site, Source
from fhir_mapping.spec.model import emitted_types
from fhir_mapping.validation import validate_sample
from quality.bronze_gate import bronze_gate
from quality.gate import GateResult
from quality.reconciliation import reconcile
from quality.silver_gate import silver_gate


def quality_checks(site: Site) -> list[dg.AssetChecksDefinition]:
    """A gate a bronze table, a gate a silver table, and the reconciliation that blocks all that is downstream."""
    bronze = [_bronze_check(site, source) for source in site.sources]
    silver = [_silver_check(site, resource) for resource in emitted_types(site)]
    return [*bronze, *silver, _validation(site), _reconciliation(site)]


def _bronze_check(site: Site, source: Source) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=dg.AssetKey([site.name, f"bronze_{source.name}"]),
        name=f"gate_{source.name}",
        blocking=True,
        required_resource_keys={"hospital"},
    )
    def gate(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
        hospital: Hospital = context.resources.hospital
        with hospital.confined():
            return _result(bronze_gate(hospital.zone, source))

    return gate


def _silver_check(site: Site, resource: str) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=dg.AssetKey([site.name, f"silver_fhir__{resource.lower()}"]),
        name=f"gate_{resource.lower()}",
        blocking=True,
        required_resource_keys={"hospital"},
    )
    def gate(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
        hospital: Hospital = context.resources.hospital
        with hospital.confined():
            return _result(silver_gate(hospital.zone, resource))

    return gate


def _reconciliation(site: Site) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=dg.AssetKey([site.name, LEDGER]),
        name="reconciliation",
        description="Records in = mapped + quarantined + skipped + superseded + erased, for every file, recounted",
        blocking=True,
        required_resource_keys={"hospital"},
    )
    def reconciliation(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
        hospital: Hospital = context.resources.hospital
        with hospital.confined():
            found = reconcile(hospital.zone)
            hospital.report("quality", f"{found.files} files recounted, {found.unexplained} records unexplained")
            return dg.AssetCheckResult(
                passed=found.unexplained == 0,
                metadata={
                    "files": found.files,
                    "records_in": found.records_in,
                    **found.dispositions,
                    "unexplained": found.unexplained,
                },
            )

    return reconciliation


def _validation(site: Site) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=dg.AssetKey([site.name, LEDGER]),
        name="fhir_resources",
        description="fhir.resources reads one resource of each distinct shape and a sample of the others",
        blocking=True,
        required_resource_keys={"hospital"},
    )
    def fhir_resources(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
        hospital: Hospital = context.resources.hospital
        with hospital.confined():
            found = validate_sample(hospital.zone)
            metadata = {"rows": found.rows, "shapes": found.shapes, "validated": found.validated}
            return dg.AssetCheckResult(passed=True, metadata=metadata)

    return fhir_resources


def _result(gate: GateResult) -> dg.AssetCheckResult:
    """Warnings show in the metadata; only a blocking expectation fails the check."""
    failed = [check.name for check in gate.failed]
    return dg.AssetCheckResult(
        passed=gate.success,
        severity=dg.AssetCheckSeverity.ERROR if not gate.success else dg.AssetCheckSeverity.WARN,
        metadata={
            "expectations": len(gate.checks),
            "failed": failed,
            **{f"{check.name}.{name}": value for check in gate.checks for name, value in check.counts.items()},
        },
    )
