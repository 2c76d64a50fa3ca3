"""Preparing text before it is parsed or compared: the same in Python (code maps, settings) and as a column.

Full-width ASCII (U+FF01 to U+FF5E) and the ideographic space become half-width; white space at both ends goes. This is
the part of NFKC that source records need, and the only part that both engines have natively.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import reduce
from operator import and_, or_

from pyspark.sql import Column
from pyspark.sql import functions as F

_FULL = "".join(chr(code) for code in range(0xFF01, 0xFF5F)) + "\u3000"
_HALF = "".join(chr(code) for code in range(0x21, 0x7F)) + " "
_TABLE = str.maketrans(_FULL, _HALF)
_SPACE = " \t\r\n\f\v\u00a0\u3000\ufeff"
_ASCII_SPACE = " \t\r\n\f\v"
_FULL_WIDTH = "[０-９Ａ-Ｚａ-ｚ\u3000]"
"""What names and numbers have in full width; punctuation alone, common in Chinese text, is none of them."""

IDENTIFYING = (
    "[1１][3-9３-９][0-9０-９]([ -]?[0-9０-９]{4}){2}"
    "|[0-9０-９]{15,}[XxＸｘ]?"
    "|[(（]?[0０][1-9１-９][0-9０-９]{1,2}[ )）－-]{1,2}[2-9２-９][0-9０-９]{6,7}"
)
"""A mobile number (11 digits, maybe grouped), 15 and more digits in a row such as an ID-card number with its X, or a
land line behind its area code; in the dialect of both engines and Python."""
MASK = "***"


def half_width(text: str) -> str:
    """Full-width ASCII made half-width, character by character: places stay."""
    return text.translate(_TABLE)


def fold(text: str) -> str:
    """Half-width and trimmed."""
    return half_width(text).strip(_SPACE)


def fold_column(column: Column) -> Column:
    """``fold`` as a column. Only text that is not all ASCII is translated: that test costs nearly nothing."""
    is_wide = F.octet_length(column) > F.length(column)
    return F.trim(F.when(is_wide, F.translate(column, _FULL, _HALF)).otherwise(column), F.lit(_SPACE))


def trim_column(column: Column) -> Column:
    """Trimmed, otherwise as written."""
    return F.trim(column, F.lit(_SPACE))


def prepared_column(column: Column, null_values: Iterable[str]) -> Column:
    """``fold`` as a column, null where it gives nothing or one of ``null_values``.

    Most texts are ASCII with no white space around them: folding would change nothing, and the tests cost less.
    """
    absent = sorted({"", *(fold(value) for value in null_values)})
    ends = [column.endswith(space) for space in _ASCII_SPACE]
    is_folded = reduce(and_, [F.octet_length(column) == F.length(column), column >= "!", *(~end for end in ends)])
    folded = fold_column(column)
    return (
        F.when(column.isNull() | column.isin(absent), None)
        .when(is_folded, column)
        .otherwise(F.when(~folded.isin(absent), folded))
    )


def mask_identifying(column: Column) -> Column:
    """Runs of digits that look like a phone or ID-card number become ``***``."""
    return F.regexp_replace(column, IDENTIFYING, MASK)


def mask_values(column: Column, values: Sequence[Column]) -> Column:
    """``mask_identifying``, before which ``values``, where they stand in the text, in full width too, become ``***``.

    One character alone is no name. Texts with nothing to mask, nearly all, are only looked through.

    Args:
        column: a stored column, as the values should be: each is used several times.
    """
    # Of a value that is null nothing is known; then the others decide.
    suspect = reduce(or_, [column.rlike(IDENTIFYING), *(column.contains(value) for value in values)])
    # Values are half-width: one that a text has in full width is masked in the text's half-width form.
    folded = F.translate(column, _FULL, _HALF)
    in_folded = [(F.length(value) > 1) & folded.contains(value) for value in values]
    is_hidden = F.when(column.rlike(_FULL_WIDTH), reduce(or_, in_folded, F.lit(False)))
    return F.when(is_hidden, _mask_all(folded, values)).when(suspect, _mask_all(column, values)).otherwise(column)


def _mask_all(column: Column, values: Sequence[Column]) -> Column:
    for value in values:
        column = F.when(F.length(value) > 1, F.replace(column, value, F.lit(MASK))).otherwise(column)
    return mask_identifying(column)
