"""DataFrames written as small text tables."""

from __future__ import annotations

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StringType, StructField, StructType


def frame_of(spark: SparkSession, text: str, schema: str | None = None) -> DataFrame:
    """The DataFrame of a table whose first line names the columns; cells are split at ``|`` and trimmed.

    Args:
        text: one row a line; an empty cell is null.
        schema: types as in ``"id string, age int"``, all columns in order; None: all strings.
    """
    lines = [[cell.strip() for cell in line.split("|")] for line in text.strip().splitlines()]
    names, rows = lines[0], [[cell or None for cell in line] for line in lines[1:]]
    strings = StructType([StructField(name, StringType()) for name in names])
    df = spark.createDataFrame([tuple(row) for row in rows], strings)
    if schema is None:
        return df
    types = [part.strip().split(" ", 1) for part in schema.split(",")]
    return df.select(*[F.col(name).cast(kind).alias(name) for name, kind in types])
