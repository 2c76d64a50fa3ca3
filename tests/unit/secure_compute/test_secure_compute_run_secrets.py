"""A site's secrets of a run: for its owner alone, the same after a restart, gone with the run."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from secure_region import PROGRAM, SNAPSHOT, RunningRun, SecureRegion

from contracts.errors import CredentialError, IntegrityError, RefusedError
from contracts.messages import KeyMessage, TermHeader
from contracts.sums import Block
from contracts.wire import canonical, parse_canonical, unpack
from governance.signing import open_message
from secure_compute import run_secrets
from secure_compute.run_secrets import RunSecretsFile
from secure_compute.site_session import SiteSession

LAYOUT = (Block("count", (3,), 100.0),)
SITES = ("a", "b", "c")
TERM = {"count": np.arange(3.0)}
FIRST, SECOND, OTHER = "1" * 32, "2" * 32, "3" * 32


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "runs"


def test_the_file_is_its_owners_alone_and_comes_back_as_written(folder: Path) -> None:
    file = RunSecretsFile(folder)
    made = file.make(FIRST, "sepsis")
    assert file.load(FIRST) is None
    file.write(made)
    assert (folder / f"{FIRST}.json").stat().st_mode & 0o777 == 0o600
    assert file.load(FIRST) == made
    assert len({made.site_key, made.mask_key, made.root}) == 3
    assert parse_canonical(canonical(made), type(made)) == made


def test_a_file_that_others_may_read_or_that_was_damaged_is_refused(folder: Path) -> None:
    file = RunSecretsFile(folder)
    file.write(file.make(FIRST, "sepsis"))
    path = folder / f"{FIRST}.json"
    path.chmod(0o640)
    with pytest.raises(CredentialError, match="expected 0600"):
        file.load(FIRST)
    path.chmod(0o600)
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(IntegrityError, match="no secrets of a run"):
        file.load(FIRST)


def test_a_tasks_next_run_destroys_the_secrets_of_the_last_one_only(folder: Path) -> None:
    file = RunSecretsFile(folder)
    file.write(file.make(FIRST, "sepsis"))
    file.write(file.make(OTHER, "stroke"))
    file.make(SECOND, "sepsis")
    assert [path.stem for path in folder.glob("*.json")] == [OTHER]


def test_outlived_secrets_are_destroyed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = RunSecretsFile(folder)
    file.write(file.make(FIRST, "sepsis"))
    monkeypatch.setattr(run_secrets, "LIFETIME", timedelta(0))
    file.make(SECOND, "stroke")
    assert list(folder.iterdir()) == []


class Restarts:
    """A run of three sites, one of which can be killed and started again."""

    def __init__(self, root: Path) -> None:
        self.region = SecureRegion(root, SITES)
        self.authority = self.region.authority()
        self.run: RunningRun = self.region.start(self.authority)

    def again(self, site: str) -> SiteSession:
        """The site's session made again from its files, told what it is told at every start."""
        session = self.region.session(site)
        key = session.join(self.run.descriptor, PROGRAM)
        session.receive_keys(self.run.aggregator.keys.values())
        session.receive_seed(self.authority.register_keys(self.run.run, {site: key})[site])
        self.run.sessions[site] = session
        return session


def test_a_restarted_site_joins_with_the_same_keys(tmp_path: Path) -> None:
    restarts = Restarts(tmp_path)
    with restarts.authority:
        session = restarts.region.session("a")
        assert session.join(restarts.run.descriptor, PROGRAM) == restarts.run.aggregator.keys["a"]
        sent = open_message(restarts.run.aggregator.keys["a"], KeyMessage, restarts.region.identities["a"].public)[0]
        kept = RunSecretsFile(restarts.region.root / "a" / "runs").load(restarts.run.run)
    assert kept is not None
    for name in ("site_key", "mask_key"):
        assert kept.private(name).public_key().public_bytes_raw().hex() == getattr(sent, name)


