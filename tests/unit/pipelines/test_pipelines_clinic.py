"""``cloister clinic``: who may call the gateway."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner

from contracts.errors import UsageError
from gateway.tokens import make_clinic_key, public_jwks
from pipelines.cli.clinic import command


def test_clinics_are_registered_get_tokens_and_are_removed(tmp_path: Path) -> None:
    run = CliRunner().invoke
    work = ["--work", str(tmp_path)]
    assert "urn:cloister:clinic:east" in run(command, ["register", "east", *work]).output
    token = run(command, ["token", "east", "https://localhost:8443/cds-services/triage", *work]).output
    assert token.count(".") == 2
    jwks = tmp_path / "west.json"
    jwks.write_text(json.dumps(public_jwks(make_clinic_key("x:y"))), encoding="utf-8")
    assert run(command, ["register", "west", "--jwks", str(jwks), *work]).exit_code == 0
    assert "private key" not in run(command, ["register", "west", "--jwks", str(jwks), *work]).output
    assert run(command, ["remove", "east", *work]).exit_code == 0
    again = run(command, ["remove", "east", *work])
    assert isinstance(again.exception, UsageError)
    assert "no clinic 'east'" in str(again.exception)


def test_a_clinic_whose_key_was_not_made_here_gets_no_token(tmp_path: Path) -> None:
    asked = ["token", "east", "https://localhost:8443/cds-services/triage", "--work", str(tmp_path)]
    assert isinstance(CliRunner().invoke(command, asked).exception, UsageError)
