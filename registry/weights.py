"""Arrays of a model as one file with one byte form: same arrays, same bytes, same digest. No pickle, ever."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping

import numpy as np

from contracts.errors import DataError

_EPOCH = (1980, 1, 1, 0, 0, 0)
"""Fixed time stamp of every entry; the archive's own would make equal weights differ."""


def pack_arrays(arrays: Mapping[str, np.ndarray]) -> bytes:
    """A ``.npz`` of the arrays, sorted by name, in C order and little endian, stored uncompressed."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(arrays):
            array = np.ascontiguousarray(arrays[name])
            if array.dtype.hasobject:
                raise DataError(f"array '{name}' holds objects; expected numbers")
            entry = io.BytesIO()
            np.lib.format.write_array(entry, array.astype(array.dtype.newbyteorder("<")), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy", _EPOCH), entry.getvalue())
    return stream.getvalue()


def unpack_arrays(data: bytes) -> dict[str, np.ndarray]:
    """Arrays by name. Call only on bytes whose digest was checked. Raises DataError for any other file."""
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (ValueError, OSError, zipfile.BadZipFile, KeyError) as error:
        raise DataError("the weights file is not an archive of plain arrays; write the model again") from error
