"""Preparing text before it is parsed or compared: the same in Python (code maps, settings) and as a column.

Full-width ASCII (U+FF01 to U+FF5E) and the ideographic space become half-width; white space at both ends goes. This is
the part of NFKC that source records need, and the only part that both engines have natively.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import reduce
from operator import and_, or_

from pyspark.sql import Column
from pyspark.sql import functions as F

_FULL = "".join(chr(code) for code in range(0xFF01, 0xFF5F)) + "\u3000"
_HALF = "".join(chr(code) for code in range(0x21, 0x7F)) + " "
_TABLE = str.maketrans(_FULL, _HALF)
SPACE = " \t\r\n\f\v\u00a0\u3000\ufeff"
_ASCII_SPACE = " \t\r\n\f\v"
_FULL_WIDTH = "[０-９Ａ-Ｚａ-ｚ\u3000]"
"""What names and numbers have in full width; punctuation alone, common in Chinese text, is none of them."""

_D = "[0-9０-９]"
_GAP = "[ \u00a0\u3000\u2010-\u2015\u2212－-]"
"""What stands between the groups of a number."""
_GAPS = f"{_GAP}{{0,2}}"
_LOOSE_ONE = f"[()（）{_GAP[1:]}"
_LOOSE = f"{_LOOSE_ONE}{{0,3}}"
_YEAR = f"(?:[1１][89８９]|[2２][0０]){_D}{{2}}"
_MONTH = "(?:[0０][1-9１-９]|[1１][0-2０-２])"
_DAY = f"(?:[0-2０-２]{_D}|[3３][01０１])"
_LAST = "[0-9０-９XxＸｘ]"

GROUPED_CARD = (
    f"(^|[^0-9０-９])(?:{_D}{{3}}{_GAP}?{_D}{{3}}{_GAPS}{_YEAR}{_GAP}?{_MONTH}{_GAP}?{_DAY}{_GAPS}{_D}{{3}}{_LAST}"
    f"|{_D}{{4}}{_GAP}{_D}{{2}}(?:[1１][89８９]|[2２][0０]){_GAP}{_D}{{2}}{_MONTH}{_GAP}{_DAY}{_D}{{2}}{_GAP}{_D}{_LAST}"
    f"|{_D}{{6}}{_GAP}{_D}{{2}}{_MONTH}{_DAY}{_GAP}{_D}{{3}})"
)
"""An ID-card number by its parts (6 digits, date of birth, 4; of an old one 6, 6, 3) or by fours, and what stands
before it; in the dialect of both engines and Python."""
IDENTIFYING = (
    f"{_D}{{15,}}[XxＸｘ]?"
    f"|(?:[+＋]|[0０]{{2}})[8８][6６](?:{_LOOSE}{_D}){{10,11}}"
    f"|[1１][3-9３-９]{_D}(?:{_GAP}?{_D}{{4}}){{2}}|[1１][3-9３-９]{_D}{{2}}{_GAP}{_D}{{3}}{_GAP}{_D}{{4}}"
    f"|[(（]?[0０][1-9１-９]{_D}{{1,2}}[ )）－-]{{1,2}}[2-9２-９]{_D}{{2,3}}{_GAP}?{_D}{{4}}"
)
"""15 and more digits in a row such as an ID-card number with its X, a telephone behind +86, a mobile number (11 digits,
maybe grouped as 3, 4, 4 or 4, 3, 4), or a land line behind its area code; in the dialect of both engines and Python."""
_LEAST_OCTETS = 10
"""No text that ``IDENTIFYING`` or ``GROUPED_CARD`` finds is shorter, bare."""
SIX_DIGITS = f"(?:{_D}{_LOOSE}){{5}}{_D}"
"""What every such number has, and few texts: digits with no more between them than numbers have."""
MASK = "***"

MARK = (
    "[\t-\r -/:-@\\[-`{-~\u0080-\u00a9\u00ab-\u00b1\u00b4\u00b6-\u00b8\u00bb\u00bf"
    "\u2000-\u206f\u3000-\u3004\u3008-\u3020\u30fb\uff01-\uff0f]"
)
"""A mark or white space: which of them stands between the words of a name differs from writer to writer."""
_BETWEEN_WORDS = "".join(re.findall(MARK, "".join(map(chr, (*range(0x3100), *range(0xFF01, 0xFF10)))))) + "\u2212"
"""What a text is without, bare: every mark, and all that stands between the groups of a number."""
_NO_MARKS = dict.fromkeys(map(ord, _BETWEEN_WORDS)) | {ord("\u03c2"): "\u03c3"}
"""A sigma at the end of a word is a sigma: what is the end of a value may be the middle of a word of the text."""
_NARROW_MARK, _WIDE_MARK = "[!-,./:-@\\[-`{-~]", "[\uff01-\uff5e]"
"""Marks of values that are told from wide ones; a hyphen or space is a gap."""
_SUSPECT = f"{SIX_DIGITS}|[\u3000\uff01-\uff5e]"
"""What a text has that has a person's number, or may have anything in full width."""
_BEFORE, _BETWEEN = "\ufffe", "\uffff"
"""What marks values that are joined; in no text."""
_VALUES = r"(?iu:(^|[^A-Za-z])(?:@)([^A-Za-z]|$))|(?:@)|(?i:\z.#)"
"""What finds values: words in any case (``@``), as they are written, or numbers in any groups (``#``)."""
_NO_NUMBER = f"{_BEFORE}(?:[0-9]{{0,5}}[Xx]?|[0-9]*[^0-9{_BETWEEN}][^{_BETWEEN}]+|[0-9]*[^0-9Xx{_BETWEEN}]){_BETWEEN}"
"""A value that is looked for in no groups: a number of less than six digits would be found in dates."""


