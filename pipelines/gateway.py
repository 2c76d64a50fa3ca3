"""The gateway's process on one machine: its settings, how it is started, and a clinic to try it with."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from contracts.errors import UsageError
from contracts.zone import WorkArea
from gateway.clinics import CLINICS, key_file, read_clinics, register_clinic
from gateway.tokens import load_clinic_key, make_token
from governance.files import write_durable
from pipelines.models import trusted_authority
from pipelines.parties import AUTHORITY_KEY
from pipelines.ports import LOOPBACK, require_free

DEMO_CLINIC = "demo"


def gateway_command(area: WorkArea, port: int) -> tuple[str, ...]:
    """Write the gateway's settings; the command line that serves them. Raises UsageError: port taken, no model."""
    require_free(port, "--port")
    if not any(area.registry.glob("*/current")):
        raise UsageError(f"no released model in {area.registry}: run the region first (make demo, or cloister run)")
    folder = area.gateway
    settings = {
        "folder": str(folder),
        "registry": str(area.registry),
        "authority": trusted_authority(area.pki / AUTHORITY_KEY),
        "host": LOOPBACK,
        "port": port,
        "base_url": f"https://localhost:{port}",
        "certificate": str(folder / "secrets" / "server.crt"),
        "private_key": str(folder / "secrets" / "server.key"),
    }
    config = folder / "gateway.toml"
    write_durable(config, "".join(f"{name} = {json.dumps(value)}\n" for name, value in settings.items()).encode())
    return (sys.executable, "-m", "gateway", "--config", str(config))


def demo_clinic(area: WorkArea) -> None:
    """Register the clinic ``demo``, whose key the gateway makes, unless it is there."""
    if DEMO_CLINIC not in {clinic.name for clinic in read_clinics(area.gateway / CLINICS)}:
        register_clinic(area.gateway, DEMO_CLINIC)


def clinic_token(area: WorkArea, clinic: str, url: str, seconds: int = 60) -> str:
    """A token for one call of ``url``, made with the key of a clinic whose key the gateway made."""
    path = key_file(area.gateway, clinic)
    if not path.is_file():
        raise UsageError(f"no private key of clinic '{clinic}' at {path}: register it with `cloister clinic register`")
    return make_token(load_clinic_key(path), url, seconds)


def replace_process(argv: tuple[str, ...]) -> None:
    """Become the gateway: its exit code and signals are this command's."""
    sys.stdout.flush()
    os.execv(argv[0], argv)


def short(path: Path) -> str:
    """A path as a person in the current folder would write it."""
    return os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path)
