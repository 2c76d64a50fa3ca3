"""SQL on FHIR v2 views compiled to DataFrame columns over silver: one pass over the table, no Python on a row.

A select that iterates becomes one array-of-rows column (``features.row_sets``) that is exploded at the end; plain
columns stay plain columns. ``registry.views`` evaluates the same views over JSON.
Source: SQL on FHIR v2, processing algorithm "Process(S, N)".
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Mapping
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from contracts.fhir.view_definition import View, parse_view
from features.element import Resource, empty_array
from features.fhirpath import Scope, compile_path, truth
from features.row_sets import gather


def compile_view(view: Mapping[str, Any] | View, df: DataFrame, *, is_open: bool = False) -> DataFrame:
    """Rows of a view over the table of its resource type.

    Args:
        view: a ViewDefinition as JSON, or parsed.
        df: one row a resource, in silver's shape; other columns (lineage) are ignored.
        is_open: elements that ``df`` lacks are empty; for schemas read off the data. Silver's schema is closed.

    Returns:
        One column a view column, in the view's order: string, int, double or boolean, or an array of these.

    Raises:
        SpecError: the view is malformed, or uses what silver or this compiler does not have; names it.
    """
    parsed = view if isinstance(view, View) else parse_view(view)
    resource = Resource(F.lit(True), df.schema, False, is_open)
    scope = Scope(parsed.resource, parsed.constants, F.lit(0))
    df = _keep(df, [truth(compile_path(clause, resource, scope)) for clause in parsed.where])
    columns, row_sets = gather(parsed.selects, resource, scope)
    sets = [rows.column.alias(f"_set{i}") for i, rows in enumerate(row_sets)]
    result = df.select(*(column.alias(name) for name, column in columns.items()), *sets)
    for i in range(len(row_sets)):
        done, waiting = [f"_row{k}" for k in range(i)], [f"_set{k}" for k in range(i + 1, len(row_sets))]
        result = result.select(*columns, *done, *waiting, F.explode(F.col(f"_set{i}")).alias(f"_row{i}"))
    home = {name: f"_row{i}.{name}" for i, rows in enumerate(row_sets) for name in rows.names}
    return result.select(*(F.col(home.get(c.name, c.name)).alias(c.name) for c in parsed.all_columns()))


def _keep(df: DataFrame, criteria: list[Column]) -> DataFrame:
    """Rows for which every criterion is true.

    Not ``filter``: the embedded engine pushes a filter that holds a lambda into the scan of a Parquet or Delta table
    and then fails on the lambda's own columns (pysail 0.7.2). An exploded array is never pushed down.
    """
    if not criteria:
        return df
    is_kept = functools.reduce(operator.and_, criteria)
    once = F.when(is_kept, F.array(F.lit(True))).otherwise(empty_array(T.BooleanType()))
    return df.select("*", F.explode(once).alias("_is_kept"))
