"""Parts of raw HL7 v2 fields (repetition, component, sub-component) and the text they stand for; arrays in and out."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fhir_mapping.hl7v2.delimiters import Delimiters
from fhir_mapping.hl7v2.escapes import unescape
from fhir_mapping.sources.hl7v2_path import FieldPath
from fhir_mapping.sources.hl7v2_segments import CONTINUED
from fhir_mapping.sources.texts import each_text, may_hold, without_empty

_USUAL = Delimiters()


def take_part(values: pa.StringArray, path: FieldPath) -> pa.StringArray:
    """Of raw fields the repetition, component and sub-component of a path."""
    if path.key is not None:
        values = _keyed(values, path.key, path.keys)
    elif path.repetition == 0 and path.component is None:
        return pc.replace_substring(values, "~", "\n") if may_hold(values, "~") else values
    elif path.repetition == 0:
        return _joined(values, path)
    else:
        values = _nth(values, "~", path.repetition)
    return _component(values, path)


def clean(values: pa.StringArray) -> pa.StringArray:
    """Raw text as a value: empty and null (``""``) give none, escapes are resolved."""
    if may_hold(values, "\\") or may_hold(values, CONTINUED):
        values = each_text(values, _plain)
    if may_hold(values, '"'):
        values = pc.if_else(pc.equal(values, '""'), pa.scalar(None, pa.string()), values)
    return without_empty(values)


def _plain(text: str) -> str:
    return unescape(text.replace(CONTINUED + CONTINUED, CONTINUED).replace(CONTINUED, "\n"), _USUAL)


def _component(values: pa.StringArray, path: FieldPath) -> pa.StringArray:
    if path.component is None:
        return values
    values = _nth(values, "^", path.component)
    return values if path.sub is None else _nth(values, "&", path.sub)


def _joined(values: pa.StringArray, path: FieldPath) -> pa.StringArray:
    """One component of every repetition, a line each."""

    def join(text: str) -> str:
        parts = _component(pa.array(text.split("~"), pa.string()), path).to_pylist()
        return "\n".join(part for part in parts if part)

    return each_text(values, join)


def _keyed(values: pa.StringArray, key: int, keys: tuple[str, ...]) -> pa.StringArray:
    """The first repetition whose component ``key`` is one of ``keys``."""
    lists = pc.split_pattern(values, "~")
    each = pc.list_flatten(lists)
    owner = pc.list_parent_indices(lists).to_numpy()
    fits = pc.fill_null(pc.is_in(_nth(each, "^", key), value_set=pa.array(keys)), False).to_numpy(zero_copy_only=False)
    index = np.full(len(values), -1, dtype=np.int64)
    hits = np.flatnonzero(fits)[::-1]
    index[owner[hits]] = hits
    return each.take(pa.array(index, mask=index < 0))


def _nth(values: pa.StringArray, separator: str, number: int) -> pa.StringArray:
    """The n-th of the parts between separators; null where there are fewer."""
    if not may_hold(values, separator):
        return values if number == 1 else pa.nulls(len(values), pa.string())
    lists = pc.split_pattern(values, separator, max_splits=number)
    offsets = lists.offsets.to_numpy().astype(np.int64)
    at = offsets[:-1] + number - 1
    return lists.values.take(pa.array(at, mask=at >= offsets[1:]))
