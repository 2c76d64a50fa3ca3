"""HL7 times in other forms, many at once: as arrays of digits where they are digits alone, of a usual length."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fhir_mapping.sources.hl7v2_path import iso_time, order_time
from fhir_mapping.sources.texts import each_text

_ZERO, _NINE = b"09"
_YEAR = 4
_ISO = {8: b"0000-00-00", 12: b"0000-00-00T00:00:00", 14: b"0000-00-00T00:00:00"}
"""By the number of digits (a day, a minute, a second) the form in whose zeros they are put."""
_ORDER = dict.fromkeys(_ISO, b"00000000000000")


def iso_times(values: pa.StringArray) -> pa.StringArray:
    """Times in FHIR's form (``iso_time``); null stays null."""
    return _formed(values, _ISO, _iso_each)


def order_times(values: pa.StringArray) -> pa.StringArray:
    """Times as texts that sort like them (``order_time``); null sorts first."""
    return pc.fill_null(_formed(values, _ORDER, partial(each_text, function=order_time)), order_time(None))


def _iso_each(values: pa.StringArray) -> pa.StringArray:
    """``iso_time`` of each text. Most of the results that are asked whether they are times begin with no year."""
    _, offsets, data = values.buffers()
    ends = np.frombuffer(offsets, dtype=np.int32)[values.offset :][: len(values) + 1]
    begins = np.flatnonzero(np.diff(ends) >= _YEAR)
    if not len(begins):
        return values
    head = np.frombuffer(data, dtype=np.uint8)[ends[begins][:, None] + np.arange(_YEAR)]
    # White space may stand before a time; a letter outside ASCII may be such.
    is_year = ((head >= _ZERO) & (head <= _NINE)).all(axis=1) | (head[:, 0] <= ord(" ")) | (head[:, 0] >= 0x80)
    if not is_year.any():
        return values
    may_be = np.zeros(len(values), dtype=bool)
    may_be[begins[is_year]] = True
    mask = pa.array(may_be)
    return pc.replace_with_mask(values, mask, each_text(values.filter(mask), iso_time))


def _formed(
    values: pa.StringArray, forms: dict[int, bytes], of_others: Callable[[pa.StringArray], pa.StringArray]
) -> pa.StringArray:
    """Texts of so many digits put into their forms, a function of the others."""
    texts: list[pa.StringArray] = []
    places: list[np.ndarray] = []
    is_other = np.ones(len(values), dtype=bool)
    for length, form in forms.items():
        at, digits = _digits(values, length)
        if len(at):
            texts.append(_put_into(form, digits))
            places.append(at)
            is_other[at] = False
    if not places:
        return of_others(values)
    others = np.flatnonzero(is_other)
    if len(others):
        texts.append(of_others(values.take(pa.array(others))))
        places.append(others)
    if len(texts) == 1:
        return texts[0]
    return pa.concat_arrays(texts).take(pa.array(np.argsort(np.concatenate(places))))


def _digits(values: pa.StringArray, length: int) -> tuple[np.ndarray, np.ndarray]:
    """Which texts are so many digits, and these digits, a row each."""
    _, offsets, data = values.buffers()
    if data is None:
        return np.zeros(0, dtype=np.int64), np.zeros((0, length), dtype=np.uint8)
    ends = np.frombuffer(offsets, dtype=np.int32)[values.offset :][: len(values) + 1]
    fits = np.diff(ends) == length
    if values.null_count:
        fits &= values.is_valid().to_numpy(zero_copy_only=False)
    at = np.flatnonzero(fits)
    digits = np.frombuffer(data, dtype=np.uint8)[ends[at][:, None] + np.arange(length)]
    is_digit = ((digits >= _ZERO) & (digits <= _NINE)).all(axis=1)
    return at[is_digit], digits[is_digit]


def _put_into(form: bytes, digits: np.ndarray) -> pa.StringArray:
    letters = np.frombuffer(form, dtype=np.uint8)
    rows = np.tile(letters, (len(digits), 1))
    rows[:, np.flatnonzero(letters == _ZERO)[: digits.shape[1]]] = digits
    offsets = np.arange(len(rows) + 1, dtype=np.int32) * np.int32(len(form))
    return pa.StringArray.from_buffers(len(rows), pa.py_buffer(offsets), pa.py_buffer(rows))
