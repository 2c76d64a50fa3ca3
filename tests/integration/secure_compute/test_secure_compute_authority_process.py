"""The key authority as a process of its own: TLS, one caller, and what a kill at a bad moment costs."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from secure_region import PROGRAM, TASK, SecureRegion, forge

from contracts.errors import CloisterError, CredentialError, RefusedError
from contracts.messages import MODEL_SIGNATURE, ModelSignature
from contracts.sums import Block
from contracts.wire import digest
from governance.audit import read_audit, verify_audit
from governance.certificates import issue_server, make_root
from governance.files import write_durable, write_private
from governance.signing import open_record
from secure_compute.authority_client import AuthorityClient

LAYOUT = (Block("count", (4,), 100.0),)
WIDE = (Block("gradient", (800_000,), 8.0, 2.0**-16),)
SITES = ("east", "west")
TOKEN = "a token of this test"


def make_terms(layout: tuple[Block, ...]) -> dict[str, dict[str, np.ndarray]]:
    return {
        site: {block.name: np.full(block.shape, 1.5 + number) for block in layout} for number, site in enumerate(SITES)
    }


class Process:
    """The authority of a region in a process, restartable at the same port."""

    def __init__(self, region: SecureRegion) -> None:
        self.region = region
        root, key = region.root / "root.crt", region.root / "root.key"
        make_root(root, key, "test region")
        server = region.folder / "secrets" / "server.crt"
        hosts = ("localhost", "127.0.0.1")
        issue_server(root, key, server, server.with_suffix(".key"), hosts, vault=region.vault)
        write_private(region.folder / "secrets" / "coordinator.token", TOKEN.encode())
        write_durable(region.root / "roster.json", region.signed_roster)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"https://127.0.0.1:{self.port}"
        self.config = region.root / "authority.toml"
        self.config.write_text(
            f'folder = "authority"\nport = {self.port}\ncertificate = "authority/secrets/server.crt"\n'
            'private_key = "authority/secrets/server.key"\ntoken_file = "authority/secrets/coordinator.token"\n'
            f'roster = "roster.json"\ncommission = "{region.commission.public}"\n'
            'passphrase_file = "authority.passphrase"\n'
        )
        self.running: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", "secure_compute.authority", "--config", str(self.config)]
        self.running = subprocess.Popen(command, stderr=subprocess.PIPE)
        with self.client() as client:
            client.wait_ready()

    def client(self, token: str = TOKEN, ca: Path | None = None, patience: float = 60.0) -> AuthorityClient:
        memory, root = self.region.root / "coordinator.head", ca or self.region.root / "root.crt"
        return AuthorityClient(self.url, root, token, self.region.roster, memory, patience_seconds=patience)

    def kill(self) -> None:
        if self.running is not None:
            self.running.kill()
            self.running.communicate()
            self.running = None


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Process]:
    made = Process(SecureRegion(tmp_path, SITES))
    made.start()
    yield made
    made.kill()


def test_a_run_over_tls_from_keys_to_a_signed_model(process: Process) -> None:
    with process.client() as client:
        run = process.region.start(client)
        total = run.open(LAYOUT, make_terms(LAYOUT))
        assert np.array_equal(total.values()["count"], np.full(4, 4.0))
        with pytest.raises(RefusedError) as refused:
            client.open(run.run, forge(run.request(LAYOUT, run.contributions(LAYOUT, make_terms(LAYOUT))), round=0))
        assert refused.value.code == "already_opened"
        client.close_run(run.run)
        signed = client.sign_model(run.run, digest(b"card"))
    statement = open_record(signed, MODEL_SIGNATURE, ModelSignature, process.region.roster.authority)
    assert (statement.run, statement.rounds, statement.state) == (run.run, 1, run.aggregator.state)
    assert verify_audit(process.region.folder / "audit.jsonl") >= 7


def test_only_the_coordinators_token_is_answered(process: Process) -> None:
    with process.client(token="another") as stranger, pytest.raises(CredentialError):
        stranger.create_run(TASK, PROGRAM)
    bare = httpx.get(f"{process.url}/v1/health", verify=False)
    assert bare.status_code == 401
    assert httpx.get(f"{process.url}/openapi.json", verify=False).status_code in (401, 404)


def test_a_coordinator_trusts_the_regions_root_alone(process: Process) -> None:
    foreign, key = process.region.root / "foreign.crt", process.region.root / "foreign.key"
    make_root(foreign, key, "another region")
    with process.client(ca=foreign) as client, pytest.raises(CloisterError, match="does not answer"):
        client.create_run(TASK, PROGRAM)


def test_a_request_is_sent_again_while_the_authority_is_away(process: Process) -> None:
    process.kill()
    with process.client(patience=0.0) as hasty, pytest.raises(CloisterError, match="does not answer"):
        hasty.create_run(TASK, PROGRAM)
    returning = threading.Timer(0.5, process.start)
    returning.start()
    with process.client() as client:
        assert process.region.start(client).run
    returning.join()


def test_a_secret_file_that_others_may_read_stops_the_start(process: Process) -> None:
    process.kill()
    (process.region.folder / "secrets" / "authority.key").chmod(0o640)
    command = [sys.executable, "-m", "secure_compute.authority", "--config", str(process.config)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 4
    assert ended.stderr.count("\n") == 1
    assert "expected 0600" in ended.stderr


def test_after_a_kill_between_intent_and_answer_the_same_request_alone_is_answered(process: Process) -> None:
    with process.client() as client:
        run = process.region.start(client)
        terms = make_terms(WIDE)
        for _ in range(5):
            request = run.request(WIDE, run.contributions(WIDE, terms))
            if kill_after_intent(process, run.run, request):
                break
            total = run.aggregator.accept_total(client.open(run.run, request))  # it answered before the kill
            for session in run.sessions.values():
                session.accept_total(client.open(run.run, request))
            assert total.header.round + 1 == run.aggregator.round
        else:
            pytest.fail("the authority was never killed between intent and answer")
        process.start()
        with pytest.raises(RefusedError, match="already_opened"):
            client.open(run.run, forge(request, attempt=9))
        answer = client.open(run.run, request)
        assert client.open(run.run, request) == answer
        assert np.array_equal(run.aggregator.accept_total(answer).values()["gradient"], np.full(800_000, 4.0))
    intents = [e for e in read_audit(process.region.folder / "audit.jsonl") if e.event == "intent"]
    assert len(intents) == run.aggregator.round


def kill_after_intent(process: Process, run: str, request: bytes) -> bool:
    """Send a request and kill the authority as soon as its intent is in the ledger.

    Returns whether no answer was stored by then; the authority runs again when one was.
    """
    audit = process.region.folder / "audit.jsonl"
    before = audit.read_bytes().count(b'"event":"intent"')

    def ask() -> None:
        with process.client(patience=0.0) as client, contextlib.suppress(CloisterError):
            client.open(run, request)

    asking = threading.Thread(target=ask)
    asking.start()
    while audit.read_bytes().count(b'"event":"intent"') == before:
        time.sleep(0.0005)
    process.kill()
    asking.join()
    if not (process.region.folder / "ledger" / run / f"total-{before}.sealed").exists():
        return True
    process.start()
    return False


def test_a_restored_old_ledger_is_refused(process: Process) -> None:
    backup = process.region.root / "backup"
    process.kill()
    shutil.copytree(process.region.folder, backup)
    process.start()
    with process.client() as client:
        run = process.region.start(client)
        run.open(LAYOUT, make_terms(LAYOUT))
    process.kill()
    shutil.rmtree(process.region.folder)
    os.rename(backup, process.region.folder)
    process.start()
    with process.client() as client, pytest.raises(RefusedError, match="ledger_restored"):
        client.create_run(TASK, PROGRAM)
    (process.region.root / "coordinator.head").unlink()  # a coordinator that forgets on purpose: sites remember
    with process.client() as client:
        session = process.region.session("east")
        descriptor = client.create_run(TASK, PROGRAM)
        key = session.join(descriptor, PROGRAM)
        with pytest.raises(RefusedError, match="ledger_restored"):
            client.register_keys(session.run.descriptor.run, {"east": key})


def test_an_altered_audit_chain_stops_the_start(process: Process) -> None:
    with process.client() as client:
        process.region.start(client)
    process.kill()
    audit = process.region.folder / "audit.jsonl"
    audit.write_bytes(audit.read_bytes().replace(b'"site":"east"', b'"site":"wurst"'))
    command = [sys.executable, "-m", "secure_compute.authority", "--config", str(process.config)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 5
    assert "entry 1 was altered" in ended.stderr
