"""Looking for what must be gone: every file below a folder, Parquet decoded, archives unpacked, databases read.

A search of bytes proves nothing where they are compressed, so each kind of file is opened as what it is.
"""

from __future__ import annotations

import gzip
import json
import sqlite3
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

_TEXTS = (
    pa.types.is_string,
    pa.types.is_large_string,
    pa.types.is_string_view,
    pa.types.is_binary,
    pa.types.is_large_binary,
)
_CODECS = ("utf-8", "gb18030", "utf-16-le", "utf-16-be")


def find_traces(folder: Path, needles: Sequence[str], leave_out: Iterable[Path] = ()) -> list[Path]:
    """Files (and folders, by name) below ``folder`` that hold one of these texts.

    Args:
        leave_out: folders that are not looked into.
    """
    closed = [path.resolve() for path in leave_out]
    wanted = [needle for needle in needles if needle]
    found = []
    for path in sorted(folder.rglob("*")):
        if any(path.resolve().is_relative_to(other) for other in closed):
            continue
        if any(needle in path.name for needle in wanted) or (path.is_file() and _holds(path, wanted)):
            found.append(path)
    return found


def _holds(path: Path, needles: Sequence[str]) -> bool:
    head = _head(path)
    if head == b"PAR1":
        return _in_footer(path, needles) or any(_in_column(column, needles) for column in _columns(path))
    if head.startswith(b"SQLi"):
        return any(needle in text for text in _cells(path) for needle in needles)
    return any(_in_bytes(content, needles) for content in _contents(path, head))


def _head(path: Path) -> bytes:
    with path.open("rb") as stream:
        return stream.read(4)


def _contents(path: Path, head: bytes) -> Iterator[bytes]:
    content = path.read_bytes()
    yield content
    if head.startswith(b"\x1f\x8b"):
        with suppress(OSError, EOFError, zlib.error):
            yield gzip.decompress(content)
    elif head.startswith(b"PK"):
        with suppress(zipfile.BadZipFile, OSError, zlib.error, RuntimeError), zipfile.ZipFile(path) as packed:
            for name in packed.namelist():
                yield packed.read(name)


def _in_bytes(content: bytes, needles: Sequence[str]) -> bool:
    return any(needle.encode(codec, "replace") in content for needle in needles for codec in _CODECS)


def _in_footer(path: Path, needles: Sequence[str]) -> bool:
    """Whether what a Parquet file's footer says beside its columns has a text, plain or as JSON writes it."""
    written = [*needles, *(json.dumps(needle, ensure_ascii=False)[1:-1] for needle in needles)]
    metadata = pq.read_metadata(path).metadata or {}
    return any(_in_bytes(content, written) for pair in metadata.items() for content in pair)


def _columns(path: Path) -> Iterator[pa.Array]:
    file = pq.ParquetFile(path)
    for batch in file.iter_batches():
        for column in batch.columns:
            yield from _texts(column)


def _texts(array: pa.Array) -> Iterator[pa.Array]:
    """Every array of texts in an array, at every depth."""
    kind = array.type
    if any(test(kind) for test in _TEXTS):
        yield array
    elif pa.types.is_dictionary(kind):
        yield from _texts(array.dictionary)
    elif pa.types.is_struct(kind):
        for part in array.flatten():
            yield from _texts(part)
    elif pa.types.is_map(kind):
        yield from _texts(array.keys)
        yield from _texts(array.items)
    elif pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        yield from _texts(array.values)


def _in_column(column: pa.Array, needles: Sequence[str]) -> bool:
    if pa.types.is_binary(column.type) or pa.types.is_large_binary(column.type):
        return any(_in_bytes(value, needles) for value in column.to_pylist() if value)
    if pa.types.is_string_view(column.type):
        # Nothing searches them as they are.
        column = column.cast(pa.large_string())
    return any(pc.any(pc.match_substring(column, needle)).as_py() for needle in needles)


def _cells(path: Path) -> Iterator[str]:
    """Every text of a SQLite database; blobs as the text they hold."""
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as database:
        tables = [row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for table in tables:
            for row in database.execute(f'SELECT * FROM "{table}"'):
                for cell in row:
                    if isinstance(cell, bytes):
                        yield cell.decode("utf-8", "replace")
                    elif cell is not None:
                        yield str(cell)
