"""``make fuzz``: 200,000 inputs made worse from a seed; each ends mapped or quarantined, and nothing is lost.

``hl7v2``, ``cda`` and ``fhir`` go through what ``cloister map convert`` does with a file, its checks of resources,
bundles, quarantine and ledger included. The other kinds go through the readers of a region's sources, where a record
that could be read counts as mapped; ``mapped-rows`` are rows that go on through the engine into silver.
A worker that dies, or stays at one input for longer than the limit, is a failure of that input.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from benchmarks.fuzz_checks import Ended, NotConservedError, check_converted, check_read, place_of
from benchmarks.fuzz_mutations import mutated
from benchmarks.fuzz_seeds import seeds
from fhir_mapping.convert.pool import run_tasks
from fhir_mapping.sources.parallel import worker_count

INPUTS = 200_000
LIMIT_SECONDS = 60.0
"""Of one input on a busy machine; a quiet one needs a hundredth for the slowest."""
BATCH = 100
KINDS = {
    "hl7v2": ("hl7v2", 0.22),
    "cda": ("cda", 0.06),
    "fhir": ("fhir", 0.18),
    "csv": ("csv", 0.14),
    "tsv": ("tsv", 0.06),
    "xlsx": ("xlsx", 0.04),
    "ndjson": ("fhir", 0.12),
    "hl7v2-rows": ("hl7v2", 0.03),
    "cda-rows": ("cda", 0.05),
}
"""Kind = the format its seeds are of, and its share of the inputs; the rest are ``mapped-rows``."""
ENGINE = "mapped-rows"
ENGINE_SHARE = 0.10


@dataclass(frozen=True)
class Batch:
    """Inputs of one kind whose seeds follow one another."""

    kind: str
    first: int
    count: int


@dataclass
class Tally:
    """What became of the inputs of one kind.

    Attributes:
        records: mapped, quarantined, skipped.
        slowest: CPU seconds and seed of the slowest input.
        failures: seed and what did not hold.
    """

    kind: str
    inputs: int = 0
    records: list[int] = field(default_factory=lambda: [0, 0, 0])
    slowest: tuple[float, int] = (0.0, -1)
    failures: list[tuple[int, str]] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        self.inputs += other.inputs
        self.records = [mine + theirs for mine, theirs in zip(self.records, other.records, strict=True)]
        self.slowest = max(self.slowest, other.slowest)
        self.failures += other.failures


def make_input(kind: str, seed: int) -> bytes:
    """The input of a seed; the same on every machine that has the same public data."""
    form = KINDS[kind][0]
    return mutated(form, Random(f"{kind}-{seed}"), seeds(form))


def check(kind: str, seed: int, data: bytes, folder: Path) -> Ended:
    """Put one input through its check.

    Raises:
        NotConservedError: a property does not hold.
        Exception: whatever the code under test raised and must not.
    """
    form = KINDS[kind][0]
    if kind in ("hl7v2", "cda", "fhir"):
        return check_converted(form, data, folder, "R5" if seed % 3 == 2 else "R4")
    return check_read(kind.removesuffix("-rows"), data, seed)


def run_batch(batch: Batch, left_out: Mapping[int, str], tick: Callable[[int], None]) -> Tally:
    """The work of one process; a seed in ``left_out`` ended its process before, or never ended."""
    tally = Tally(batch.kind)
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(batch.first, batch.first + batch.count):
            tally.inputs += 1
            if seed in left_out:
                tally.failures.append((seed, left_out[seed]))
                continue
            data = make_input(batch.kind, seed)
            tick(seed)
            began = time.process_time()
            try:
                ended = check(batch.kind, seed, data, Path(folder))
            except NotConservedError as error:
                tally.failures.append((seed, str(error)))
            except Exception as error:
                tally.failures.append((seed, place_of(error)))
            else:
                tally.records[0] += ended.mapped
                tally.records[1] += ended.quarantined
                tally.records[2] += ended.skipped
                tally.slowest = max(tally.slowest, (time.process_time() - began, seed))
    return tally


def batches(inputs: int, first: int, kinds: Sequence[str]) -> Iterator[Batch]:
    """Seeds from ``first`` on, shared out among the kinds; kinds take turns, so a run cut short tried each."""
    counts = {kind: round(inputs * KINDS[kind][1]) if len(kinds) > 1 else inputs for kind in kinds}
    sizes = {kind: max(1, min(BATCH, count // 4)) for kind, count in counts.items()}
    begins = {kind: range(first, first + count, sizes[kind]) for kind, count in counts.items()}
    for turn in range(max(map(len, begins.values()))):
        for kind, starts in begins.items():
            if turn < len(starts):
                left = first + counts[kind] - starts[turn]
                yield Batch(kind, starts[turn], min(sizes[kind], left))


def run(inputs: int, first: int, kinds: Sequence[str], processes: int) -> dict[str, Tally]:
    """Try the inputs of these kinds."""
    tallies = {kind: Tally(kind) for kind in kinds}
    for kind in kinds:
        seeds(KINDS[kind][0])  # read once, inherited by the workers
    for tally in run_tasks(run_batch, batches(inputs, first, kinds), processes, limit=LIMIT_SECONDS):
        tallies[tally.kind].add(tally)
    return tallies


def table(tallies: Mapping[str, Tally]) -> str:
    """Kind, inputs, what became of their records, the slowest; then the failures with the command that repeats them."""
    lines = [f"{'kind':<12}{'inputs':>9}{'mapped':>10}{'quarantined':>13}{'skipped':>9}  slowest (CPU s, seed)"]
    for name, one in tallies.items():
        mapped, quarantined, skipped = one.records
        slowest = f"  {one.slowest[0]:.3f}, {one.slowest[1]}"
        lines.append(f"{name:<12}{one.inputs:>9,}{mapped:>10,}{quarantined:>13,}{skipped:>9,}{slowest}")
    total = sum(one.inputs for one in tallies.values())
    failed = sum(len(one.failures) for one in tallies.values())
    lines.append(f"{total:,} inputs, {failed} failures")
    for name, one in tallies.items():
        for seed, words in one.failures[:20]:
            lines.append(f"{name} {seed}: {words}\n  python -m benchmarks fuzz --seed {seed} --only {name} --inputs 1")
    return "\n".join(lines)


def main(arguments: Sequence[str] = ()) -> None:
    """Run the campaign; exit code 1 when an input failed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks fuzz", description=__doc__)
    parser.add_argument("--inputs", type=int, default=INPUTS)
    parser.add_argument("--seed", type=int, default=0, help="the first one")
    parser.add_argument("--only", default="", help=f"kinds, by commas: {', '.join((*KINDS, ENGINE))}")
    parser.add_argument("--processes", type=int, default=worker_count())
    given = parser.parse_args(arguments)
    asked = given.only.split(",") if given.only else [*KINDS, ENGINE]
    if unknown := set(asked) - {*KINDS, ENGINE}:
        parser.error(f"no kind {', '.join(sorted(unknown))}; there are {', '.join((*KINDS, ENGINE))}")
    kinds = [kind for kind in asked if kind != ENGINE]
    tallies = run(given.inputs, given.seed, kinds, given.processes) if kinds else {}
    if ENGINE in asked:
        from benchmarks.fuzz_region import run_rows

        rows = round(given.inputs * ENGINE_SHARE) if kinds else given.inputs
        tallies[ENGINE] = run_rows(rows, given.seed)
    print(table(tallies))
    if any(one.failures for one in tallies.values()):
        sys.exit(1)
