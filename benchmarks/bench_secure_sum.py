"""What the secure sum costs: rounds, CPU time, sizes and scale, beside the same in the clear.

    python -m benchmarks secure-sum [--only rounds,cpu,sizes,scale] [--rounds N] [--values N,...] [--sites N,...]

rounds  an empty round of four sites through real processes, each exchange shown
cpu     the same exchanges in the clear (it exists here only): CPU seconds of all processes, and of each step by value
sizes   whole rounds beside a one-exchange float32 run in the clear, by size; bytes a slot and a value
scale   many sites as objects through the real sessions, aggregator and authority; sites as processes where they fit

Every measurement is a process of its own. On a shared machine compare ratios and CPU seconds, never seconds.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.svg_plot import Series, write_plot
from federated.processes import ONE_THREAD

CHECKOUT = Path(__file__).resolve().parent.parent
RESULTS = CHECKOUT / "benchmarks" / "results"

EXCHANGES = ("ask", "reveal")
LARGE = 1_000_000
"""Values from which on one round is enough to measure steps."""


def main(arguments: Sequence[str] = ()) -> None:
    """Measure the sections and write a table (and plots) of each to ``benchmarks/results/secure_sum_*``."""
    sections: dict[str, Callable[[argparse.Namespace, Report], None]]
    sections = {"rounds": _rounds, "cpu": _cpu, "sizes": _sizes, "scale": _scale}
    parser = argparse.ArgumentParser(prog="python -m benchmarks secure-sum", description=__doc__)
    parser.add_argument("--only", default="rounds,cpu", help="sections, with commas between them")
    parser.add_argument("--rounds", type=int, default=20, help="empty rounds that are counted")
    parser.add_argument("--repeats", type=int, default=2, help="rounds that are counted of each size")
    parser.add_argument("--values", help="sizes of sections cpu and sizes")
    parser.add_argument("--sites", default="10,39,130,390", help="sites as objects in section scale")
    parser.add_argument("--processes", default="4,8", help="sites as processes in section scale")
    parser.add_argument("--scale-values", default="1000,10000", help="values of a sum in section scale")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the tables")
    options = parser.parse_args(arguments)
    options.results.mkdir(parents=True, exist_ok=True)
    for name in options.only.split(","):
        report = Report(options.results, name)
        sections[name](options, report)
        report.write()


class Report:
    """A section's lines, printed as they come and written as a table: what, figure, unit."""

    def __init__(self, folder: Path, section: str) -> None:
        self._folder = folder
        self._section = section
        self._lines = ["what\tfigure\tunit"]
        self.add("load of the machine at the start", os.getloadavg()[0], f"on {os.cpu_count()} cores")

    def add(self, what: str, figure: float, unit: str) -> None:
        print(f"  {self._section:<7} {what:<72} {figure:12.4g} {unit}", flush=True)
        self._lines.append(f"{what}\t{figure:.6g}\t{unit}")

    def plot(self, name: str, title: str, x_label: str, y_label: str, series: Series) -> None:
        write_plot(self._folder / f"secure_sum_{name}.svg", title, x_label, y_label, series)

    def write(self) -> None:
        path = self._folder / f"secure_sum_{self._section}.tsv"
        path.write_text("\n".join(self._lines) + "\n", encoding="utf-8")
        print(f"  written to {path.name}")


def _rounds(options: argparse.Namespace, report: Report) -> None:
    told = _processes("secure", 1, options.rounds)
    seconds = sorted(one["seconds"] for one in told["rounds"])
    report.add("median of an empty round (wanted: at most 2.4, aim 1.4)", statistics.median(seconds), "s")
    report.add("fastest", seconds[0], "s")
    report.add("ninth decile", seconds[int(0.9 * len(seconds))], "s")
    for place, exchange in enumerate(EXCHANGES):
        report.add(f"  of it: exchange {exchange}", _median(told, partial(_exchange, place)), "s")
    report.add("  of it: opening at the authority", _median(told, lambda one: one["opening"]), "s")
    for kind, used in _cpu_by_kind(told).items():
        report.add(f"CPU time of a round: {kind}", used, "s")
    report.add("rounds", len(seconds), "")


