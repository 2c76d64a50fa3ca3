"""``cloister serve``: a region's released models as CDS Hooks."""

from __future__ import annotations

from pathlib import Path

import click

from pipelines.cli.options import PORT, region_argument, work_option


@click.command(
    epilog="""\b
Examples:
  cloister serve regions/demo --work work/demo
  cloister serve regions/demo --work work/demo --port 9443
"""
)
@region_argument
@work_option
@click.option("--port", type=PORT, default=8443, show_default=True, help="Port of the service on this machine.")
def command(region: Path, work: Path, port: int) -> None:
    """Serve REGION's released models to registered clinics over TLS, until Ctrl-C."""
    from contracts.region import load_region
    from contracts.zone import WorkArea
    from pipelines.gateway import DEMO_CLINIC, demo_clinic, gateway_command, replace_process, short

    found = load_region(region.resolve())
    area = WorkArea(work.resolve())
    argv = gateway_command(area, port)
    demo_clinic(area)
    root = short(area.pki / "root.crt")
    click.echo(f"Region '{found.name}' at https://localhost:{port} (Ctrl-C ends it). Try:")
    click.echo(f"  curl --cacert {root} https://localhost:{port}/cds-services")
    click.echo(
        f"  .venv/bin/cloister clinic token {DEMO_CLINIC} https://localhost:{port}/cds-services/ID --work {work}"
    )
    replace_process(argv)
