"""5,000 of the inputs of ``make fuzz``: each ends mapped or quarantined, nothing raises, hangs or is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from benchmarks.fuzz import ENGINE, ENGINE_SHARE, KINDS, Batch, make_input, run, run_batch, table
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


def test_a_failure_is_told_with_the_command_that_repeats_it_and_no_value(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(form: str, data: bytes, variant: int) -> None:
        raise KeyError("a patient's value")

    monkeypatch.setattr("benchmarks.fuzz.check_read", broken)
    tally = run_batch(Batch("xlsx", 3, 1), {}, lambda record: None)
    told = table({"xlsx": tally})
    assert "python -m benchmarks fuzz --seed 3 --only xlsx --inputs 1" in told
    assert f"KeyError at {tally.failures[0][1].rpartition(' ')[2]}" in told
    assert "patient" not in told


def test_an_input_at_which_its_process_died_is_a_failure() -> None:
    tally = run_batch(Batch("csv", 5, 2), {5: "converter_timed_out"}, lambda record: None)
    assert (tally.inputs, tally.failures) == (2, [(5, "converter_timed_out")])
