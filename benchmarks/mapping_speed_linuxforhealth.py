"""LinuxForHealth's converter as a rival, where Java, Maven and its small driver are at hand.

The driver is looked for in ``$CLOISTER_TOOLS/linuxforhealth`` (default: ``tools`` beside the data folder) and built
once in ``.cache/linuxforhealth``.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from benchmarks.fhir_referee import ROOT, tools_folder

_BUILD = (
    *("mvn", "-q", "-B", "compile", "dependency:copy-dependencies"),
    *("-DoutputDirectory=lib", "-DincludeScope=runtime"),
)
_JAVA = ("java", "-Dhl7converter.config.home=conf", "-cp", "target/classes:lib/*", "Convert", "bench")


@dataclass(frozen=True)
class Rate:
    """Messages a second, the median of the rounds, and messages a CPU second of the converting threads."""

    wall: float
    cpu: float


def linuxforhealth(messages: Path, threads: int, warm: int, rounds: int, count: int) -> Rate | str:
    """How fast it converts ``count`` messages, warmed up by ``warm`` a thread; why not, where it cannot run."""
    folder = _built()
    if isinstance(folder, str):
        return folder
    numbers = map(str, (threads, warm, rounds, count))
    command = [*_JAVA, str(messages.resolve()), *numbers]
    told = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout
    found = [json.loads(line) for line in told.splitlines() if line.startswith("{")]
    if any(entry.get("errors") for entry in found):
        raise RuntimeError("LinuxForHealth failed on messages it was measured with")
    return Rate(found[-1]["median_msgs_per_s"], found[-1]["median_msgs_per_cpu_s"])


def _built() -> Path | str:
    source, folder = tools_folder() / "linuxforhealth", ROOT / ".cache" / "linuxforhealth"
    missing = [program for program in ("java", "mvn") if shutil.which(program) is None]
    if missing or not (source / "pom.xml").is_file():
        return f"no {' and no '.join(missing)}" if missing else f"no driver in {source}"
    if not (folder / "built").is_file():
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(source, folder)
        made = subprocess.run(_BUILD, cwd=folder, capture_output=True, text=True)
        if made.returncode:
            return f"Maven could not build it: {made.stdout.strip()[-300:]}"
        (folder / "built").touch()
    return folder
