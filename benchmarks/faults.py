"""``make faults``: 100 kills (kill -9) of random parties at random moments of training runs; nothing is lost by any.

    python -m benchmarks faults --kills 100 --seed 1 --resume

Runs of six sums follow one another, of two to eight kills each and every eighth without, first in a region of four
sites whose quorum is four, then in one of six whose quorum is five, where a site may stay away. After each run
``fault_checks`` proves what must hold; what does not ends the campaign, naming seed, run and kills, and the region's
folder is kept. Progress is ``benchmarks/results/faults/seed-S-sites-N.jsonl``, a line a run: with ``--resume`` a
campaign goes on from there, without it begins anew.

What a kind of kill costs is the time until the next kill, or the run's end, less the time that the same exchanges take
undisturbed: in the same run, for a shared machine is not equally fast all the time, or else in runs without kills.
Kills within one exchange count in the campaign and not in these figures.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from benchmarks.fault_checks import FaultError, check_gone, check_run
from benchmarks.fault_plan import MOST_KILLS, plan
from benchmarks.fault_region import FaultRegion, fault_region
from benchmarks.fault_run import FaultRun
from governance.quorum import default_quorum

FOLDER = Path(__file__).resolve().parent / "results" / "faults"
SITES = (4, 6)

Line = dict[str, Any]
"""One run of a campaign, JSON-like: ``run``, ``sums``, ``missed_end``, ``seconds``, ``error``, ``marks``, ``kills``."""

Mark = Sequence[Any]
"""Seconds since the run began, and the exchange that was concluded then."""


def try_run(region: FaultRegion, seed: int, number: int, most: int = MOST_KILLS) -> Line:
    """One run with the kills of its plan, at most ``most``, proved. Raises FaultError naming seed, run and kills."""
    sites = region.bed.sites
    quorum = default_quorum(len(sites))
    outcome = FaultRun(region, region.next_program(number), plan(seed, number, sites, quorum, most)).go()
    kills = [(at, kill) for at, kill in outcome.kills]
    try:
        proved = check_run(region, outcome, quorum)
    except FaultError as error:
        killed = "; ".join(f"{kill} (at {at:.1f} s)" for at, kill in kills) or "nobody"
        raise FaultError(
            f"seed {seed}, run {number}, {len(sites)} sites: {error}. Killed: {killed}. Logs: {region.root}"
        ) from error
    return {
        "run": number,
        "sums": proved.sums,
        "missed_end": proved.missed_end,
        "seconds": round(outcome.seconds, 2),
        "error": outcome.error,
        "marks": [(round(at, 2), name) for at, name in outcome.marks],
        "kills": [(round(at, 2), kill.label, kill.name) for at, kill in kills],
    }


def campaign(seed: int, sites: int, kills: int, path: Path) -> None:
    """Go on until ``path`` tells of ``kills`` kills. Raises FaultError; the region's folder is kept then."""
    lines = read_lines(path)
    done, number = count_kills(lines), len(lines)
    if done >= kills:
        return
    root = Path(tempfile.mkdtemp(prefix="cloister-faults-"))
    with fault_region(root, sites) as region:
        while done < kills:
            line = try_run(region, seed, number)
            with path.open("a") as file:
                file.write(json.dumps(line) + "\n")
                file.flush()
                os.fsync(file.fileno())
            done, number = done + len(line["kills"]), number + 1
            ended = f"closed ({line['error']})" if line["error"] else "done"
            names = ", ".join(name for _, _, name in line["kills"]) or "nobody"
            print(
                f"  {sites} sites, run {line['run']}: {ended} in {line['seconds']:.1f} s; killed: {names}", flush=True
            )
    check_gone(root)
    shutil.rmtree(root)


def read_lines(path: Path) -> list[Line]:
    """What is known of a campaign; a line that was not finished is cut off."""
    if not path.is_file():
        return []
    whole, _, torn = path.read_bytes().rpartition(b"\n")
    if torn:
        path.write_bytes(whole + b"\n" if whole else b"")
    return [json.loads(line) for line in whole.splitlines()]


def count_kills(lines: Iterable[Line]) -> int:
    return sum(len(line["kills"]) for line in lines)


def costs(lines: Sequence[Line]) -> dict[str, list[float]]:
    """Seconds that each kill cost its run, by label."""
    usual = _medians([(0.0, ""), *line["marks"]] for line in lines if not line["kills"])
    found: defaultdict[str, list[float]] = defaultdict(list)
    for line in lines:
        for label, seconds in _costs_of(line, usual):
            found[label].append(seconds)
    return found


