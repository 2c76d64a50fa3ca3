"""Chinese resident ID-card numbers: 18 characters with a check digit, or the 15 digits issued until 1999.

Source: GB 11643-1999; check digit by ISO 7064 MOD 11-2.
"""

from __future__ import annotations

import re
from datetime import date

from pyspark.sql import Column
from pyspark.sql import functions as F

_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECK = "10X98765432"
_LONG = "^[1-9][0-9]{16}[0-9Xx]\\z"
_SHORT = "^[1-9][0-9]{14}\\z"


def check_digit(first17: str) -> str:
    """The 18th character for the first 17 digits."""
    return _CHECK[sum(w * int(d) for w, d in zip(_WEIGHTS, first17, strict=True)) % 11]


def is_valid(number: str) -> bool:
    """Whether a number has a right form, a birth date that exists and, with 18 characters, the right check digit."""
    if re.fullmatch(_SHORT[1:-2], number):
        return _is_date("19" + number[6:12])
    if not re.fullmatch(_LONG[1:-2], number):
        return False
    return _is_date(number[6:14]) and check_digit(number[:17]) == number[17].upper()


def is_valid_column(number: Column) -> Column:
    """``is_valid`` as a column; null for null. ``number`` should be a stored column: it is used many times."""
    right_digit = _expected_digit(number) == F.upper(F.substring(number, 18, 1))
    long_day, short_day = F.substring(number, 7, 8), F.concat(F.lit("19"), F.substring(number, 7, 6))
    return (
        F.when(number.isNull(), None)
        .when(number.rlike(_LONG), F.coalesce(right_digit & _is_date_column(long_day), F.lit(False)))
        .when(number.rlike(_SHORT), _is_date_column(short_day))
        .otherwise(F.lit(False))
    )


def is_short(number: str) -> bool:
    """Whether a number has the form of an old card: 15 digits with a birth date that exists."""
    return re.fullmatch(_SHORT[1:-2], number) is not None and _is_date("19" + number[6:12])


def to_long(short: str) -> str:
    """The 18 characters of an old card's 15 digits: the century put in, the check digit added."""
    first17 = short[:6] + "19" + short[6:]
    return first17 + check_digit(first17)


def to_long_column(number: Column) -> Column:
    """``to_long`` where the text is an old card's number; the X of a new one large; other text as it is."""
    first17 = F.concat(F.substring(number, 1, 6), F.lit("19"), F.substring(number, 7, 9))
    made = F.concat(first17, _expected_digit(first17))
    is_old = number.rlike(_SHORT) & _is_date_column(F.concat(F.lit("19"), F.substring(number, 7, 6)))
    return F.when(is_old, made).when(number.rlike(_LONG), F.upper(number)).otherwise(number)


def birth_date_column(number: Column) -> Column:
    """The birth date in a number, ``yyyyMMdd``; null for other text."""
    short = F.concat(F.lit("19"), F.substring(number, 7, 6))
    return F.when(number.rlike(_LONG), F.substring(number, 7, 8)).when(number.rlike(_SHORT), short)


def is_male_column(number: Column) -> Column:
    """Whether the digit of the sex is odd; null for other text."""
    digit = F.when(number.rlike(_LONG), F.substring(number, 17, 1)).when(
        number.rlike(_SHORT), F.substring(number, 15, 1)
    )
    return digit.isin("1", "3", "5", "7", "9")


def _expected_digit(number: Column) -> Column:
    """The check digit of the first 17 digits."""
    total = F.lit(0)
    for position, weight in enumerate(_WEIGHTS, start=1):
        total = total + F.substring(number, position, 1).try_cast("int") * weight
    return F.substring(F.lit(_CHECK), F.try_mod(total, F.lit(11)) + 1, F.lit(1))


def _is_date(digits: str) -> bool:
    try:
        date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
    except ValueError:
        return False
    return True


def _is_date_column(digits: Column) -> Column:
    day = F.concat_ws("-", F.substring(digits, 1, 4), F.substring(digits, 5, 2), F.substring(digits, 7, 2))
    return day.try_cast("date").isNotNull()
