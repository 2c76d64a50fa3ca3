"""Rounds through real processes: authority, SuperLink, SuperNodes with workers, coordinator. One deployment."""

from __future__ import annotations

import hashlib
import os
import ssl
import time
from collections.abc import Iterator
from pathlib import Path

import counting_programs
import httpx
import numpy as np
import pytest
from counting_bed import counting_bed

from benchmarks.federation_bed import Bed
from contracts.errors import CredentialError, QuorumError
from contracts.messages import Refusal, RefusalCode, TermHeader, parse_site_message
from contracts.region import Task, load_region
from contracts.wire import unpack
from federated import keys, processes
from federated.coordinator.checkpoint import read_result, replay
from federated.coordinator.flower_run import Credentials
from federated.coordinator.session import Session
from federated.coordinator.task_run import TaskRun
from federated.envelope import Request, pack_requests
from federated.guard import TOKEN_HEADER
from federated.marker import MARKER_PROJECT, build_bundle
from federated.site.supernode import NODE_ID
from governance.audit import read_audit, verify_audit
from governance.roster import load_roster
from pipelines.ports import free_ports
from secure_compute.authority_client import AuthorityClient

SITES = ("east", "north", "south", "west")
LATE = "west"
VALUES = {"east": [1.0, 2.5, -3.0], "north": [4.0, 0.25], "south": [10.0, -7.5, 0.0, 1.0], "west": [-2.0, 6.5]}
POOLED = np.concatenate(list(VALUES.values()))


@pytest.fixture(scope="module")
def bed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bed]:
    """All parties up but the SuperNode and worker of one site."""
    bed = counting_bed(tmp_path_factory.mktemp("federation"), VALUES)
    try:
        bed.start([site for site in SITES if site != LATE])
        yield bed
    finally:
        bed.stop()


@pytest.fixture(scope="module")
def whole(bed: Bed) -> Bed:
    """The same with every site."""
    bed.start_site(LATE)
    bed.wait_port(f"supernode-{LATE}", bed.node_ports[LATE])
    with bed.session() as session:
        assert session.wait_online(60) == set(SITES)
    return bed


def task(bed: Bed) -> Task:
    return load_region(bed.region).task("count")


def ledger(bed: Bed, site: str, name: str = "ledger.jsonl") -> list[dict[str, object]]:
    path = bed.area.site(site).egress / name
    return [{"event": entry.event, **entry.facts} for entry in read_audit(path)] if path.exists() else []


def authority_events(bed: Bed) -> list[str]:
    return [entry.event for entry in read_audit(bed.area.authority / "audit.jsonl")]


def test_a_site_that_never_comes_ends_the_run_in_time_with_a_clear_message_and_nothing_opened(bed: Bed) -> None:
    started = time.monotonic()
    code, events = bed.run_coordinator(bed.coordinator_settings("count", online_seconds=2.0))
    assert code == QuorumError.exit_code
    assert events[0] == {"event": "online", "sites": ["east", "north", "south"], "absent": [LATE]}
    assert events[-1]["error"] == "QuorumError"
    assert "3 of 4 sites joined, the quorum is 4; missing: west (no_answer)" in events[-1]["message"]
    assert "opened" not in authority_events(bed)
    assert time.monotonic() - started < 60


def test_opened_totals_are_the_plain_sums_of_all_sites(whole: Bed) -> None:
    code, events = whole.run_coordinator(whole.coordinator_settings("count"))
    assert (code, events[-1]["event"]) == (0, "done")
    roster = load_roster(whole.roster, whole.commission.public)
    state = replay(whole.area.coordinator / "runs" / "count", counting_programs.Counting(), roster)
    assert state["rows"] == len(POOLED)
    assert state["x"] == POOLED.sum()
    assert state["positive"] == [(POOLED > 0).sum(), (POOLED <= 0).sum()]
    assert state["squares"] == pytest.approx(((POOLED - POOLED.mean()) ** 2).sum(), abs=len(SITES) * 2.0**-11)


def test_the_egress_ledger_holds_exactly_the_messages_sent_and_its_chain_is_whole(whole: Bed) -> None:
    before = {site: len(ledger(whole, site)) for site in SITES}
    code, _ = whole.run_coordinator(whole.coordinator_settings("count"))
    assert code == 0
    result = read_result(whole.area.coordinator / "runs" / "count")
    assert result["bytes_per_slot"] <= 16.5
    for site in SITES:
        sent = ledger(whole, site)[before[site] :]
        assert [entry["kind"] for entry in sent] == ["key", "term", "share", "term", "share", "heartbeat"]
        assert [entry["round"] for entry in sent if entry["kind"] == "term"] == [0, 1]
        assert sum(int(str(e["bytes"])) for e in sent) == result["bytes_out"][site]
        assert verify_audit(whole.area.site(site).egress / "ledger.jsonl") == before[site] + 6


def test_a_stranger_reaches_neither_control_nor_runtime_nor_the_documentation(bed: Bed) -> None:
    with httpx.Client(verify=tls(bed), base_url=f"https://{bed.link.address}") as stranger:
        for path in ("/v1/control/start-run", "/v1/control/register-node", "/v1/runtime/acquire-task", "/docs"):
            for headers in ({}, {TOKEN_HEADER: "0" * 64}):
                assert stranger.post(path, headers=headers).status_code == 401
        assert stranger.post("/v1/fleet/register-node").status_code == 401
        assert stranger.get("/health").status_code == 200
    with pytest.raises(CredentialError, match="refused to start a run"):
        Session(bed.link, Credentials(b"0" * 64, bed.credentials.secret), bed.node_keys)


