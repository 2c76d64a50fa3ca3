"""HMAC-SHA-256 in Python and as a column: neither engine has it, both have SHA-256. Source: RFC 2104, RFC 4231."""

from __future__ import annotations

import hashlib
import hmac

import pyarrow as pa
from pyspark.sql import Column
from pyspark.sql import functions as F

_BLOCK = 64


def hmac_sha256(key: bytes, message: str) -> str:
    """HMAC-SHA-256 of the message's UTF-8 bytes, as 64 hex digits."""
    return hmac.new(key, message.encode(), hashlib.sha256).hexdigest()


def hmac_sha256_column(key: bytes, column: Column) -> Column:
    """The same of a string column; null gives null.

    The key stands in the query plan: an engine that shows plans to others must not run this.
    """
    block = _padded(key)
    inner = F.concat(_literal(block, 0x36), column.cast("binary"))
    return F.sha2(F.concat(_literal(block, 0x5C), F.unhex(F.sha2(inner, 256))), 256)


def hmac_sha256_repeated_column(key: bytes, column: Column, digits: int) -> Column:
    """The first hex digits of it, worked out once a distinct text of a batch of rows: for columns whose texts repeat.

    The key stands in the query plan here too.
    """
    inner, outer = (bytes(byte ^ pad for byte in _padded(key)) for pad in (0x36, 0x5C))

    def of_texts(texts: pa.Array) -> pa.Array:
        coded = texts.cast(pa.string()).dictionary_encode()
        begun, ended = hashlib.sha256(inner), hashlib.sha256(outer)
        made = []
        for text in coded.dictionary.to_pylist():
            first, second = begun.copy(), ended.copy()
            first.update(text.encode())
            second.update(first.digest())
            made.append(second.hexdigest()[:digits])
        return pa.array(made, pa.string()).take(coded.indices)

    hashed: Column = F.arrow_udf(of_texts, "string")(column)
    return hashed


def _padded(key: bytes) -> bytes:
    return (hashlib.sha256(key).digest() if len(key) > _BLOCK else key).ljust(_BLOCK, b"\0")


def _literal(block: bytes, pad: int) -> Column:
    return F.unhex(F.lit(bytes(byte ^ pad for byte in block).hex()))
