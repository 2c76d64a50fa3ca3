"""The same DataFrame code on Sail and on Spark gives the same Delta tables, row for row and typed."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest
from engine_equality import assert_tables_equal, run_on
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from lake.hashing import hmac_sha256_column
from lake.regex import check_regex
from lake.tables import Table, merge, read, replace

TEXTS = [
    "发热3天，伴咳嗽",
    "BP 140/90mmHg\nHR 88",
    "体温：３６．５℃",
    "",
    " \t",
    "a.b*c\\d",
    "ÀÉÎ straße",
    "2026年11月20日",
    "x\r\ny",
    "O'Brien [1] {2}",
    None,
]
ATOMS = [
    "[0-9]",
    "\\p{L}",
    "[^0-9\\r\\n]",
    "[A-Za-z]",
    "\\.",
    "\\[",
    "发",
    "年",
    "[\\p{Lo}/-]",
    "\\t",
    "x",
    "\\p{script=Han}",
]


def patterns(count: int = 24, seed: int = 7) -> list[str]:
    """Random patterns of the checked dialect."""
    draw = random.Random(seed)
    found = []
    for _ in range(count):
        parts = [
            draw.choice(ATOMS) + draw.choice(["", "", "+", "*", "?", "{1,2}", "+?"]) for _ in range(draw.randint(1, 4))
        ]
        if draw.random() < 0.3:
            parts = [f"(?:{parts[0]}|{draw.choice(ATOMS)})", *parts[1:]]
        pattern = draw.choice(["", "", "^"]) + "".join(parts) + draw.choice(["", "", "\\z"])
        check_regex(pattern)
        found.append(pattern)
    return found


def build(spark: SparkSession, folder: Path) -> None:
    """Structs, decimals, dates, hashes, expressions, arrays: three tables in ``folder``."""
    texts = spark.createDataFrame(list(enumerate(TEXTS)), "no int, text string")
    _write(spark, _typed(texts), folder / "typed", ("day",))
    _write(spark, _nested(texts), folder / "nested")
    matches = [F.col("text").rlike(pattern).alias(f"m{at}") for at, pattern in enumerate(patterns())]
    pieces = [F.regexp_extract("text", f"({pattern})", 1).alias(f"x{at}") for at, pattern in enumerate(patterns())]
    _write(spark, texts.select("no", *matches, *pieces), folder / "matched")


def _typed(texts: DataFrame) -> DataFrame:
    number = F.regexp_extract("text", "([0-9]+)", 1)
    return texts.select(
        "no",
        F.when(F.col("no") % 2 == 0, F.lit("d0")).otherwise(F.lit("d1")).alias("day"),
        hmac_sha256_column(b"key of a site", F.col("text")).alias("id"),
        F.when(number != "", number).cast("decimal(32,6)").alias("amount"),
        (F.col("no") / F.lit(7)).alias("ratio"),
        F.date_add(F.to_date(F.lit("2024-02-28")), F.col("no")).alias("date"),
        F.to_utc_timestamp(F.to_timestamp(F.lit("2026-11-20 08:30:00")), "Asia/Shanghai").alias("at"),
        F.length("text").cast("long").alias("letters"),
        F.trim(F.col("text")).isNull().alias("is_absent"),
    )


def _nested(texts: DataFrame) -> DataFrame:
    codes = F.split("text", "[，/ ]")
    row = F.struct(F.lit("rule").alias("rule"), F.col("text").alias("path"))
    return texts.select(
        "no",
        codes.alias("codes"),
        F.transform(F.filter(codes, lambda c: F.length(c) > 1), lambda c: F.struct(c.alias("code"))).alias("codings"),
        F.when(F.col("no") % 3 == 0, F.struct(F.array(row).alias("rules"), F.lit(1).alias("n"))).alias("name"),
    )


def _write(spark: SparkSession, df: DataFrame, path: Path, partition_by: tuple[str, ...] = ()) -> None:
    replace(spark, df, Table(path, df.schema, partition_by))


def rewrite(spark: SparkSession, folder: Path) -> None:
    """Read a table that another engine wrote, replace a partition of it, merge into another."""
    path = folder / "typed"
    declared = read(spark, Table(path, spark.read.format("delta").load(str(path)).schema, ("day",)))
    table = Table(path, declared.schema, ("day",))
    part = declared.where(F.col("day") == "d1").withColumn("letters", F.col("letters") + 100)
    replace(spark, part, table, {"day": ["d1"]})
    merge(spark, declared.where(F.col("no") == 0).withColumn("ratio", F.lit(2.5)), table, ["no"])


def build_and_rewrite_the_other(spark: SparkSession, folder: Path) -> None:
    """``build``, then ``rewrite`` of what the other engine built: one start of Spark for both."""
    build(spark, folder)
    rewrite(spark, folder.parent / "sail")


@pytest.mark.needs_spark
def test_both_engines_write_the_same_tables_and_rewrite_each_others(tmp_path: Path) -> None:
    run_on("sail", __file__, "build", tmp_path / "sail")
    for name in ("typed", "nested", "matched"):
        shutil.copytree(tmp_path / "sail" / name, tmp_path / "kept" / name)
    run_on("spark", __file__, "build_and_rewrite_the_other", tmp_path / "spark")
    for name in ("typed", "nested", "matched"):
        assert_tables_equal(tmp_path / "kept" / name, tmp_path / "spark" / name)
    run_on("sail", __file__, "rewrite", tmp_path / "spark")
    assert_tables_equal(tmp_path / "sail" / "typed", tmp_path / "spark" / "typed")


def test_tables_that_differ_in_one_typed_value_are_not_equal(spark: SparkSession, tmp_path: Path) -> None:
    _write(spark, spark.createDataFrame([(1, 0.1)], "no int, x double"), tmp_path / "a")
    _write(spark, spark.createDataFrame([(1, 0.2)], "no int, x double"), tmp_path / "b")
    _write(spark, spark.createDataFrame([(1, "0.1")], "no int, x string"), tmp_path / "c")
    assert_tables_equal(tmp_path / "a", tmp_path / "a")
    with pytest.raises(AssertionError, match="column x: 1 of 1 rows differ"):
        assert_tables_equal(tmp_path / "a", tmp_path / "b")
    with pytest.raises(AssertionError, match="type of x differs"):
        assert_tables_equal(tmp_path / "a", tmp_path / "c")
