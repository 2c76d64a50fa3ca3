"""What holds of all texts of a source column, told of its distinct ones: then less is left to be asked of each record.

A fact that is not known is as if it did not hold; every column of a mapping means the same either way.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fhir_mapping.spec.conditions import Condition
from fhir_mapping.spec.dates import USUAL
from fhir_mapping.spec.text import RULES, SPACE, bare_form, fold, mask_numbers
from lake.texts import Texts

EMPTY = "empty"
"""No text occurs."""
ONE_WORD = "one word"
"""Prepared it has no ASCII white space, and at least one character."""
UNESCAPED = "unescaped"
"""Prepared it has nothing that is escaped in a business key."""
USUAL_DATE = "usual date"
"""``dates.is_usual``."""

_MAY_CHANGE = f"[\u3000\uff01-\uff5e]|^[{SPACE}]|[{SPACE}]\\z|^\\z"
_SPACES = "[ \t\r\n\f\v\u3000]|^\\z"
_ESCAPED = r"[|\\｜＼]"
_USUAL = USUAL.replace("\\z", "\\Z")
_LETTERS, _VALUES = 1 << 14, 1 << 10
"""Of columns with more bytes of texts, or with more values that begin as a text goes on, it is not asked what would be
masked."""
_NEXT = "\0"
"""What stands between texts that are looked through together: no part of a number, and kept in a bare text."""
_HEADS = (1, 2, 4, 6, 9, None)
"""So many characters of each value are looked for first: nearly all values need no closer look."""

Known = Mapping[str, Texts]
"""By source column."""
NOTHING: Known = MappingProxyType({})


def prepared(null_values: Sequence[str]) -> str:
    """Name of the fact that ``text.prepared_column`` leaves the texts as they are."""
    return f"prepared {hashlib.sha256(repr(_absent(null_values)).encode()).hexdigest()[:16]}"


def unmasked(masked: Iterable[str]) -> str:
    """Name of the fact that ``text.mask_values`` leaves the texts as they are, whatever values their records have in
    these columns. Another one where the rules of masking change."""
    return f"unmasked {hashlib.sha256(repr((sorted(masked), RULES)).encode()).hexdigest()[:16]}"


def facts_of_group(
    null_values: Sequence[str], masked: Sequence[str], columns: Mapping[str, pa.StringArray]
) -> dict[str, list[str]]:
    """Names of the facts that hold of the distinct texts, not null, of columns of some rows.

    Args:
        null_values: the source's texts that mean no value.
        masked: columns whose values are masked in free text.
    """
    found = {name: facts_of(null_values, texts) for name, texts in columns.items()}
    for name in _unmasked(masked, columns):
        found[name].append(unmasked(masked))
    return found


def facts_of(null_values: Sequence[str], texts: pa.StringArray) -> list[str]:
    """Names of the facts that hold of distinct texts, which are not null.

    Args:
        null_values: the source's texts that mean no value.
    """
    name = prepared(null_values)
    if not len(texts):
        return [EMPTY, name, ONE_WORD, UNESCAPED, USUAL_DATE]
    absent = pa.array(_absent(null_values), pa.string())
    found = []
    is_folded, is_one_word, is_unescaped = _shape(texts)
    if is_folded and not _any(pc.is_in(texts, absent)):
        found.append(name)
    found += [ONE_WORD] if is_one_word else []
    found += [UNESCAPED] if is_unescaped else []
    # Of one first: of most columns it is no date.
    if re.match(_USUAL, texts[0].as_py()) and _all(pc.match_substring_regex(texts, USUAL)):
        found.append(USUAL_DATE)
    return found


def _shape(texts: pa.StringArray) -> tuple[bool, bool, bool]:
    """Whether texts are folded, one word each, and without what a key escapes. ASCII is told by its bytes: a pattern
    takes longer to make than that to do."""
    ends = np.frombuffer(texts.buffers()[1], np.int32)[texts.offset : texts.offset + len(texts) + 1]
    letters = np.frombuffer(texts.buffers()[2] or b"", np.uint8)[: ends[-1]]
    own = letters[ends[0] :]
    if own.size and own.max() < 0x80 and (ends[1:] > ends[:-1]).all():
        is_folded = bool(letters[ends[:-1]].min() > 0x20 and letters[ends[1:] - 1].min() > 0x20)
        return is_folded, bool(own.min() > 0x20), not (own == ord("|")).any() and not (own == ord("\\")).any()
    changed, spaced, escaped = (_any(pc.match_substring_regex(texts, one)) for one in (_MAY_CHANGE, _SPACES, _ESCAPED))
    return not changed, not spaced, not escaped


def _unmasked(masked: Sequence[str], columns: Mapping[str, pa.StringArray]) -> list[str]:
    """The columns, none of ``masked``, of whose texts ``unmasked`` holds; fewer where it takes long to tell."""
    texts = {name: _joined(column) for name, column in columns.items() if name not in masked}
    # Several columns often have the same texts.
    bare = {text: bare_form(text) for text in set(texts.values()) if text is not None and mask_numbers(text) == text}
    found = [_found_in(_NEXT.join(bare.values()), columns.get(name)) for name in masked]
    return [
        name
        for name, text in texts.items()
        if text in bare and all(values is not None and not _has_one(bare[text], values) for values in found)
    ]


def _joined(texts: pa.StringArray) -> str | None:
    """The texts one behind the other; None of more than are looked at."""
    if len(texts) and pc.sum(pc.binary_length(texts)).as_py() > _LETTERS:
        return None
    return _NEXT.join(texts.to_pylist())


def _found_in(text: str, values: pa.StringArray | None) -> list[str] | None:
    """Bare values of a column that a bare text has; None: any may be in it."""
    if values is None:
        return None
    found: list[str] = []
    for length in _HEADS:
        heads = values if length is None else pc.utf8_slice_codeunits(values, 0, length)
        distinct = heads.unique()
        if len(distinct) > _VALUES:
            return None
        there = [head for head in distinct.to_pylist() if bare_form(fold(head)) in text]
        values = values.filter(pc.is_in(heads, pa.array(there, pa.string())))
        found = [bare_form(fold(value)) for value in there if len(fold(value)) > 1]
    return [value for value in found if value]


def _has_one(text: str, values: Sequence[str]) -> bool:
    return any(value in text for value in values)


def conditions_of(known: Known, names: Iterable[str], fact: str) -> list[Condition]:
    """What is known of the prepared texts of some columns, as conditions that every record satisfies.

    Args:
        fact: names that texts are prepared; of a column of others nothing is said.
    """
    found = []
    for name in names:
        texts = known.get(name, Texts())
        if fact not in texts.facts:
            continue
        parts = [Condition(absent=name)] if texts.has_nulls else []
        if texts.few:
            parts.append(Condition.model_validate({"column": name, "in": texts.few}))
        elif texts.few is None:
            parts.append(Condition(present=name))
        found.append(Condition.model_validate({"any": parts}))
    return found


def _absent(null_values: Sequence[str]) -> list[str]:
    return sorted({"", *map(fold, null_values)})


def _any(found: pa.BooleanArray) -> bool:
    return bool(pc.any(found, min_count=0).as_py())


def _all(found: pa.BooleanArray) -> bool:
    return bool(pc.all(found, min_count=0).as_py())
