"""HMAC-SHA-256 against RFC 4231 and against Python's own."""

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from lake.hashing import hmac_sha256, hmac_sha256_column

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


@pytest.mark.parametrize(("key", "message", "expected"), RFC_4231)
def test_python_and_column_give_the_published_values(
    spark: SparkSession, key: bytes, message: str, expected: str
) -> None:
    rows = spark.createDataFrame([(message,)], "m string").select(hmac_sha256_column(key, F.col("m")))
    assert hmac_sha256(key, message) == expected
    assert rows.collect()[0][0] == expected


def test_the_column_equals_python_for_chinese_and_empty_text_and_keeps_null(spark: SparkSession) -> None:
    key = bytes(range(32))
    texts = ["发热三天", "", "𠮷", "north|Patient|patient_no=1"]
    rows = spark.createDataFrame([(text,) for text in [*texts, None]], "m string")
    found = [row[0] for row in rows.select(hmac_sha256_column(key, F.col("m"))).collect()]
    assert found == [*[hmac_sha256(key, text) for text in texts], None]
