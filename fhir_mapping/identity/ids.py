"""Ids of resources: a keyed hash of the business key, the same on every run, batch split and engine.

The site stands in the hash: two hospitals that number their patients alike do not share ids. 128 bits of HMAC-SHA-256
remain, as 32 hex digits: FHIR's form of an id.
"""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Column
from pyspark.sql import functions as F

from lake.hashing import hmac_sha256, hmac_sha256_column, hmac_sha256_repeated_column

ID_DIGITS = 32


def resource_id(key: bytes, site: str, resource: str, identity: str, values: Sequence[str]) -> str:
    """The id of a resource from the prepared texts of its business key."""
    message = "|".join([site, resource, identity, *(_escape(value) for value in values)])
    return hmac_sha256(key, message)[:ID_DIGITS]


def resource_id_column(
    key: bytes,
    site: str,
    resource: str,
    identity: str,
    values: Sequence[Column],
    item: str | None = None,
    *,
    is_plain: bool = False,
    is_repeated: bool = False,
) -> Column:
    """``resource_id`` as a column; null when any part of the key is null.

    Args:
        item: a last, constant part.
        is_plain: the values are known to have nothing to escape.
        is_repeated: the key is known to be the same in many rows.
    """
    parts = [F.lit(f"{site}|{resource}|{identity}")]
    for value in values:
        parts += [F.lit("|"), value if is_plain else _escape_column(value)]
    if item is not None:
        parts.append(F.lit("|" + _escape(item)))
    message = F.concat(*parts)
    if is_repeated:
        return hmac_sha256_repeated_column(key, message, ID_DIGITS)
    return F.left(hmac_sha256_column(key, message), F.lit(ID_DIGITS))


def _escape(value: str) -> str:
    """``|`` separates the parts of a key, so inside one it is written ``\\|``."""
    return value.replace("\\", "\\\\").replace("|", "\\|")


def _escape_column(value: Column) -> Column:
    escaped = F.replace(F.replace(value, F.lit("\\"), F.lit("\\\\")), F.lit("|"), F.lit("\\|"))
    return F.when(value.contains("|") | value.contains("\\"), escaped).otherwise(value)