RULES = (GROUPED_CARD, IDENTIFYING, SIX_DIGITS, _SUSPECT, _BETWEEN_WORDS, _FULL, _VALUES, _LEAST_OCTETS)
"""What decides whether a text is masked: what was told of texts under other rules does not hold under these."""


def half_width(text: str) -> str:
    """Full-width ASCII made half-width, character by character: places stay."""
    return text if text.isascii() else text.translate(_TABLE)


def in_groups(value: str) -> str | None:
    """The pattern of a number (half-width) in whatever groups; None for what is no number."""
    number = re.sub(_LOOSE_ONE, "", value)
    return _GAPS.join(number) if re.fullmatch("[0-9]{6,}[Xx]?", number) else None


def mask_numbers(text: str) -> str:
    """What looks like a person's number as ``***``."""
    return re.sub(IDENTIFYING, MASK, re.sub(GROUPED_CARD, rf"\1{MASK}", text)) if re.search(SIX_DIGITS, text) else text


def fold(text: str) -> str:
    """Half-width and trimmed."""
    return half_width(text).strip(SPACE)


def fold_column(column: Column) -> Column:
    """``fold`` as a column. Only text that is not all ASCII is translated: that test costs nearly nothing."""
    is_wide = F.octet_length(column) > F.length(column)
    return F.trim(F.when(is_wide, F.translate(column, _FULL, _HALF)).otherwise(column), F.lit(SPACE))


def trim_column(column: Column) -> Column:
    """Trimmed, otherwise as written."""
    return F.trim(column, F.lit(SPACE))


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


def bare(column: Column) -> Column:
    """A text in small letters, without marks and white space: as equal names and numbers are, however written."""
    return F.translate(F.lower(column), _BETWEEN_WORDS, "")


def bare_form(text: str) -> str:
    """``bare`` in Python, of a text that may be in full width still; of a text's beginning it gives the beginning."""
    return half_width(text).lower().translate(_NO_MARKS)


def bare_value(value: Column) -> Column:
    """A value that is masked, ``bare``; null of what is none: one character is no name, nor are marks alone."""
    return F.when(F.length(value) > 1, F.nullif(bare(value), F.lit("")))


