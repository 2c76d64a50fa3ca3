"""lowBoundary and highBoundary as columns; ``contracts.fhir.boundary`` has the same rules for single values."""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F

_DATE = r"^[0-9]{4}(-[0-9]{2}(-[0-9]{2})?)?$"
_TIME = r"^[0-9]{2}(:[0-9]{2}(:[0-9]{2}([.][0-9]+)?)?)?$"
_ZONE = r"(Z|[+-][0-9]{2}:[0-9]{2})$"
_PLAIN = r"^-?[0-9]{1,18}([.][0-9]*)?$"
_EXACT = "decimal(30,12)"


def boundary_column(text: Column, type: str | None, *, is_high: bool) -> Column:
    """The boundary of values given as text.

    Args:
        text: the value as it is written.
        type: ``decimal`` (gives a double), ``date``, ``dateTime``, ``instant``, ``time``, or None: told from the text.
    """
    if type == "decimal":
        return _decimal(text, is_high)
    if type == "time":
        return _time(text, is_high)
    if type == "date":
        return _date(text, is_high)
    if type is not None:
        return _date_time(text, is_high)
    told = F.when(text.rlike("^[0-9]{2}:"), _time(text, is_high))
    return told.when(F.instr(text, "T") > 0, _date_time(text, is_high)).otherwise(_date(text, is_high))


def _decimal(text: Column, is_high: bool) -> Column:
    """Null for a number written with an exponent: the engine's decimals do not read one."""
    places = F.length(F.regexp_extract(text, "[.]([0-9]*)$", 1))
    half = F.concat(F.lit("0."), F.repeat(F.lit("0"), places), F.lit("5")).cast(_EXACT)
    number = F.when(text.rlike(_PLAIN), text).try_cast(_EXACT)
    return (number + half if is_high else number - half).cast("double")


def _date(text: Column, is_high: bool) -> Column:
    if is_high:
        last = F.date_format(F.last_day(F.to_date(F.concat(F.substring(text, 1, 7), F.lit("-01")))), "yyyy-MM-dd")
        filled = F.when(F.length(text) == 4, F.concat(text, F.lit("-12-31"))).when(F.length(text) == 7, last)
    else:
        filled = F.when(F.length(text) < 10, F.concat(text, F.substring(F.lit("0000-01-01"), F.length(text) + 1, 9)))
    return F.when(text.rlike(_DATE), F.coalesce(filled, text))


def _time(text: Column, is_high: bool) -> Column:
    pattern = "00:59:59.999" if is_high else "00:00:00.000"
    filled = F.concat(text, F.substring(F.lit(pattern), F.length(text) + 1, 12))
    return F.when(text.rlike(_TIME), F.when(F.length(text) < 12, filled).otherwise(text))


def _date_time(text: Column, is_high: bool) -> Column:
    day = _date(F.regexp_extract(text, "^[^T]*", 0), is_high)
    rest = F.regexp_extract(text, "T(.*)$", 1)
    zone = F.regexp_extract(rest, _ZONE, 1)
    moment = F.regexp_replace(rest, _ZONE, "")
    whole = F.when(moment == "", F.lit("23:59:59.999" if is_high else "00:00:00.000")).otherwise(_time(moment, is_high))
    known = F.when(zone == "", F.lit("-12:00" if is_high else "+14:00")).otherwise(zone)
    return F.concat(day, F.lit("T"), whole, known)