def _costs_of(line: Line, usual: Mapping[str, float]) -> Iterator[tuple[str, float]]:
    """Each exchange's excess belongs to the last kill before its end; one that was concluded before is all excess.
    Kills within one exchange are left out: nobody can tell what each of them cost."""
    killed_at = [at for at, _, _ in line["kills"]]
    usual = {**usual, **_medians(_undisturbed(line["marks"], killed_at))}
    excess = [0.0] * len(killed_at)
    seen: set[str] = set()
    before = 0.0
    for at, name in line["marks"]:
        last = sum(killed <= at for killed in killed_at) - 1
        if last >= 0:
            excess[last] += at - before - (0.0 if _step(name) in seen else usual.get(_phase(name), 0.0))
        seen.add(_step(name))
        before = at
    exchanges = [sum(at <= killed for at, _ in line["marks"]) for killed in killed_at]
    for (_, label, _), seconds, exchange in zip(line["kills"], excess, exchanges, strict=True):
        if exchanges.count(exchange) == 1:
            yield label, seconds


def _undisturbed(marks: Sequence[Mark], killed_at: Sequence[float]) -> Iterator[list[Mark]]:
    """Pairs of exchanges that followed one another, nobody killed in the second one or the two before it."""
    for first, _, before, this in zip(marks, marks[1:], marks[2:], marks[3:], strict=False):
        if not any(first[0] <= killed <= this[0] for killed in killed_at):
            yield [before, this]


def _medians(stretches: Iterable[Sequence[Mark]]) -> dict[str, float]:
    """Median seconds of the exchanges of stretches of marks, by phase; the first mark of a stretch is a beginning."""
    gaps: defaultdict[str, list[float]] = defaultdict(list)
    for marks in stretches:
        for (begin, _), (end, name) in pairwise(marks):
            gaps[_phase(name)].append(end - begin)
    return {phase: statistics.median(seconds) for phase, seconds in gaps.items()}


def _phase(name: str) -> str:
    return name.split()[-1]


def _step(name: str) -> str:
    """A step that a run makes once: it joins in whatever round a coordinator begins its life."""
    return "join" if _phase(name) == "join" else name


def table(by_sites: Mapping[int, Sequence[Line]]) -> str:
    """Runs and kills by region, then what each kind of kill costs."""
    heads = ("sites", "quorum", "runs", "kills", "done", "closed", "seconds without kills", "sites that missed an end")
    rows = [f"| {' | '.join(heads)} |", "|" + "---|" * len(heads)]
    for sites, lines in by_sites.items():
        closed = sum(line["error"] is not None for line in lines)
        quiet = [line["seconds"] for line in lines if not line["kills"]]
        seconds = f"{statistics.median(quiet):.1f}" if quiet else "none ran"
        rows.append(
            f"| {sites} | {default_quorum(sites)} | {len(lines)} | {count_kills(lines)} | {len(lines) - closed} "
            f"| {closed} | {seconds} | {sum(line.get('missed_end', 0) for line in lines)} |"
        )
    by_label = {sites: costs(lines) for sites, lines in by_sites.items()}
    columns = "".join(f" {sites} sites: alone in an exchange | median s | longest s |" for sites in by_sites)
    rows += ["", f"| killed |{columns}", "|---|" + "---|---|---|" * len(by_sites)]
    for label in sorted({label for found in by_label.values() for label in found}):
        cells = "".join(_cells(found.get(label, [])) for found in by_label.values())
        rows.append(f"| {label} |{cells}")
    return "\n".join(rows)


def _cells(seconds: Sequence[float]) -> str:
    if not seconds:
        return " 0 | | |"
    return f" {len(seconds)} | {statistics.median(seconds):.1f} | {max(seconds):.1f} |"


def main(arguments: Sequence[str] = ()) -> None:
    """Run the campaign and write its table; exit code 1 when something did not hold."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks faults", description=__doc__)
    parser.add_argument("--kills", type=int, default=100, help="in all regions together")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--sites", default=",".join(map(str, SITES)), help="sizes of regions, by commas")
    parser.add_argument("--resume", action="store_true", help="go on with the progress that is kept")
    given = parser.parse_args(arguments)
    sizes = [int(size) for size in given.sites.split(",")]
    paths = {sites: FOLDER / f"seed-{given.seed}-sites-{sites}.jsonl" for sites in sizes}
    FOLDER.mkdir(parents=True, exist_ok=True)
    for number, (sites, path) in enumerate(paths.items()):
        if not given.resume:
            path.unlink(missing_ok=True)
        share = given.kills * (number + 1) // len(sizes) - given.kills * number // len(sizes)
        try:
            campaign(given.seed, sites, share, path)
        except FaultError as error:
            print(f"FAULT: {error}", file=sys.stderr, flush=True)
            sys.exit(1)
    shown = table({sites: read_lines(path) for sites, path in paths.items()})
    (FOLDER / f"seed-{given.seed}.md").write_text(shown + "\n")
    print(shown)
