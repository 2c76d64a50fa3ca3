"""What the mapping benchmark prints and writes: lines of numbers, and where the time of a run went."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.mapping_speed_meter import Measured, measure

RESULT = Path(__file__).parent / "results" / "mapping_speed.tsv"
RUN = "benchmarks.mapping_speed_run"
PARSERS = "benchmarks.mapping_speed_parsers"

_COMMITS = 8
_COUNTS = ("records", "resources", "quarantined", "superseded", "validated")


@dataclass
class Table:
    """Lines that are shown and written: section, what, number, unit."""

    lines: list[tuple[str, str, float, str]] = field(default_factory=list)

    def add(self, section: str, what: str, number: float, unit: str) -> None:
        self.lines.append((section, what, number, unit))
        print(f"  {section:<12} {what:<44} {number:>12,.2f} {unit}", flush=True)

    def write(self) -> None:
        RESULT.parent.mkdir(exist_ok=True)
        text = "".join(f"{section}\t{what}\t{number:.4f}\t{unit}\n" for section, what, number, unit in self.lines)
        RESULT.write_text("section\twhat\tnumber\tunit\n" + text, encoding="utf-8")

    def tell(self, section: str, what: str, measured: Measured) -> float:
        """Where the time of a run went; gives records a second after start-up."""
        said: dict[str, Any] = measured.said
        for name in _COUNTS:
            self.add(section, name, said[name], "")
        for name, seconds in said["wall"].items():
            self.add(section, f"{name}", seconds, "s")
            self.add(section, f"{name}, all cores", said["cpu"][name], "CPU s")
        for name, seconds in sorted(said["commits"].items(), key=lambda commit: -commit[1])[:_COMMITS]:
            self.add(section, f"  until the commit of {name}", seconds, "s")
        rate = float(said["records"] / work_seconds(measured))
        self.add(section, f"{what}, end to end after start-up", rate, f"{what}/s")
        self.add(section, "peak memory of all processes", measured.peak_bytes / (1 << 20), "MB")
        return rate


def work_seconds(measured: Measured) -> float:
    """Wall seconds after start-up."""
    return float(sum(seconds for name, seconds in measured.said["wall"].items() if name != "start-up"))


def work_cpu(measured: Measured) -> float:
    """CPU seconds of all processes after start-up."""
    return float(sum(seconds for name, seconds in measured.said["cpu"].items() if name != "start-up"))


def median_run(work: Path, runs: int, run: Callable[[], Measured], between: Callable[[], None]) -> Measured:
    """The run of median wall seconds, of several that start without tables; ``between`` is done behind each.

    On cores that others use too, a rival that takes turns with the runs meets the same neighbours as they do.
    """
    done = []
    for _ in range(runs):
        shutil.rmtree(work / "lake", ignore_errors=True)
        done.append(run())
        between()
    return sorted(done, key=work_seconds)[(runs - 1) // 2]


def copy_tables(work: Path, engine: str) -> float:
    """Seconds in which the engine writes as many bytes with no mapping: the tables of the run in ``work``, copied."""
    seconds: float = measure(RUN, ["copy", str(work / "lake"), str(work / "copy"), engine]).said["wall"]["copy"]
    return seconds


def day_folder(number: int) -> str:
    """Name of a day of delivery, from 0."""
    return f"2026-11-{2 + number:02d}"
