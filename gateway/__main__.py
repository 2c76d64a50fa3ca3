"""``python -m gateway --config FILE``: the gateway as a process of its own."""

from __future__ import annotations

import argparse
import contextlib
import socket
import sys
import time
from pathlib import Path

import uvicorn

from contracts.errors import CloisterError, UsageError, exit_code
from gateway.clinics import CLINICS, ClinicDirectory, read_clinics
from gateway.feedback import FeedbackCounts
from gateway.models import load_offers
from gateway.replay import UsedTokens
from gateway.service import make_service
from gateway.settings import GatewaySettings, load_settings
from gateway.tokens import TokenCheck
from governance.files import read_private


class _Server(uvicorn.Server):
    """Says when it can be called."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        if self.started:
            print(f"gateway: ready at https://{self.config.host}:{self.config.port}", flush=True)


def serve(settings: GatewaySettings) -> None:
    """Serve until stopped by a signal.

    Raises:
        CloisterError: a model, a key or a file is not sound, or the port is taken; then nothing is served.
    """
    offers = load_offers(settings.registry, settings.authority)
    read_private(settings.private_key)  # for its file mode
    read_clinics(settings.folder / CLINICS)
    _check_port(settings.host, settings.port)
    used = UsedTokens(settings.folder / "tokens.used", time.time())
    tokens = TokenCheck(ClinicDirectory(settings.folder / CLINICS), used, settings.max_token_seconds)
    counts = FeedbackCounts(settings.folder / "feedback.json")
    try:
        # no access log, and no log of ours holds a request: see gateway.guard
        config = uvicorn.Config(
            make_service(offers, tokens, counts, settings.url, settings.max_body_bytes),
            host=settings.host,
            port=settings.port,
            ssl_certfile=str(settings.certificate),
            ssl_keyfile=str(settings.private_key),
            log_level="warning",
            access_log=False,
            server_header=False,
            ws="none",
            h11_max_incomplete_event_size=16384,
            timeout_keep_alive=30,
        )
        with contextlib.suppress(KeyboardInterrupt):
            _Server(config).run()
    finally:
        used.close()


def _check_port(host: str, port: int) -> None:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise UsageError(f"port {port} of {host} cannot be used: {error.strerror}. Choose another port.") from error


def main() -> int:
    parser = argparse.ArgumentParser(prog="gateway", description="Serve released models as CDS Hooks.")
    parser.add_argument("--config", type=Path, required=True, help="settings file (TOML)")
    try:
        serve(load_settings(parser.parse_args().config))
    except CloisterError as error:
        print(f"gateway: {error}", file=sys.stderr)
        return exit_code(error)
    return 0


if __name__ == "__main__":
    sys.exit(main())
