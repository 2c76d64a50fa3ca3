"""5,000 of the inputs of ``make fuzz``: each ends mapped or quarantined, nothing raises, hangs or is lost."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from benchmarks.fuzz import ENGINE, ENGINE_SHARE, KINDS, main, make_input, run, table
from benchmarks.fuzz_region import run_rows
from fhir_mapping.sources.parallel import worker_count

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

INPUTS = 5_000


def test_spoiled_files_end_mapped_or_quarantined_and_nothing_is_lost() -> None:
    tallies = run(INPUTS, 0, list(KINDS), worker_count())
    assert sum(tally.inputs for tally in tallies.values()) == INPUTS * (1 - ENGINE_SHARE)
    assert not any(tally.failures for tally in tallies.values()), table(tallies)
    assert all(tally.records[0] > 0 and tally.records[1] > 0 for tally in tallies.values())


def test_spoiled_rows_end_in_silver_or_quarantine_and_the_ledger_adds_up(spark: SparkSession) -> None:
    tally = run_rows(round(INPUTS * ENGINE_SHARE), 0, spark)
    assert not tally.failures, table({ENGINE: tally})
    assert min(tally.records[:2]) > 0


@pytest.mark.parametrize("kind", KINDS)
def test_a_seed_gives_one_input(kind: str) -> None:
    assert make_input(kind, 7) == make_input(kind, 7)
    assert len({make_input(kind, seed) for seed in range(20)}) > 10


def test_a_failure_is_told_with_the_command_that_repeats_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(form: str, data: bytes, variant: int) -> None:
        raise KeyError("a patient's value")

    monkeypatch.setattr("benchmarks.fuzz.check_read", broken)
    with pytest.raises(SystemExit):
        main(["--only", "xlsx", "--inputs", "1", "--seed", "3", "--processes", "1"])
    told = capsys.readouterr().out
    assert "python -m benchmarks fuzz --seed 3 --only xlsx --inputs 1" in told
    assert "KeyError" in told
    assert "patient" not in told
    assert Path(__file__).name in told