def tls(bed: Bed) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(bed.link.ca))


def test_a_supernode_with_a_key_that_was_never_registered_is_turned_away(bed: Bed, tmp_path: Path) -> None:
    secrets = tmp_path / "secrets"
    keys.make_site_secrets(secrets)
    for name in ("runtime.crt", "runtime.key"):
        (secrets / name).write_bytes((bed.area.site("east").secrets / name).read_bytes())
    port = free_ports(1)[0]
    bed.launch("stranger", processes.supernode(bed.link, secrets, tmp_path / "flwr", port))
    try:
        bed.wait_port("stranger", port)
        assert wait_for_log(bed, "stranger", "does not know this SuperNode")
        with bed.session() as session:
            assert session.online() <= set(SITES)
        assert not (tmp_path / "flwr" / NODE_ID).exists(), "it was never given a place"
    finally:
        bed.kill("stranger", down=True)


def wait_for_log(bed: Bed, name: str, words: str, times: int = 2) -> bool:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if (bed.root / f"{name}.log").read_text().count(words) >= times:
            return True
        time.sleep(0.1)
    return False


def test_code_shipped_through_flower_is_refused_and_audited_and_other_runs_go_on(whole: Bed) -> None:
    foreign = build_bundle(MARKER_PROJECT.replace(b"cloister-marker", b"other-app"))
    ask = {site: pack_requests([Request("ping", "")]) for site in SITES}
    with whole.session(bundle=foreign) as session:
        answers = dict(session.exchange(ask, seconds=30))
    assert set(answers) == set(SITES)
    for site, frames in answers.items():
        header = parse_site_message(frames[0])
        assert isinstance(header, Refusal) and header.code is RefusalCode.FOREIGN_CODE and len(frames) == 1
        refused = {"event": "refused", "code": "foreign_code", "run": "", "about": hashlib.sha256(foreign).hexdigest()}
        assert ledger(whole, site, "audit.jsonl")[-1] == refused
    with whole.session() as session:
        for _, frames in session.exchange(ask, seconds=30):
            assert getattr(parse_site_message(frames[0]), "kind", "") == "heartbeat"


def test_altered_late_and_repeated_contributions_are_told_apart(whole: Bed, tmp_path: Path) -> None:
    roster = load_roster(whole.roster, whole.commission.public)
    settings = whole.coordinator_settings("count")
    program, digest = counting_programs.Counting(), counting_programs.program_digest(task(whole))
    opened = authority_events(whole).count("opened")
    with (
        AuthorityClient(settings.authority, settings.ca, settings.authority_token(), roster, settings.memory) as client,
        whole.session() as session,
    ):
        run = TaskRun("count", program, digest, client, roster, set(SITES), tmp_path / "run")
        exchange(session, run)
        run.conclude()
        run.begin()
        first = exchange(session, run, take=False)
        again = exchange(session, run, take=False)
        assert first == again, "the same request is answered by the same frame"
        late = first["east"]
        for site, frame in first.items():
            run.take(site, frame)
        run.conclude()
        exchange(session, run)
        run.conclude()
        assert authority_events(whole).count("opened") == opened + 1
        run.begin()
        second = exchange(session, run, take=False)
        header = parse_site_message(second["east"])
        assert isinstance(header, TermHeader) and header.round == 1
        run.take("east", late)
        run.take("north", broken_signature(second["north"]))
        run.take("south", second["east"])
        run.take("west", second["west"])
        assert run.attendance.left == {"east": "wrong_round", "north": "bad_signature", "south": "unknown_site"}
        with pytest.raises(QuorumError, match=r"1 of 4 sites contributed to round 1"):
            run.conclude()
        client.close_run(run.run)
    assert authority_events(whole).count("opened") == opened + 1


def exchange(session: Session, run: TaskRun, *, take: bool = True) -> dict[str, bytes]:
    contents = {site: pack_requests([request]) for site, request in run.requests().items()}
    frames = {site: answer[0] for site, answer in session.exchange(contents, seconds=30)}
    for site, frame in frames.items() if take else ():
        run.take(site, frame)
    return frames


def broken_signature(frame: bytes) -> bytes:
    signature = unpack(frame).signature
    return frame.replace(signature, bytes([signature[0] ^ 1]) + signature[1:])


def test_a_request_for_an_unknown_run_gets_its_code_and_no_text(whole: Bed) -> None:
    ask = {"east": pack_requests([Request("round", "0" * 32), Request("reveal", "no run at all")])}
    with whole.session() as session:
        (answer,) = dict(session.exchange(ask, seconds=30)).values()
    codes = [header.code for header in map(parse_site_message, answer) if isinstance(header, Refusal)]
    assert codes == [RefusalCode.UNKNOWN_RUN, RefusalCode.UNKNOWN_RUN]


def test_secrets_are_for_their_owner_alone(bed: Bed) -> None:
    private = [path for path in bed.root.rglob("secrets/*") if path.suffix in (".key", ".secret", ".token")]
    assert len(private) >= 4 * len(SITES)
    assert {oct(os.stat(path).st_mode & 0o777) for path in private} == {"0o600"}
