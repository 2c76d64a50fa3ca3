"""HMAC-SHA-256 against RFC 4231 and against Python's own."""

from collections.abc import Callable

import pytest
from pyspark.sql import Column, SparkSession
from pyspark.sql import functions as F

from lake.hashing import hmac_sha256, hmac_sha256_column, hmac_sha256_repeated_column


def once_a_text(key: bytes, column: Column) -> Column:
    return hmac_sha256_repeated_column(key, column, 64)


WAYS = pytest.mark.parametrize("way", [hmac_sha256_column, once_a_text])

# RFC 4231, test cases 1, 2, 6 and 7 (those whose data is text): key, data, HMAC-SHA-256
RFC_4231 = [
    (b"\x0b" * 20, "Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
    (b"Jefe", "what do ya want for nothing?", "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
    (
        b"\xaa" * 131,
        "Test Using Larger Than Block-Size Key - Hash Key First",
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
    ),
    (
        b"\xaa" * 131,
        "This is a test using a larger than block-size key and a larger than block-size data. "
        "The key needs to be hashed before being used by the HMAC algorithm.",
        "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2",
    ),
]


@WAYS
@pytest.mark.parametrize(("key", "message", "expected"), RFC_4231)
def test_python_and_column_give_the_published_values(
    spark: SparkSession, key: bytes, message: str, expected: str, way: Callable[[bytes, Column], Column]
) -> None:
    rows = spark.createDataFrame([(message,)], "m string").select(way(key, F.col("m")))
    assert hmac_sha256(key, message) == expected
    assert rows.collect()[0][0] == expected


@WAYS
def test_the_column_equals_python_for_chinese_and_empty_text_and_keeps_null(
    spark: SparkSession, way: Callable[[bytes, Column], Column]
) -> None:
    key = bytes(range(32))
    texts = ["发热三天", "", "𠮷", "发热三天", "north|Patient|patient_no=1", "", "发热三天"]
    rows = spark.createDataFrame([(text,) for text in [*texts, None]], "m string")
    found = [row[0] for row in rows.select(way(key, F.col("m"))).collect()]
    assert found == [*[hmac_sha256(key, text) for text in texts], None]


def test_once_a_text_is_the_same_in_thousands_of_rows_some_of_them_without(spark: SparkSession) -> None:
    key = b"key of a site"
    numbers = spark.range(20_000).select(
        F.when(F.col("id") % 7 > 0, (F.col("id") / 12).cast("int").cast("string")).alias("m")
    )
    made = numbers.select(
        hmac_sha256_repeated_column(key, F.col("m"), 32).alias("once"),
        F.left(hmac_sha256_column(key, F.col("m")), F.lit(32)).alias("each"),
    )
    assert made.where(F.col("once").isNotNull()).count() == 20_000 - 20_000 // 7 - 1
    assert made.where(~F.col("once").eqNullSafe(F.col("each"))).count() == 0
