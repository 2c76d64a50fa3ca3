"""What keeps the authority's process, and a worker's, from starting: one line, its exit code, nothing begun."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from secure_region import SecureRegion

from federated.coordinator import __main__ as coordinator
from federated.coordinator.settings import CoordinatorSettings
from federated.site import worker
from federated.site.settings import WorkerSettings
from governance.certificates import issue_server, make_root
from governance.files import write_durable, write_private
from secure_compute.authority import __main__ as authority

SITES = ("east", "west")


class Laid:
    """An authority's files, ready to be served."""

    def __init__(self, root: Path) -> None:
        self.root, self.region = root, SecureRegion(root, SITES)
        self.secrets, self.passphrase = self.region.folder / "secrets", root / "authority.passphrase"
        make_root(root / "root.crt", root / "root.key", "test region")
        certificate, key = self.secrets / "server.crt", self.secrets / "server.key"
        issue_server(root / "root.crt", root / "root.key", certificate, key, ("localhost",), vault=self.region.vault)
        write_private(self.secrets / "coordinator.token", b"a token of this test")
        write_durable(root / "roster.json", self.region.signed_roster)
        self.unlock('passphrase_file = "authority.passphrase"')

    def unlock(self, line: str) -> None:
        (self.root / "authority.toml").write_text(
            'folder = "authority"\nport = 9443\ncertificate = "authority/secrets/server.crt"\n'
            'private_key = "authority/secrets/server.key"\ntoken_file = "authority/secrets/coordinator.token"\n'
            f'roster = "roster.json"\ncommission = "{self.region.commission.public}"\n{line}\n'
        )


@pytest.fixture
def laid(tmp_path: Path) -> Laid:
    return Laid(tmp_path)


@pytest.fixture
def start(
    laid: Laid, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[[], tuple[int, str]]:
    """Start the authority up to the moment where it would listen; exit code and what it said."""
    monkeypatch.setattr(sys, "argv", ["authority", "--config", str(laid.root / "authority.toml")])
    monkeypatch.setattr(authority.uvicorn, "run", lambda *_, **options: print(f"listens on {options['port']}"))

    def run() -> tuple[int, str]:
        code = authority.main()
        said = capsys.readouterr()
        return code, said.out + said.err

    return run


def beside_the_keys(laid: Laid) -> None:
    write_private(laid.secrets / "passphrase", laid.passphrase.read_bytes())
    laid.unlock('passphrase_file = "authority/secrets/passphrase"')


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


SPOILED: dict[str, tuple[Callable[[Laid], object], int, str]] = {
    "no passphrase": (lambda laid: laid.passphrase.unlink(), 4, "no passphrase file"),
    "a wrong passphrase": (lambda laid: laid.passphrase.write_bytes(b"another passphrase"), 4, "does not open"),
    "a passphrase that others may read": (lambda laid: laid.passphrase.chmod(0o644), 4, "expected 0600"),
    "a passphrase beside the keys": (beside_the_keys, 4, "move it out"),
    "a passphrase and a command": (
        lambda laid: laid.unlock('passphrase_file = "authority.passphrase"\nunwrap_command = ["a"]'), 3, "one of them"
    ),
    "neither": (lambda laid: laid.unlock(""), 3, "one of them"),
    "a command that gives no key": (lambda laid: laid.unlock('unwrap_command = ["false"]'), 4, "opened by passphrase"),
    "no vault": (lambda laid: (laid.secrets / "vault.json").unlink(), 4, "not sealed yet"),
    "an altered identity": (lambda laid: flip(laid.secrets / "authority.key"), 5, "not what this vault sealed"),
    "an identity in plain": (
        lambda laid: (laid.secrets / "authority.key").write_bytes(bytes(32)), 5, "not what this vault sealed"
    ),
    "an altered TLS key": (lambda laid: flip(laid.secrets / "server.key"), 5, "issue the certificate again"),
    "a token that others may read": (lambda laid: (laid.secrets / "coordinator.token").chmod(0o640), 4, "chmod 600"),
    "secrets that others may write": (lambda laid: laid.secrets.chmod(0o770), 4, "chmod 700"),
}  # fmt: skip


@pytest.mark.parametrize("name", SPOILED)
def test_the_authority_does_not_start_with(name: str, laid: Laid, start: Callable[[], tuple[int, str]]) -> None:
    spoil, expected, words = SPOILED[name]
    spoil(laid)
    code, said = start()
    assert code == expected
    assert words in said and said.count("\n") == 1 and said.startswith("authority: ")
    assert not (laid.region.folder / "audit.jsonl").exists()


def test_the_authority_starts_when_nothing_is_wrong(laid: Laid, start: Callable[[], tuple[int, str]]) -> None:
    assert start() == (0, "listens on 9443\n")


def test_a_coordinator_does_not_start_with_a_secret_that_others_may_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = CoordinatorSettings(
        region=tmp_path,
        tasks=("triage",),
        folder=tmp_path / "runs",
        roster=tmp_path / "roster.json",
        commission="0" * 64,
        port=1,
        ca=tmp_path / "root.crt",
        secrets=tmp_path / "secrets",
        authority="https://127.0.0.1:1",
        memory=tmp_path / "authority.memory",
        node_keys={},
    )
    write_durable(tmp_path / "coordinator.json", settings.model_dump_json().encode())
    write_durable(tmp_path / "secrets" / "authority.token", b"secret", 0o644)
    assert coordinator.main(["--config", str(tmp_path / "coordinator.json")]) == 4
    (line,) = capsys.readouterr().out.splitlines()
    event = json.loads(line)
    assert event["error"] == "CredentialError" and "chmod 600" in event["message"]
    assert not settings.folder.exists()


def test_a_worker_does_not_start_with_a_secret_that_others_may_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    zone = tmp_path / "east"
    settings = WorkerSettings(
        site="east",
        zone=zone,
        region=tmp_path,
        roster=tmp_path / "roster.json",
        commission="0" * 64,
        runtime="127.0.0.1:1",
        ca=tmp_path / "root.crt",
        log_file=zone / "logs" / "worker.log",
    )
    write_durable(tmp_path / "worker.json", settings.model_dump_json().encode())
    write_durable(zone / "secrets" / "pseudonym.key", b"secret", 0o640)
    assert worker.main(["--config", str(tmp_path / "worker.json")]) == 4
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "chmod 600" in said and "pseudonym.key" in said
    assert not settings.log_file.exists()
