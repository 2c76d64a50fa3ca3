"""The gateway as its own process: TLS, a clinic's call, and refusals to start."""

from __future__ import annotations

import signal
import socket
import ssl
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from gateway_process import running_gateway, write_settings
from gateway_region import visit


def _refused(settings: Path) -> tuple[int, list[str]]:
    done = subprocess.run(
        [sys.executable, "-m", "gateway", "--config", str(settings)], capture_output=True, text=True, timeout=60
    )
    return done.returncode, done.stderr.strip().splitlines()


def test_a_clinic_gets_a_hint_over_tls(tmp_path: Path) -> None:
    with running_gateway(tmp_path) as gateway, gateway.client() as client:
        assert client.get("/cds-services").json()["services"][0]["id"] == "triage"
        answer = client.post("/cds-services/triage", json=visit(), headers=gateway.headers())
        assert answer.status_code == 200, answer.text
        assert answer.json()["cards"][0]["extension"]["cloister.hints"][0]["code"] == "07"


def test_plain_http_and_a_stranger_to_the_root_get_nothing(tmp_path: Path) -> None:
    with running_gateway(tmp_path) as gateway:
        with pytest.raises(httpx.TransportError), httpx.Client() as client:
            client.get(gateway.url.replace("https", "http") + "/healthz")
        with pytest.raises(httpx.ConnectError), httpx.Client(verify=ssl.create_default_context()) as client:
            client.get(gateway.url + "/healthz")


def test_a_tampered_model_stops_the_gateway_at_its_start(tmp_path: Path) -> None:
    settings, _ = write_settings(tmp_path)
    weights = tmp_path / "registry" / "triage" / "m1" / "weights.npz"
    data = bytearray(weights.read_bytes())
    data[len(data) // 2] ^= 1
    weights.write_bytes(bytes(data))
    code, said = _refused(settings)
    assert (code, len(said)) == (5, 1)
    assert "altered" in said[0]


def test_wrong_use_ends_in_one_line(tmp_path: Path) -> None:
    settings, url = write_settings(tmp_path)
    with socket.create_server(("127.0.0.1", int(url.rsplit(":", 1)[1]))):
        assert _refused(settings)[1][0].endswith("Choose another port.")
    (tmp_path / "gateway" / "secrets" / "server.key").chmod(0o644)
    code, said = _refused(settings)
    assert (code, len(said)) == (4, 1)
    code, said = _refused(tmp_path / "absent.toml")
    assert (code, len(said)) == (2, 1)


def test_it_says_when_it_is_ready_and_ctrl_c_ends_it_without_a_word(tmp_path: Path) -> None:
    settings, url = write_settings(tmp_path)
    argv = [sys.executable, "-m", "gateway", "--config", str(settings)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().strip().endswith(url.rsplit(":", 1)[1])
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=30) == ("", "")
    assert process.returncode == 0