def test_a_round_goes_on_with_a_site_restarted_before_each_of_its_messages(tmp_path: Path) -> None:
    restarts = Restarts(tmp_path)
    with restarts.authority:
        run = restarts.run
        frames = run.contributions(LAYOUT, dict.fromkeys(SITES, TERM))
        frames["a"] = restarts.again("a").contribute(0, 0, LAYOUT, TERM, SNAPSHOT, SITES)
        run.closed(LAYOUT, frames)
        restarts.again("a")
        run.unmask()
        signed = restarts.authority.open(run.run, run.aggregator.request())
        total = run.aggregator.accept_total(signed).values()
        restarts.again("a").accept_total(signed)
    assert total["count"].tolist() == [0.0, 3.0, 6.0]


def test_a_repeated_contribution_says_the_same_and_nothing_else(tmp_path: Path) -> None:
    restarts = Restarts(tmp_path)
    with restarts.authority:
        first = restarts.run.contributions(LAYOUT, dict.fromkeys(SITES, TERM))["a"]
        session = restarts.again("a")
        second = session.contribute(0, 0, LAYOUT, TERM, SNAPSHOT, SITES)
        header, again = (open_message(frame, TermHeader, None)[0] for frame in (first, second))
        assert again.commitment == header.commitment
        assert bytes(unpack(first).parts[-1]) == bytes(unpack(second).parts[-1])  # the same shares
        with pytest.raises(RefusedError, match="wrong_attempt"):
            session.contribute(0, 0, LAYOUT, {"count": np.zeros(3)}, SNAPSHOT, SITES)
        with pytest.raises(RefusedError, match="wrong_snapshot"):
            session.contribute(0, 1, LAYOUT, TERM, "0" * 64, SITES)


def test_nothing_but_the_same_list_is_revealed_after_a_restart(tmp_path: Path) -> None:
    restarts = Restarts(tmp_path)
    with restarts.authority:
        run = restarts.run
        run.closed(LAYOUT, run.contributions(LAYOUT, dict.fromkeys(SITES, TERM)))
        sealed = run.aggregator.sealed_for("a")
        said = run.sessions["a"].reveal(0, 0, SITES, SITES, sealed)
        session = restarts.again("a")
        assert session.reveal(0, 0, SITES, SITES, sealed) == said
        with pytest.raises(RefusedError, match="already_revealed"):
            session.contribute(0, 1, LAYOUT, TERM, SNAPSHOT, SITES)


def test_the_end_of_a_run_destroys_its_secrets(tmp_path: Path) -> None:
    restarts = Restarts(tmp_path)
    with restarts.authority:
        path = restarts.region.root / "a" / "runs" / f"{restarts.run.run}.json"
        assert path.exists()
        restarts.run.sessions["a"].end()
    assert not path.exists()


@pytest.mark.parametrize("forgotten_by", ["its end", "the next run of the task", "its age"])
def test_secrets_that_were_destroyed_are_never_made_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch, forgotten_by: str
) -> None:
    file = RunSecretsFile(folder)
    file.write(file.make(FIRST, "sepsis"))
    if forgotten_by == "its end":
        file.destroy(FIRST)
        file.destroy(FIRST)
    elif forgotten_by == "the next run of the task":
        file.write(file.make(SECOND, "sepsis"))
    else:
        monkeypatch.setattr(run_secrets, "LIFETIME", timedelta(seconds=-1))
        file.write(file.make(SECOND, "another"))
    assert file.load(FIRST) is None
    with pytest.raises(RefusedError, match="run_closed"):
        RunSecretsFile(folder).make(FIRST, "sepsis")
    remembered = folder.with_name("runs.memory")
    assert (remembered.read_text(), remembered.stat().st_mode & 0o777) == (f"{FIRST}\n", 0o600)
    assert RunSecretsFile(folder).make(OTHER, "sepsis").run == OTHER
