"""A task's features as DataFrame columns over silver. ``registry.features`` has the same rules in plain Python."""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql import types as T

from contracts.errors import SpecError
from contracts.feature_rules import DATE_PARTS, NULL_TEXTS, WHITE_SPACE, check_features
from contracts.feature_spec import FeatureSpec, Input, Label, PivotView
from contracts.fhir.view_definition import View
from features.views import compile_view

SEVERAL_ROWS = "cloister: several rows for one key where the feature spec takes one"
"""What the engine raises for such a key; known by its start to ``features.build``."""


def evaluate_features(spec: FeatureSpec, views: Mapping[str, View], tables: Mapping[str, DataFrame]) -> DataFrame:
    """One row a unit: ``unit_id``, ``patient_id``, one column an input (double or string), ``label`` (strings).

    Args:
        spec: the task's features.
        views: parsed views by the file name the spec gives them.
        tables: silver by resource type, in silver's shape.

    Raises:
        SpecError: a view or the spec is wrong, or a view needs a table that is not there.
    """
    check_features(spec, views)
    unit = _only_row(_view(spec.unit.view, views, tables), spec.unit.key)
    kept = [F.col(name).alias(f"_unit_{name}") for name in unit.columns]
    wide = unit.select(*unit.columns, *kept)
    for join in spec.join:
        right = _only_row(_view(join.view, views, tables), join.right)
        wide = _left_join(wide, right.withColumnRenamed(join.right, "_right").withColumn(join.right, F.col("_right")),
                          join.left)  # fmt: skip
    for pivot in spec.pivot:
        wide = _left_join(wide, _fold(_view(pivot.view, views, tables), pivot, spec), pivot.left)
    if spec.label.kind == "condition":
        wide = _left_join(wide, _ill(_view(spec.label.view or "", views, tables), spec.label), spec.label.left or "")
    return wide.select(
        F.col(f"_unit_{spec.unit.key}").alias("unit_id"),
        F.col(f"_unit_{spec.unit.patient}").alias("patient_id"),
        *(_input(one).alias(one.name) for one in spec.input),
        _label(spec.label).alias("label"),
    )


def feature_schema(spec: FeatureSpec) -> T.StructType:
    """Schema of a task's feature table."""
    kinds = [(one.name, T.DoubleType() if one.kind == "number" else T.StringType()) for one in spec.input]
    ids = [("unit_id", T.StringType()), ("patient_id", T.StringType())]
    return T.StructType([T.StructField(*field) for field in (*ids, *kinds, ("label", T.ArrayType(T.StringType())))])


def _view(file: str, views: Mapping[str, View], tables: Mapping[str, DataFrame]) -> DataFrame:
    view = views[file]
    if view.resource not in tables:
        raise SpecError(f"view '{file}' reads {view.resource}, which silver does not hold: it has {', '.join(tables)}")
    return compile_view(view, tables[view.resource])


def _only_row(rows: DataFrame, key: str) -> DataFrame:
    """Rows with a key; the engine raises ``SEVERAL_ROWS`` for a key that is there twice."""
    count = F.count(F.lit(1)).over(Window.partitionBy(key))
    rows = rows.select(*rows.columns, count.alias("_rows")).filter(F.col(key).isNotNull())
    several = F.raise_error(F.lit(SEVERAL_ROWS)).cast("string")
    only = F.when(F.col("_rows") > 1, several).otherwise(F.col(key)).alias(key)
    return rows.select(*(only if name == key else F.col(name) for name in rows.columns if name != "_rows"))


def _left_join(wide: DataFrame, right: DataFrame, left: str) -> DataFrame:
    """``right`` keyed by ``_right``, beside each unit."""
    return wide.join(right, F.col(f"_unit_{left}") == F.col("_right"), "left").drop("_right")


def _pivot_column(one: Input) -> str:
    assert one.pivot is not None
    return f"_pivot_{one.name}"


def _fold(rows: DataFrame, pivot: PivotView, spec: FeatureSpec) -> DataFrame:
    """Per unit and wanted code the value with the greatest order, then the greatest value; nulls do not count.

    In three plain aggregations: the greatest of a struct (order, value), one for each code, took four times as long.
    """
    wanted = [one for one in spec.input if one.pivot is not None and one.pivot[0] == pivot.name]
    if not wanted:
        raise SpecError(f"pivot '{pivot.name}' is used by no input")
    order = F.coalesce(F.col(pivot.order), F.lit("")) if pivot.order else F.lit("")
    keys = [F.col(pivot.right).alias("_right"), F.col(pivot.code).alias("_code")]
    greatest = rows.groupBy(*keys, order.alias("_order")).agg(F.max(pivot.value).alias("_value"))
    counted = F.when(F.col("_value").isNotNull(), F.col("_order"))
    latest = greatest.groupBy("_right", "_code").agg(F.max_by("_value", counted).alias("_value"))
    best = [
        F.max(F.when(F.col("_code") == one.pivot[1], F.col("_value"))).alias(_pivot_column(one))
        for one in wanted
        if one.pivot is not None
    ]
    return latest.groupBy("_right").agg(*best)


def _ill(rows: DataFrame, label: Label) -> DataFrame:
    """Units with a condition that counts."""
    has_code = reduce(Column.__or__, [F.col(label.code or "").startswith(prefix) for prefix in label.prefixes])
    counts = has_code if label.status is None else has_code & (F.col(label.status) == "confirmed")
    marks = rows.groupBy(F.col(label.right or "").alias("_right"))
    return marks.agg(F.max(F.when(counts, F.lit("1")).otherwise(F.lit("0"))).alias("_is_ill"))


def _input(one: Input) -> Column:
    if one.years_between is not None:
        raw = _whole_years(*(F.col(name) for name in one.years_between))
    else:
        raw = F.col(one.column if one.column is not None else _pivot_column(one))
    if one.kind == "number":
        number = raw.cast("double")
        return number if one.plausible is None else F.when(number.between(*one.plausible), number)
    if one.kind == "category":
        return F.when(raw.isin(list(one.levels)), raw)
    collapsed = F.trim(F.regexp_replace(raw, WHITE_SPACE, " "))
    return F.when(~collapsed.isin(list(NULL_TEXTS)), collapsed)


def _whole_years(earlier: Column, later: Column) -> Column:
    years = _part(later, 1) - _part(earlier, 1)
    one = F.lit(1)
    first, last = (F.coalesce(_part(c, 2), one) * 100 + F.coalesce(_part(c, 3), one) for c in (earlier, later))
    passed = years - F.when(last < first, F.lit(1)).otherwise(F.lit(0))
    return F.when(passed >= 0, passed)


def _part(date: Column, group: int) -> Column:
    found = F.regexp_extract(date, DATE_PARTS, group)
    return F.when(found != "", found).cast("int")


def _label(label: Label) -> Column:
    if label.kind == "condition":
        return F.array(F.coalesce(F.col("_is_ill"), F.lit("0")))
    written = F.coalesce(F.col(label.column or ""), F.lit(""))
    carried = F.transform(F.split(written, r"\|"), lambda code: F.trim(code))
    classes = F.array(*(F.lit(code) for code in label.classes))
    return F.filter(classes, lambda code: F.array_contains(carried, code))
