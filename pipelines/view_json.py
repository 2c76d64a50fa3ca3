"""Rows of a view over FHIR JSON files: NDJSON, bundles, single resources, gzipped or not, on every core.

Files are cut into chunks of whole lines and evaluated by ``registry.views`` in as many processes as cores; chunks come
back in order, and only a few are under way at a time, so memory does not grow with the folder.
"""

from __future__ import annotations

import gzip
import json
import multiprocessing
import os
import zlib
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, BinaryIO, cast

import orjson

from contracts.errors import UsageError
from contracts.fhir.view_definition import View, parse_view
from pipelines.view_rows import Encoded, Form, encode
from registry.views import evaluate_view

CHUNK_BYTES = 4 << 20
_ALONE_BYTES = 8 << 20
"""Up to so many bytes of input (as stored) one process is faster than starting others."""
_LINES = (".ndjson", ".jsonl")
_OPENS = (b"{", b"[")
"""What resources, and lists of them, begin with; no other line is read for its type."""


@dataclass(frozen=True)
class Part:
    """What became of one chunk.

    Attributes:
        encoded: its rows in the wanted form.
        bad: lines or files that are no JSON.
    """

    encoded: Encoded
    rows: int
    bad: int


def json_files(path: Path) -> list[Path]:
    """The FHIR JSON files of a folder, by path, or the file itself. Raises UsageError: there is none."""
    files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file() and _suffix(p))
    if not files:
        raise UsageError(f"{path}: no FHIR here; expected .ndjson or .json files (.gz too), or a site's folder")
    return files


def view_parts(
    body: dict[str, Any], files: list[Path], form: Form, *, alone_bytes: int = _ALONE_BYTES
) -> Iterator[Part]:
    """The rows of a view, chunk by chunk, in the order of files and lines.

    Raises:
        SpecError: a column without ``collection`` meets several values.
        UsageError: a file cannot be read.
    """
    tasks = ((body, chunk, is_lines, form) for path in files for chunk, is_lines in _chunks(path))
    workers = os.cpu_count() or 1
    if workers == 1 or sum(path.stat().st_size for path in files) <= alone_bytes:
        yield from (_evaluate(*task) for task in tasks)
        return
    waiting: deque[Future[Part]] = deque()
    # not forked: threads of the caller (an engine's, Arrow's) would be cut off in the middle
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        for task in tasks:
            waiting.append(pool.submit(_evaluate, *task))
            while len(waiting) > 2 * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _suffix(path: Path) -> str | None:
    suffix = Path(path.name.removesuffix(".gz")).suffix
    return suffix if suffix in (*_LINES, ".json") else None


def _chunks(path: Path) -> Iterator[tuple[bytes, bool]]:
    """Whole lines, about ``CHUNK_BYTES`` at a time, or a file that is one JSON value."""
    try:
        with cast(BinaryIO, gzip.open(path) if path.suffix == ".gz" else path.open("rb")) as stream:
            if _suffix(path) == ".json":
                yield stream.read(), False
                return
            while chunk := stream.read(CHUNK_BYTES):
                yield chunk + stream.readline(), True
    except (OSError, EOFError, zlib.error) as error:
        raise UsageError(f"{path} cannot be read ({error}): nothing was written. Mend it, or leave it out") from error


def _evaluate(body: dict[str, Any], chunk: bytes, is_lines: bool, form: Form) -> Part:
    view = parse_view(body)
    resources, bad = _resources(view, chunk, is_lines, _reader(body))
    rows = evaluate_view(view, resources)
    return Part(encode(view, rows, form), len(rows), bad)


def _reader(body: dict[str, Any]) -> Callable[[bytes], Any]:
    """Boundaries of a decimal hang on how it is written, so a view that asks for them reads numbers as text does."""
    if "Boundary" in json.dumps(body):
        return lambda line: json.loads(line, parse_float=Decimal)
    return orjson.loads


def _resources(
    view: View, chunk: bytes, is_lines: bool, read: Callable[[bytes], Any]
) -> tuple[list[dict[str, Any]], int]:
    """Resources of the view's type; lines of other types are not even parsed."""
    name = f'"{view.resource}"'.encode()
    found: list[dict[str, Any]] = []
    bad = 0
    for line in chunk.split(b"\n") if is_lines else [chunk]:
        if name not in line and not (line and b"\\u" in line):
            bad += bool(line.strip()) and line.lstrip()[:1] not in _OPENS
            continue
        try:
            value = read(line)
        except ValueError:
            bad += 1
            continue
        found += [one for one in _unwrapped(value) if one.get("resourceType") == view.resource]
    return found, bad


def _unwrapped(value: Any) -> Iterator[dict[str, Any]]:
    """A resource, those of a bundle, or those of a list."""
    if isinstance(value, list):
        for one in value:
            yield from _unwrapped(one)
    elif isinstance(value, dict) and value.get("resourceType") == "Bundle":
        for entry in value.get("entry") or ():
            if isinstance(entry, dict):
                yield from _unwrapped(entry.get("resource"))
    elif isinstance(value, dict):
        yield value
