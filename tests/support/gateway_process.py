"""A gateway as a process of its own, over TLS, with all that it writes captured."""

from __future__ import annotations

import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from gateway_region import release

from gateway.clinics import key_file, register_clinic
from gateway.tokens import load_clinic_key, make_token
from governance.certificates import issue_server, make_root


@dataclass(frozen=True)
class RunningGateway:
    """Its address, the region's root certificate and where its output goes."""

    url: str
    folder: Path
    root: Path
    log: Path

    def client(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, verify=ssl.create_default_context(cafile=str(self.root)), timeout=30)

    def headers(self, path: str = "/cds-services/triage") -> dict[str, str]:
        token = make_token(load_clinic_key(key_file(self.folder, "east")), self.url + path)
        return {"Authorization": f"Bearer {token}"}


def write_settings(folder: Path) -> tuple[Path, str]:
    """Everything a gateway needs below ``folder``; the settings file and the address."""
    registry, authority = release(folder)
    home, pki = folder / "gateway", folder / "pki"
    make_root(pki / "root.crt", folder / "root.key", "test region")
    hosts = ("localhost", "127.0.0.1")
    issue_server(
        pki / "root.crt", folder / "root.key", home / "secrets" / "server.crt", home / "secrets" / "server.key", hosts
    )
    register_clinic(home, "east")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    path = folder / "gateway.toml"
    path.write_text(
        f'folder = "gateway"\nregistry = "{registry}"\nauthority = "{authority}"\nport = {port}\n'
        f'base_url = "https://localhost:{port}"\n'
        'certificate = "gateway/secrets/server.crt"\nprivate_key = "gateway/secrets/server.key"\n'
    )
    return path, f"https://localhost:{port}"


@contextmanager
def running_gateway(folder: Path) -> Iterator[RunningGateway]:
    """Start a gateway, wait until it answers, stop it at the end."""
    settings, url = write_settings(folder)
    log = folder / "gateway.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "gateway", "--config", str(settings)],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
        )
    gateway = RunningGateway(url, folder / "gateway", folder / "pki" / "root.crt", log)
    try:
        _await_ready(gateway, process)
        yield gateway
    finally:
        process.terminate()
        process.wait(20)


def _await_ready(gateway: RunningGateway, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        assert process.poll() is None, gateway.log.read_text()
        try:
            with gateway.client() as client:
                client.get("/healthz").raise_for_status()
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise AssertionError("the gateway did not come up")
