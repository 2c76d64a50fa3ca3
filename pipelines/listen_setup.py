"""From a region's folder and options to a running listener."""

from __future__ import annotations

import asyncio
import ipaddress
import ssl
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from contracts.errors import UsageError
from contracts.region import Site, Source, load_region
from contracts.zone import WorkArea
from pipelines.listen import ANY, Listener, ListenLimits
from pipelines.listen_store import Store, StoreLimits


def listen(
    region: Path,
    site: str,
    work: Path,
    routes: Sequence[str],
    host: str,
    port: int,
    tls: ssl.SSLContext | None,
    limits: ListenLimits,
    files: StoreLimits,
    say: Callable[[str], object],
) -> None:
    """Listen until the process is told to stop.

    Args:
        routes: ``SOURCE``, or ``TYPE=SOURCE`` for messages of a type; none: the site's only HL7 v2 source takes all.

    Raises:
        UsageError: no such region, site or source; the port is taken; another listener runs on a source.
    """
    found = load_region(region)
    own = found.site(site)
    zone = WorkArea(work).site(site)
    time_zone = ZoneInfo(found.timezone)

    def clock() -> datetime:
        return datetime.now(time_zone)

    by_type = read_routes(own, routes)
    stores = {source.name: Store(zone, own, source, clock, files) for source in by_type.values()}
    listener = Listener(
        {kind: stores[source.name] for kind, source in by_type.items()}, next(iter(stores.values())), clock, limits
    )

    def started(number: int) -> None:
        kinds = ", ".join(f"{kind} -> {source.name}" for kind, source in by_type.items())
        secured = "TLS" if tls else "plain text"
        say(f"Listening on {host}:{number} ({secured}) for site '{site}': {kinds} (Ctrl-C ends it).")

    asyncio.run(listener.serve(host, port, tls, started))
    counts = listener.counts
    say(f"Stopped: {counts['accept']} accepted, {counts['error']} not readable, {counts['reject']} rejected.")


def read_routes(site: Site, routes: Sequence[str]) -> dict[str, Source]:
    """Sources by message type, ``ANY`` for all others.

    Raises:
        UsageError: no HL7 v2 source, or none of this name; a type given twice; several to choose from.
    """
    feeds = {source.name: source for source in site.sources if source.format == "hl7v2"}
    if not feeds:
        raise UsageError(f"site '{site.name}' has no HL7 v2 source: a listener needs one with format = \"hl7v2\"")
    if not routes:
        if len(feeds) != 1:
            raise UsageError(
                f"site '{site.name}' has {len(feeds)} HL7 v2 sources ({', '.join(sorted(feeds))}); "
                "name one with --source, or one a message type with --source ADT=..."
            )
        return {ANY: next(iter(feeds.values()))}
    found: dict[str, Source] = {}
    for route in routes:
        kind, _, name = route.rpartition("=")
        if name not in feeds:
            raise UsageError(f"site '{site.name}' has no HL7 v2 source '{name}'; it has {', '.join(sorted(feeds))}")
        key = kind.strip().upper() or ANY
        if key in found:
            raise UsageError(f"--source names {key} twice; give each message type one source")
        found[key] = feeds[name]
    return found


def tls_context(
    host: str, cert: Path | None, key: Path | None, client_ca: Path | None, without_tls: bool
) -> ssl.SSLContext | None:
    """The listener's TLS; None on this machine alone, or where plain text is asked for.

    Raises:
        UsageError: options that do not go together, files that are no certificate and key, or an address beyond this
            machine without TLS.
    """
    if (cert is None) != (key is None) or (client_ca is not None and cert is None):
        raise UsageError("give --tls-cert and --tls-key together, and --tls-client-ca only with them")
    if cert is None or key is None:
        if not without_tls and not _is_loopback(host):
            raise UsageError(
                f"{host} can be reached from other machines: give --tls-cert and --tls-key, "
                "or --without-tls where the network itself is trusted"
            )
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(cert, key)
        if client_ca is not None:
            context.load_verify_locations(client_ca)
            context.verify_mode = ssl.CERT_REQUIRED
    except (ssl.SSLError, OSError) as error:
        raise UsageError(f"{cert}, {key}: no certificate with its key in PEM form ({type(error).__name__})") from error
    return context


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
