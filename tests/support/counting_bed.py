"""A federation of real processes whose hospitals count: ``counting_programs`` over a few numbers each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import counting_programs

from benchmarks.federation_bed import Bed
from benchmarks.number_task import write_numbers, write_region, write_task
from contracts.region import load_region


def counting_bed(root: Path, values: Mapping[str, Sequence[float]]) -> Bed:
    """A federation of the sites named, each with its values as feature table; the task ``count`` is approved."""
    region = root / "region"
    write_region(region)
    write_task(region, "count")
    bed = Bed(root / "work", region, tuple(values), counting_programs.__name__)
    for site, numbers in values.items():
        write_numbers(bed.area.site(site), "count", numbers)
    bed.approve("count", counting_programs.program_digest(load_region(region).task("count")))
    return bed
