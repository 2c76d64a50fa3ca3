"""The benchmark of the secure sum at tiny sizes: it measures a whole round, and its clear mode is in the clear."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from secure_region import SNAPSHOT, SecureRegion

from benchmarks.bench_secure_sum import Report
from benchmarks.secure_sum_clear import in_the_clear
from benchmarks.secure_sum_processes import measure as measure_processes
from benchmarks.secure_sum_programs import BOUND, WIDE, layout_of
from benchmarks.secure_sum_scale import measure as measure_scale
from benchmarks.secure_sum_steps import SITES
from benchmarks.secure_sum_steps import measure as measure_steps
from benchmarks.svg_plot import write_plot
from contracts.wire import unpack

VALUES = 100


def test_every_hooked_step_takes_part_in_a_round(tmp_path: Path) -> None:
    steps = measure_steps(tmp_path, VALUES, 1, "secure")
    expected = {"tag", "masks", "encrypt", "serialise", "sealed shares", "digest, sign", "clip, encode"}
    assert expected <= {name.split(": ")[1] for name in steps if name.startswith("site asked")}
    expected = {"sum of the masks", "remove the masks", "serialise"}
    assert expected <= {name.split(": ")[1] for name in steps if name.startswith("coordinator reveals")}
    expected = {"read headers, judge", "decrypt", "check tags", "ledger, fsync"}
    assert expected <= {name.split(": ")[1] for name in steps if name.startswith("authority")}


def test_the_clear_mode_adds_up_and_hides_nothing_and_ends_with_its_context(tmp_path: Path) -> None:
    region = SecureRegion(tmp_path, SITES)
    authority = region.authority()
    term = {"values": np.arange(VALUES, dtype=float)}
    with in_the_clear():
        run = region.start(authority)
        frame = run.sessions["east"].contribute(0, 0, layout_of(VALUES), term, SNAPSHOT, SITES)
        sent = np.frombuffer(unpack(frame).parts[0], np.uint64)
        assert (sent[:VALUES] * BOUND / WIDE == term["values"]).all()
        total = run.open(layout_of(VALUES), dict.fromkeys(SITES, term))
        assert (total.values()["values"] == len(SITES) * term["values"]).all()
    other = region.start(authority)
    frame = other.sessions["east"].contribute(0, 0, layout_of(VALUES), term, SNAPSHOT, SITES)
    assert len(unpack(frame).parts[0]) > 16 * 4096
    authority.close()


def test_many_sites_are_measured_through_a_process_of_the_coordinator(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).resolve().parents[3]))
    told = measure_scale(tmp_path, 5, VALUES)
    assert told["request_bytes_a_site"] < 2000 < told["term_bytes"]
    assert 0 < told["coordinator_idle_mb"] <= told["coordinator_peak_mb"]
    assert told["judge"] < told["authority"]


def test_a_round_through_real_processes_is_told_exchange_by_exchange(tmp_path: Path) -> None:
    told = measure_processes(tmp_path, "secure", VALUES, 1, count=3)
    (one,) = told["rounds"]
    assert len(one["exchanges"]) == 2 and 0 < sum(one["exchanges"]) < one["seconds"]
    assert 0 < one["opening"] < one["seconds"]
    assert set(one["cpu"]) == set(told["memory"]) == {"coordinator", "authority", "superlink", "supernode", "worker"}
    assert 16 < told["bytes_a_slot"] <= 16.5


def test_a_section_is_a_table_of_figures_with_their_units(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = Report(tmp_path, "rounds")
    report.add("median of an empty round", 1.25, "s")
    report.write()
    lines = (tmp_path / "secure_sum_rounds.tsv").read_text().splitlines()
    assert [line.split("\t")[0] for line in lines[:2]] == ["what", "load of the machine at the start"]
    assert lines[2] == "median of an empty round\t1.25\ts"
    assert "median of an empty round" in capsys.readouterr().out


def test_a_plot_has_a_line_for_each_series_and_needs_points(tmp_path: Path) -> None:
    write_plot(tmp_path / "plot.svg", "a < b", "x", "y", {"one": [(1, 10), (100, 1000)], "two": [(10, 0.5)]})
    drawn = (tmp_path / "plot.svg").read_text()
    assert drawn.count("<polyline") == 2 and "a &lt; b" in drawn
    with pytest.raises(ValueError, match="nothing to plot"):
        write_plot(tmp_path / "none.svg", "t", "x", "y", {})