def mask_values(column: Column, bare_text: Column, values: Sequence[Column], bare_values: Sequence[Column]) -> Column:
    """Text in which ``values`` and all that looks like a person's number (see ``mask_numbers``) became ``***``.

    Values count in full width too (then the text is shown in half width), numbers of six and more digits in whatever
    groups, words of Latin letters in any case, with other marks between words too. Texts with nothing to mask, nearly
    all, are only looked through.

    Args:
        column: a stored column, as the others should be: each is used several times.
        bare_text: the text as ``bare``.
        bare_values: ``bare_value`` of each value.
    """
    pairs = list(zip(values, bare_values, strict=True))
    # In one text: a pattern made of each one would take long to plan.
    known = [F.when(short.isNotNull(), value) for value, short in pairs]
    joined = F.concat_ws(_BETWEEN, F.lit(None).cast("string"), *known)
    has_number = column.rlike(SIX_DIGITS)
    # Values are half-width: one that a text has in full width is masked in the text's half-width form.
    is_wide = column.rlike(_FULL_WIDTH) | (joined.rlike(_NARROW_MARK) & column.rlike(_WIDE_MARK))
    folded = F.when(is_wide, F.translate(column, _FULL, _HALF)).otherwise(column)
    hidden = folded
    # Twice: of two words with one character between them the first time finds one.
    for _ in range(2):
        hidden = F.regexp_replace(hidden, _pattern_of(joined), F.lit(f"$1{MASK}$2"))
    # Of a value that is null nothing is known; then the others decide.
    is_known = is_wide & reduce(or_, [bare(folded).contains(short) for short in bare_values], F.lit(False))
    is_suspect = F.when(column.rlike(_SUSPECT), 1)
    for short in bare_values:
        is_known |= bare_text.contains(short)
        is_suspect = is_suspect.when(bare_text.contains(short), 1)
    # Twice, since `least` wants two, and there may be no value.
    least = F.least(F.lit(_LEAST_OCTETS), F.lit(_LEAST_OCTETS), *map(F.octet_length, bare_values))
    return (
        F.when(F.octet_length(bare_text) < least, column)
        .when(is_suspect.otherwise(0) == 0, column)
        .when(is_known, _without_numbers(hidden))
        .when(has_number, _without_numbers(column))
        .otherwise(column)
    )


def _without_numbers(column: Column) -> Column:
    """``mask_numbers`` as a column."""
    return F.regexp_replace(F.regexp_replace(column, GROUPED_CARD, f"$1{MASK}"), IDENTIFYING, MASK)


def _pattern_of(joined: Column) -> Column:
    """What finds the values (``_VALUES``); any mark stands for any other."""
    # The longer of two that begin alike comes first: else what it has more would be left.
    joined = F.array_join(F.sort_array(F.split(joined, _BETWEEN), asc=False), _BETWEEN)
    marked = F.regexp_replace(F.regexp_replace(joined, MARK, _BEFORE), f"[^\\p{{L}}\\p{{N}}{_BEFORE}{_BETWEEN}]", ".")
    words = F.replace(F.replace(marked, F.lit(_BEFORE), F.lit(MARK)), F.lit(_BETWEEN), F.lit("|"))
    each = F.concat(F.lit(_BEFORE), F.replace(joined, F.lit(_BETWEEN), F.lit(_BETWEEN + _BEFORE)), F.lit(_BETWEEN))
    numbers = F.regexp_replace(F.regexp_replace(each, _LOOSE_ONE, ""), _NO_NUMBER, "")
    grouped = F.regexp_replace(numbers, "([0-9])", f"$1{_GAPS}")
    # Without the gaps behind a last digit, which are the text's.
    listed = F.translate(F.replace(grouped, F.lit(_GAPS + _BETWEEN), F.lit("")), _BEFORE + _BETWEEN, "|")
    found = F.replace(F.replace(F.lit(_VALUES), F.lit("@"), words), F.lit("#"), listed)
    return F.when(joined == "", r"\z.").otherwise(found)
