"""Which files are converted, and what each one's outputs are called.

Under a folder the relative path is kept (``DIR/sub/X.json`` for ``sub/X.hl7``); a file given by itself becomes
``DIR/X.json``. In a folder the extension says what counts; what does not count is listed, never dropped in silence.
"""

from __future__ import annotations

import hmac
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from contracts.errors import UsageError
from fhir_mapping.convert.options import Format
from fhir_mapping.file_names import name_text

_MESSAGE_TYPES = (
    ".adt",
    ".oru",
    ".orm",
    ".oml",
    ".omg",
    ".mdm",
    ".siu",
    ".vxu",
    ".rde",
    ".rds",
    ".bar",
    ".dft",
    ".ref",
)
_EXTENSIONS: dict[Format, tuple[str, ...]] = {
    "hl7v2": (".hl7", ".hl7v2", ".v2", ".msg", ".txt", ".er7", ".dat", ".mllp", *_MESSAGE_TYPES),
    "cda": (".xml", ".cda", ".ccda", ".ccd"),
    "fhir": (".json", ".ndjson", ".jsonl"),
    "csv": (".csv", ".txt", ".dat"),
    "tsv": (".tsv", ".tab", ".txt"),
    "xlsx": (".xlsx",),
}
_RESERVED = ("ledger", "quarantine")
"""Names of the run's own files: an input so called would overwrite them."""


@dataclass(frozen=True)
class InputFile:
    """One file to convert.

    Attributes:
        path: where it is read.
        name: as given, or relative to the folder that was given, as text.
        stem: of its outputs below DIR: ``sub/X``; of pseudonymous output ``called``.
        called: how output and reports call it: ``name``, or a keyed hash of it.
    """

    path: Path
    name: str
    stem: str
    called: str


@dataclass(frozen=True)
class Inputs:
    """Files to convert, in order of their outputs' names, and what stands in the folders besides, by name."""

    files: tuple[InputFile, ...]
    others: tuple[str, ...]

    def under_pseudonyms(self, key: bytes) -> Inputs:
        """The same files with outputs that do not tell their names: a name may be a patient's."""
        files = (replace(file, stem=pseudonym(file.name, key), called=pseudonym(file.name, key)) for file in self.files)
        return replace(self, files=tuple(sorted(files, key=lambda file: file.stem)))


def pseudonym(name: str, key: bytes) -> str:
    """What a file is called where names are not told: 32 hex digits, the same for the same name and key."""
    return hmac.new(key, name.encode("utf-8", "surrogateescape"), "sha256").hexdigest()[:32]


def find_inputs(format: Format, given: Sequence[Path], out: Path) -> Inputs:
    """Look through files and folders.

    Args:
        out: the output folder; where it lies inside an input folder it is passed over.

    Raises:
        UsageError: an input does not exist, two inputs would have one output name, or a folder has nothing to convert.
    """
    files: list[InputFile] = []
    others: list[str] = []
    for path in given:
        if path.is_dir():
            for inside in _walk(path, out.resolve()):
                name = name_text(inside.relative_to(path).as_posix())
                if extension(format, inside.name) and not _is_special(inside):
                    files.append(InputFile(inside, name, stem_of(format, name), name))
                else:
                    others.append(name)
        elif path.exists():
            name = name_text(path.name)
            files.append(InputFile(path, name, stem_of(format, name), name))
        else:
            raise UsageError(f"{path} does not exist. Give files or folders to convert.")
    _refuse_collisions(files)
    if not files:
        raise UsageError(
            f"nothing to convert: no file of the {len(others)} found ends in one of {' '.join(_EXTENSIONS[format])}. "
            "Give a file by its own name to have it tried whatever its ending."
        )
    return Inputs(tuple(sorted(files, key=lambda file: file.stem)), tuple(sorted(others)))


def _walk(folder: Path, out: Path) -> Iterator[Path]:
    for root, folders, names in os.walk(folder):
        here = Path(root)
        folders[:] = sorted(name for name in folders if (here / name).resolve() != out)
        for name in sorted(names):
            yield here / name


def _is_special(path: Path) -> bool:
    """Whether it is a pipe, socket or device: reading one may never end."""
    return os.path.exists(path) and not os.path.isfile(path)


def extension(format: Format, name: str) -> str | None:
    """The ending of a file name by which it counts as this format (``.ndjson.gz``), None when it does not."""
    lower = name.lower()
    packed = ".gz" if lower.endswith(".gz") else ""
    body = lower.removesuffix(".gz")
    for ending in _EXTENSIONS[format]:
        if body.endswith(ending) and body != ending:
            return name[len(name) - len(ending + packed) :]
    return None


def stem_of(format: Format, name: str) -> str:
    """The output name without ``.json``: the input's without the format's ending, else without its last ending."""
    known = extension(format, name)
    if known is not None:
        return name[: -len(known)]
    path = PurePosixPath(name)
    return str(path.with_name(path.stem)) if path.stem else name


def _refuse_collisions(files: Sequence[InputFile]) -> None:
    seen: dict[str, InputFile] = {}
    for file in files:
        if file.stem in _RESERVED:
            raise UsageError(f"{file.name} would become {file.stem}.json, which is a report of the run. Rename it.")
        other = seen.setdefault(file.stem, file)
        if other is not file:
            raise UsageError(
                f"two inputs would become {file.stem}.json: {other.path} and {file.path}. "
                "Convert them into two folders."
            )