def _cpu(options: argparse.Namespace, report: Report) -> None:
    used = {mode: _cpu_by_kind(_processes(mode, 1, options.rounds)) for mode in ("secure", "clear")}
    for kind in used["secure"]:
        for mode, kinds in used.items():
            report.add(f"an empty round, {mode}: {kind}", kinds[kind], "CPU-s")
    ratio = used["secure"]["all"] / used["clear"]["all"]
    report.add("an empty round: secure beside the same exchanges in the clear (wanted: at most 1.3)", ratio, "x")
    series: dict[str, list[tuple[float, float]]] = {}
    for values in _sizes_of(options, "10000,100000,1000000"):
        rounds = 1 if values >= LARGE else max(2, 200_000 // values)
        steps = {mode: _child("secure_sum_steps", str(values), str(rounds), mode) for mode in ("secure", "clear")}
        for step, seconds in steps["secure"].items():
            if not step.endswith(": rest"):
                report.add(f"{values} values, {step}", 1e6 * seconds / values, "us a value")
                series.setdefault(step, []).append((values, 1e6 * seconds / values))
        for part in _parts(steps["secure"]):
            for mode, seconds_by_step in steps.items():
                took = sum(s for step, s in seconds_by_step.items() if step.startswith(f"{part}:"))
                report.add(f"{values} values, {part}: all, {mode}", 1e6 * took / values, "us a value")
    largest = sorted(series, key=lambda step: -series[step][-1][1])[:6]
    title = "CPU time of a round by step (a site; coordinator and authority for all four)"
    report.plot("steps", title, "values", "microseconds a value", {step: series[step] for step in largest})


def _sizes(options: argparse.Namespace, report: Report) -> None:
    series: dict[str, list[tuple[float, float]]] = {}
    for values in _sizes_of(options, "10000,100000,1000000,5000000"):
        told = {mode: _processes(mode, values, options.repeats) for mode in ("plain", "secure", "shared")}
        for mode, one in told.items():
            report.add(f"{values} values, {mode}: a round", _median(one, lambda r: r["seconds"]), "s")
            report.add(f"{values} values, {mode}: a round", _cpu_by_kind(one)["all"], "CPU-s")
        for kind, used in _cpu_by_kind(told["secure"]).items():
            report.add(f"{values} values, secure: {kind}", used, "CPU-s")
        for place, exchange in enumerate(EXCHANGES):
            took = _median(told["secure"], partial(_exchange, place))
            report.add(f"{values} values, secure: exchange {exchange}", took, "s")
        for kind, peak in told["secure"]["memory"].items():
            report.add(f"{values} values, secure: peak memory, {kind}", peak, "MiB")
        wanted = " (wanted: at most 4)" if values >= 5_000_000 else ""
        for mode, words in (("secure", "31 bits a value"), ("shared", "17 bits a value, two a slot")):
            label = f"{values} values, {words}"
            wall = _median(told[mode], lambda r: r["seconds"]) / _median(told["plain"], lambda r: r["seconds"])
            cpu = _cpu_by_kind(told[mode])["all"] / _cpu_by_kind(told["plain"])["all"]
            report.add(f"{label}: beside float32 in the clear{wanted}", wall, "x, seconds")
            report.add(f"{label}: beside float32 in the clear", cpu, "x, CPU seconds")
            report.add(f"{label}: bytes a slot (wanted: at most 16.5)", told[mode]["bytes_a_slot"], "bytes")
            report.add(
                f"{label}: bytes on the wire (wanted: at most 16.5 from 110,000 on)",
                told[mode]["bytes_a_value"],
                "bytes a value",
            )
            for name, ratio in (("seconds", wall), ("CPU seconds", cpu)):
                series.setdefault(f"{name}, {words}", []).append((values, ratio))
    title = "A secure round beside one float32 exchange in the clear"
    report.plot("sizes", title, "values", "times the clear run", series)


def _scale(options: argparse.Namespace, report: Report) -> None:
    for values in map(int, options.scale_values.split(",")):
        series: dict[str, list[tuple[float, float]]] = {}
        for count in (4, *map(int, options.sites.split(","))):
            told = _child("secure_sum_scale", str(count), str(values))
            label = f"{values} values, {count} sites"
            for name, figure, unit in _scale_figures(told, count):
                report.add(f"{label}: {name}", figure, unit)
            coordinator = sum(told[f"coordinator_{step}"] for step in ("terms", "deal", "shares", "unmask"))
            points = {"a site": (told["asked"] + told["revealed"]) / count, "coordinator": coordinator}
            for name, seconds in (points | {"authority": told["authority"]}).items():
                series.setdefault(name, []).append((count, seconds))
        title = f"CPU time of a round of {values} values"
        report.plot(f"scale_{values}", title, "sites", "CPU seconds", series)
    for count in map(int, options.processes.split(",")):
        told = _processes("secure", 1000, options.repeats, count)
        label = f"1000 values, {count} sites as processes"
        report.add(f"{label}: a round", _median(told, lambda one: one["seconds"]), "s")
        report.add(f"{label}: a round", _cpu_by_kind(told)["all"], "CPU-s")
        for kind, peak in told["memory"].items():
            report.add(f"{label}: peak memory, {kind}", peak, "MiB")


def _scale_figures(told: Mapping[str, float], sites: int) -> list[tuple[str, float, str]]:
    """Where the time of a round goes."""
    milli = 1e3 / sites
    return [
        ("join, a site (once a run)", told["join"] * milli, "ms"),
        ("term, a site", told["asked"] * milli, "ms"),
        ("term, a site, for each other site", told["asked"] * milli / sites, "ms"),
        ("reveal, a site", told["revealed"] * milli, "ms"),
        ("take the total, a site", told["total"] * milli, "ms"),
        ("coordinator adds, for each site", told["coordinator_terms"] * milli, "ms"),
        ("coordinator keeps the round, for each site", told["coordinator_keep"] * milli, "ms"),
        ("coordinator deals shares, for each site", told["coordinator_deal"] * milli, "ms"),
        ("coordinator takes shares, for each site", told["coordinator_shares"] * milli, "ms"),
        ("coordinator removes masks, in all", told["coordinator_unmask"] * 1e3, "ms"),
        ("authority reads headers and judges, for each site (wanted: at most 0.3)", told["judge"] * milli, "ms"),
        ("authority, the whole opening", told["authority"] * 1e3, "ms"),
        ("request to the authority, for each site", told["request_bytes_a_site"], "bytes"),
        ("term of a site", told["term_bytes"], "bytes"),
        ("coordinator's process before the first term", told["coordinator_idle_mb"], "MiB"),
        ("coordinator's process at its peak", told["coordinator_peak_mb"], "MiB"),
    ]


def _processes(mode: str, values: int, rounds: int, sites: int = 4) -> dict[str, Any]:
    return _child("secure_sum_processes", mode, str(values), str(rounds), str(sites))


def _child(module: str, *arguments: str) -> dict[str, Any]:
    """What a measuring process printed. Raises CalledProcessError when it fails."""
    path = os.pathsep.join((str(CHECKOUT), str(CHECKOUT / "tests" / "support")))
    command = [sys.executable, "-m", f"benchmarks.{module}", *arguments]
    environment = {**os.environ, **ONE_THREAD, "PYTHONPATH": path}
    done = subprocess.run(command, env=environment, cwd=CHECKOUT, stdout=subprocess.PIPE, check=True)
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


def _median(told: Mapping[str, Any], of: Callable[[dict[str, Any]], float]) -> float:
    return statistics.median(of(one) for one in told["rounds"])


def _exchange(place: int, one: Mapping[str, Any]) -> float:
    return float(one["exchanges"][place])


def _cpu_by_kind(told: Mapping[str, Any]) -> dict[str, float]:
    """Mean CPU seconds of a round by kind of process, and of all."""
    rounds = told["rounds"]
    kinds = {kind: sum(one["cpu"][kind] for one in rounds) / len(rounds) for kind in rounds[0]["cpu"]}
    return kinds | {"all": sum(kinds.values())}


def _parts(steps: Mapping[str, float]) -> list[str]:
    return list(dict.fromkeys(step.split(":")[0] for step in steps))


def _sizes_of(options: argparse.Namespace, default: str) -> list[int]:
    return [int(size) for size in (options.values or default).split(",")]


if __name__ == "__main__":
    main()
