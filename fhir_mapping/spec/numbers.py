"""Numbers as native columns: FHIR's decimal as text and as decimal(32,6), comparators, integers, booleans."""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F
from pyspark.sql.types import DecimalType

from contracts.fhir.silver import DECIMAL

DECIMAL_TYPE = DecimalType(32, 6)
"""``DECIMAL`` as Spark's type."""

_NUMBER = "^[+-]?([0-9]{1,24}(\\.[0-9]{0,30})?|\\.[0-9]{1,30})([eE][+-]?[0-9]{1,2})?\\z"
_USUAL = "^-?(?:0|[1-9][0-9]{0,9})(?:[.][0-9]{1,9})?\\z"
"""Part of ``_NUMBER``: what FHIR's form leaves as it is."""
_EXACT_IN_DOUBLE = 8
"""Characters of a form that holds at most eight digits, at most six of them behind the point."""
_COMPARED = "^(<=|>=|<|>|≤|≥|≦|≧)[ ]*(.*)\\z"
_LEAST_MARK = "<"
"""Texts that begin with a comparator are not less; digits, signs and points are."""
_TRUE = ("true", "True", "TRUE", "1", "y", "Y", "yes", "Yes", "YES", "是")
_FALSE = ("false", "False", "FALSE", "0", "n", "N", "no", "No", "NO", "否")


def number_text(text: Column) -> Column:
    """The number in FHIR's decimal form, trailing zeros kept; null when the text is no number.

    ``065.80`` gives ``65.80``, ``.5`` gives ``0.5``, ``5.`` gives ``5``, ``+3`` gives ``3``.
    """
    plain = F.regexp_replace(text, "^[+]", "")
    plain = F.regexp_replace(plain, "^(-?)0+([0-9])", "$1$2")
    plain = F.regexp_replace(F.regexp_replace(plain, "^\\.", "0."), "^-\\.", "-0.")
    plain = F.regexp_replace(plain, "\\.(\\z|[eE])", "$1")
    needs_care = text.rlike("^[+-]?(0[0-9]|\\.)|^[+]|\\.(\\z|[eE])")
    is_usual = text.isNull() | text.rlike(_USUAL)
    return F.when(is_usual, text).when(text.rlike(_NUMBER), F.when(needs_care, plain).otherwise(text))


def number_value(form: Column) -> Column:
    """decimal(32,6) of FHIR's decimal form, rounded half up; null outside its range."""
    # A decimal with an exponent: one engine casts the text, the other gives null; both agree by way of a double. So
    # few digits are exact in a double, and read eight times as fast.
    by_double = form.try_cast("double").try_cast(DECIMAL)
    is_short = F.octet_length(form) <= _EXACT_IN_DOUBLE
    return F.when(is_short, by_double).when(form.rlike("[eE]"), by_double).otherwise(form.try_cast(DECIMAL))


def comparator(text: Column) -> Column:
    """``<``, ``<=``, ``>=`` or ``>`` in front of a number; null when there is none."""
    mark = F.regexp_extract(text, _COMPARED, 1)
    return F.when(
        text >= _LEAST_MARK,
        F.when(mark.isin("<", ">", "<=", ">="), mark)
        .when(mark.isin("≤", "≦"), F.lit("<="))
        .when(mark.isin("≥", "≧"), F.lit(">=")),
    )


def without_comparator(text: Column) -> Column:
    """The text behind a comparator, or all of it."""
    bare = F.when(text.rlike(_COMPARED), F.regexp_extract(text, _COMPARED, 2)).otherwise(text)
    return F.when(text.isNull() | (text < _LEAST_MARK), text).otherwise(bare)


def integer_value(text: Column) -> Column:
    """A 32-bit integer; ``12.0`` is accepted as 12; null otherwise."""
    whole = F.regexp_replace(text, "\\.0*\\z", "")
    return F.when(whole.rlike("^[+-]?[0-9]{1,10}\\z"), whole.try_cast("bigint").try_cast("int"))


def boolean_value(text: Column) -> Column:
    """True, false, or null for a text that is neither."""
    return F.when(text.isin(*_TRUE), F.lit(True)).when(text.isin(*_FALSE), F.lit(False))
