"""How long an exchange waits, for whom, as its runs' phases ask."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from federated.coordinator.run import REVEAL_GRACE_SECONDS, _patience
from federated.coordinator.settings import CoordinatorSettings

PLACE = Path("nowhere")
SETTINGS = CoordinatorSettings(
    region=PLACE,
    tasks=("one",),
    folder=PLACE,
    roster=PLACE,
    commission="",
    port=1,
    ca=PLACE,
    secrets=PLACE,
    authority="",
    memory=PLACE,
    node_keys={},
    round_seconds=300.0,
    grace_seconds=10.0,
)


def run(phase: str, enough: int | None = 5, optional: tuple[str, ...] = ()) -> Any:
    return SimpleNamespace(phase=phase, enough=enough, optional=set(optional))


@pytest.mark.parametrize(
    ("runs", "enough", "grace"),
    [
        ([run("round")], 5, 10.0),
        ([run("round"), run("reveal", None)], None, 10.0),
        ([run("reveal", 4)], 4, REVEAL_GRACE_SECONDS),
        ([run("end"), run("round")], 5, 10.0),
        ([run("end"), run("end")], 1, 10.0),
    ],
)
def test_an_exchange_waits_for_what_its_runs_need(runs: list[Any], enough: int | None, grace: float) -> None:
    waits = _patience(runs, {}, SETTINGS)
    assert (waits["seconds"], waits["enough"], waits["grace"]) == (300.0, enough, grace)


def test_a_site_that_every_run_only_invites_is_not_waited_for() -> None:
    here, away = run("round", optional=("west",)), run("round", optional=("west", "east"))
    asked: Any = {site: [(here, None), (away, None)] for site in ("east", "west")}
    assert _patience([here, away], asked, SETTINGS)["optional"] == {"west"}
