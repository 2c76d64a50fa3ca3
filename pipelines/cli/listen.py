"""``cloister listen``: an MLLP listener that fills a hospital's landing folder."""

from __future__ import annotations

from pathlib import Path

import click

from pipelines.cli.options import region_argument, work_option

_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
_SECONDS = click.FloatRange(0, min_open=True)


@click.command(
    epilog="""\b
Examples:
  cloister listen regions/city north --work work/city --port 2575 --source lis__result
  cloister listen regions/city north --work work/city --port 2575 --source ADT=his__adt --source ORU=lis__result
  cloister listen regions/city north --work work/city --port 2575 --host 10.1.2.3 \\
    --tls-cert listener.crt --tls-key listener.key --tls-client-ca engines.crt
"""
)
@region_argument
@click.argument("site", metavar="SITE")
@work_option
@click.option("--port", type=click.IntRange(0, 65535), required=True, help="Port to listen on; 0 takes a free one.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--source",
    "routes",
    multiple=True,
    metavar="[TYPE=]SOURCE",
    help="Source that takes the messages (of a type: ADT, ORU, ...); may be repeated. Default: the site's only one.",
)
@click.option("--tls-cert", type=_FILE, help="Certificate chain of the listener (PEM).")
@click.option("--tls-key", type=_FILE, help="Its key (PEM).")
@click.option("--tls-client-ca", type=_FILE, help="Only senders with a certificate of this authority (PEM).")
@click.option("--without-tls", is_flag=True, help="Listen in plain text beyond this machine: the network is trusted.")
@click.option(
    "--close-seconds", type=_SECONDS, default=60.0, show_default=True, help="Age at which a file is handed to ingest."
)
@click.option(
    "--close-mib",
    type=click.IntRange(1),
    default=64,
    show_default=True,
    help="Size at which a file is handed to ingest.",
)
@click.option("--message-mib", type=click.IntRange(1), default=16, show_default=True, help="Largest message.")
@click.option("--connections", type=click.IntRange(1), default=64, show_default=True, help="Connections at once.")
@click.option(
    "--frame-seconds", type=_SECONDS, default=30.0, show_default=True, help="Time a message may take to arrive."
)
@click.option(
    "--idle-seconds", type=_SECONDS, default=3600.0, show_default=True, help="Time a connection may be silent."
)
def command(
    region: Path,
    site: str,
    work: Path,
    port: int,
    host: str,
    routes: tuple[str, ...],
    tls_cert: Path | None,
    tls_key: Path | None,
    tls_client_ca: Path | None,
    without_tls: bool,
    close_seconds: float,
    close_mib: int,
    message_mib: int,
    connections: int,
    frame_seconds: float,
    idle_seconds: float,
) -> None:
    """Receive HL7 v2 messages over MLLP for SITE of REGION, until Ctrl-C.

    A message is acknowledged (AA) once it is durable on disk; a file of messages is handed to the landing folder every
    minute. What cannot be read is answered AE and set aside, what no source takes is answered AR.
    """
    from pipelines.listen import ListenLimits
    from pipelines.listen_setup import listen, tls_context
    from pipelines.listen_store import StoreLimits

    tls = tls_context(host, tls_cert, tls_key, tls_client_ca, without_tls)
    limits = ListenLimits(message_mib << 20, connections, frame_seconds, idle_seconds)
    files = StoreLimits(close_seconds, close_mib << 20)
    listen(region.resolve(), site, work.resolve(), routes, host, port, tls, limits, files, click.echo)
