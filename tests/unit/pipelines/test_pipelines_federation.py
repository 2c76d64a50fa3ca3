"""A coordinator that was killed is started again; one that ended by itself is not."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from contracts.errors import CloisterError
from contracts.region import load_region
from federated.processes import Command, LinkAddress
from pipelines import federation
from pipelines.federation import FederationSession
from pipelines.settings import Settings

DEMO = Path(__file__).resolve().parents[3] / "regions" / "demo"
COORDINATOR = """
import json, os, signal, sys
from pathlib import Path

lives, done, task = Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
life = len(lives.read_text()) + 1 if lives.exists() else 1
lives.write_text("I" * life)
print(json.dumps({"event": "joined", "task": "triage", "sites": 4}), flush=True)
if life < done:
    print('{"event": "rou', end="", flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
if done < 0:
    print(json.dumps({"event": "error", "task": "triage", "message": "no quorum"}), flush=True)
    sys.exit(4)
task.mkdir(parents=True)
(task / "result.json").write_text(json.dumps({"life": life}))
if done == 0:
    os.kill(os.getpid(), signal.SIGKILL)
"""


class Session:
    """A federation session whose coordinator is killed until its ``done``-th life; negative: ends with an error;
    0: killed in its first one, when the result is written."""

    def __init__(self, folder: Path, done: int, monkeypatch: pytest.MonkeyPatch) -> None:
        self.told: list[str] = []
        self.lives = folder / "lives"
        settings = Settings(region=DEMO, work=folder / "work")
        self.session = FederationSession(load_region(DEMO), settings, lambda stage, words: self.told.append(stage))
        (settings.area.coordinator / "logs").mkdir(parents=True)
        script = folder / "coordinator.py"
        script.write_text(COORDINATOR)
        task = settings.area.coordinator / "runs" / "triage"
        argv = (sys.executable, str(script), str(self.lives), str(done), str(task))
        monkeypatch.setattr(federation.processes, "coordinator", lambda *_, **__: Command(argv, dict(os.environ)))
        self.session.deployment = deployment(folder)

    def train(self) -> dict[str, Any]:
        return self.session.train(["triage"])["triage"]


def deployment(folder: Path) -> Any:
    return SimpleNamespace(
        papers=SimpleNamespace(roster=folder, commission="", root=folder),
        link=LinkAddress("127.0.0.1", 1, folder),
        authority_url="",
        node_keys=dict,
        check=lambda: None,
    )


def test_a_killed_coordinator_is_started_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    session = Session(tmp_path, 3, monkeypatch)
    assert session.train() == {"life": 3}
    assert session.told.count("coordinator") == 2


def test_one_that_was_killed_when_it_had_done_all_is_not_started_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = Session(tmp_path, 0, monkeypatch)
    assert session.train() == {"life": 1}
    assert session.told.count("coordinator") == 0


def test_it_is_given_up_after_its_last_life(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    session = Session(tmp_path, 99, monkeypatch)
    with pytest.raises(CloisterError, match=r"the coordinator ended with code -9; see .*coordinator\.log"):
        session.train()
    assert len(session.lives.read_text()) == federation.LAST_LIFE + 1


def test_one_that_ended_with_an_error_of_ours_is_not_started_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = Session(tmp_path, -1, monkeypatch)
    with pytest.raises(CloisterError, match="triage: no quorum"):
        session.train()
    assert session.lives.read_text() == "I"
