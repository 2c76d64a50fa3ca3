"""HAPI's validator as a referee over FHIR files, where Java, Maven and its source folder are at hand.

Its source is looked for in ``$CLOISTER_TOOLS/fhir_referee`` (default: ``tools`` beside the data folder); it is built
once in ``.cache/fhir_referee``.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


class RefereeUnavailableError(Exception):
    """Says what is missing."""


@dataclass(frozen=True)
class Issue:
    """One finding: ``source`` is the file, ``number`` the resource in it."""

    source: str
    number: int
    severity: str
    message_id: str
    location: str
    text: str


@dataclass(frozen=True)
class Referee:
    """The validator, built."""

    folder: Path

    def issues(self, files: Sequence[Path], *, fhir: str = "r4", severity: str = "error") -> list[Issue]:
        """What is wrong with the resources of ``.json`` and ``.ndjson`` files, in one JVM; bundles are judged whole.

        Args:
            fhir: ``r4`` or ``r5``.
            severity: the least that is listed: ``error``, ``warning``.

        Raises:
            subprocess.CalledProcessError: the validator itself failed.
        """
        command = [
            "java",
            "-Xmx3g",
            "-cp",
            "target/classes:lib/*",
            "Validate",
            "--fhir",
            fhir,
            "--min",
            severity,
            "--threads",
            "2",
        ]
        told = subprocess.run(
            [*command, *[str(file.resolve()) for file in files]],
            cwd=self.folder,
            check=True,
            capture_output=True,
            text=True,
        )
        found = [json.loads(line) for line in told.stdout.splitlines() if line.startswith("{")]
        if not any("totals" in entry for entry in found):
            raise RefereeUnavailableError("the validator gave no totals")
        return [
            Issue(str(e["source"]), int(e["n"]), e["severity"], str(e["messageId"]), str(e["location"]), e["text"])
            for e in found
            if "totals" not in e
        ]


def tools_folder() -> Path:
    named = os.environ.get("CLOISTER_TOOLS")
    data = Path(os.environ.get("CLOISTER_DATA", ROOT.parent / "shared" / "data"))
    return Path(named) if named else data.parent / "tools"


def open_referee() -> Referee:
    """The built validator; the first call builds it (Maven fetches its libraries).

    Raises:
        RefereeUnavailableError: its source, Java or Maven is missing, or the build failed.
    """
    source = tools_folder() / "fhir_referee"
    if not (source / "pom.xml").is_file():
        raise RefereeUnavailableError(f"no validator source in {source}")
    for program in ("java", "mvn"):
        if shutil.which(program) is None:
            raise RefereeUnavailableError(f"'{program}' is not installed")
    files = sorted(path for path in source.rglob("*") if path.is_file())
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:16]
    folder = ROOT / ".cache" / "fhir_referee" / digest
    if not (folder / "built").is_file():
        _build(source, folder)
    return Referee(folder)


def _build(source: Path, folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(source, folder)
    goals = ["compile", "dependency:copy-dependencies", "-DoutputDirectory=lib", "-DincludeScope=runtime"]
    built = subprocess.run(["mvn", "-q", "-B", *goals], cwd=folder, capture_output=True, text=True)
    if built.returncode:
        raise RefereeUnavailableError(f"Maven could not build the validator: {built.stdout.strip()[-300:]}")
    (folder / "built").touch()
