"""Delta tables with a declared schema, written whole, by partition or by key; there is no append.

Every write compares schemas before its commit (Sail drops a new column without a word), makes nested types nullable at
every depth, and can be repeated: the same write twice leaves the same rows. Tables are created by delta-rs, so that
they are the same whichever engine writes them: nullable throughout, columns in declared order, no values in the
statistics of the log.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import ColumnProperties, DeltaTable, WriterProperties, write_deltalake
from deltalake.exceptions import DeltaError
from pyspark.errors import PySparkException
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, DataType, StringType, StructType

from contracts.errors import DataError, SchemaDriftError
from lake.part_write import GROUP_ROWS, is_one_part, replace_part, replace_part_arrow, replace_part_files
from lake.partitions import Where, check_where, predicate
from lake.schemas import check_names, check_part, check_same, from_arrow, from_delta, nullable, to_arrow, to_delta
from lake.texts import FactsOf

_OUTSIDE = "cloister:row-outside-where"
_OTHER_FIELDS = "cloister:other-fields"

_COLLATION = " collate UTF8_BINARY"
"""What Spark says of the usual strings once they were cast, and Sail does not."""

# Minimum and maximum of the first 32 columns would stand in the log as plain text and outlive the files.
_PROPERTIES = {"delta.dataSkippingNumIndexedCols": "0"}

_WRITER = WriterProperties(
    compression="SNAPPY",
    max_row_group_size=GROUP_ROWS,
    default_column_properties=ColumnProperties(statistics_enabled="NONE"),
)


@dataclass(frozen=True)
class Table:
    """What a table is declared to be.

    Attributes:
        path: its folder.
        schema: columns in order; taken as nullable at every depth whatever it says.
        partition_by: string columns that name the parts that can be replaced one by one.
    """

    path: Path
    schema: StructType
    partition_by: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "schema", nullable(self.schema))
        for name in self.partition_by:
            if name not in self.schema.names or not isinstance(self.schema[name].dataType, StringType):
                raise ValueError(f"table '{self.path.name}': partition column {name} must be a declared string column")


def exists(table: Table) -> bool:
    """Whether anything was ever written."""
    return DeltaTable.is_deltatable(str(table.path))


def read(spark: SparkSession, table: Table) -> DataFrame:
    """The latest rows, columns in declared order; an empty frame of the schema when the table is absent.

    How the table is partitioned is the writer's business, and may be left undeclared.

    Raises:
        SchemaDriftError: the table on disk is not as declared.
    """
    if not exists(table):
        return spark.createDataFrame([], table.schema)
    _check_columns(DeltaTable(str(table.path)), table)
    return spark.read.format("delta").load(str(table.path)).select(*table.schema.names)


def replace(
    spark: SparkSession,
    df: DataFrame,
    table: Table,
    where: Where | None = None,
    columns: Mapping[str, Column] | None = None,
    filled: StructType | None = None,
) -> None:
    """Make ``df`` the whole content of the table, or of the partitions ``where`` names. Atomic; safe to repeat.

    Args:
        df: columns of the declared names and types, in any order; with ``where``, every row in a named partition.
        where: named partitions absent from ``df`` become empty; others are left alone.
        columns: what the columns of the table are made of in ``df``; default: they are its own, which the engine is
            asked for (of a wide plan that takes as long as half of its planning). Given ones are checked as they are
            written.
        filled: with ``columns``, and where ``where`` names one partition: the part of the declared schema that they
            make. Its other columns and fields, at any depth, are null in every row, and stand in no file.

    Raises:
        SchemaDriftError: ``df``, ``filled`` or the table on disk is not as declared. Nothing is written.
        DataError: a row of ``df`` is outside ``where``. Nothing is written.
    """
    if where is not None:
        check_where(where, table.partition_by, table.path.name)
    if columns is None:
        check_same(df.schema, table.schema, table.path, "what is to be written")
        columns = {name: F.col(f"`{name}`") for name in table.schema.names}
    else:
        check_part(filled or table.schema, table.schema, table.path, "what is to be written")
        check_names(columns, filled or table.schema, table.path, "what is to be written")
    disk = create(table)
    try:
        if where is None and not table.partition_by:
            replace_part(df.select(*_nullable_nested(columns, table.schema)), table.schema, table.path, disk, None)
        elif where is not None and is_one_part(where, table.partition_by):
            ((column, (value,)),) = where.items()
            declared = nullable(filled or table.schema)
            schema = StructType([field for field in declared.fields if field.name != column])
            first = schema.names[0]
            # Made of the partition column too, so that its check is made, and it need not be written.
            checked = {**columns, first: _inside(columns[column], [value], columns[first])}
            replace_part(df.select(*_nullable_nested(checked, schema)), schema, table.path, disk, (column, value))
        else:
            _replace_parts(spark, df, table, where, columns)
    except PySparkException as error:
        if _OUTSIDE in str(error):
            raise _outside(table, where) from None
        if _OTHER_FIELDS in str(error):
            found = df.select(*[column.alias(name) for name, column in columns.items()]).schema
            check_same(found, filled or table.schema, table.path, "what is to be written")
        raise


def merge(spark: SparkSession, df: DataFrame, table: Table, keys: Sequence[str]) -> None:
    """Update the rows whose key is in ``df``, insert the others of ``df``. Atomic; safe to repeat.

    Raises:
        SchemaDriftError: ``df``, or the table on disk, is not as declared.
        DataError: a key is null, or stands twice in ``df``; a repeated merge would double such rows.
    """
    check_same(df.schema, table.schema, table.path, "what is to be merged")
    _check_keys(df, table, keys)
    create(table)
    view = "cloister_merge_source"
    _conform(spark, df, table, None).createOrReplaceTempView(view)
    match = " AND ".join(f"t.`{key}` = s.`{key}`" for key in keys)
    try:
        spark.sql(
            f"MERGE INTO delta.`{table.path}` AS t USING {view} AS s ON {match} "
            "WHEN MATCHED THEN UPDATE SET * WHEN NOT MATCHED THEN INSERT *"
        ).collect()
    finally:
        spark.catalog.dropTempView(view)


def write_arrow(
    data: pa.Table | pa.RecordBatchReader, table: Table, where: Where | None = None, facts_of: FactsOf | None = None
) -> None:
    """What ``replace`` does, from Arrow data and without an engine; batches stream through.

    Columns of strings may be dictionaries (of int32): where texts repeat they are written faster so.

    Args:
        facts_of: what footers say of such columns (see ``lake.texts``), where ``where`` names a single part.

    Raises:
        SchemaDriftError, DataError: as ``replace``.
    """
    if where is not None:
        check_where(where, table.partition_by, table.path.name)
    check_same(from_arrow(data.schema), table.schema, table.path, "what is to be written")
    disk = create(table)
    if where is not None and is_one_part(where, table.partition_by):
        ((column, (value,)),) = where.items()
        own = _conform_batches(data, table, where, coded=True)
        replace_part_arrow(own, table.path, disk, column, value, facts_of)
        return
    batches = _conform_batches(data, table, where)
    faults: list[Exception] = []
    try:
        reader = pa.RecordBatchReader.from_batches(arrow_schema(table), _remember_faults(batches, faults))
        rows = predicate(where) if where is not None else None
        write_deltalake(str(table.path), reader, mode="overwrite", predicate=rows, writer_properties=_WRITER)
    except DeltaError:
        if faults:
            raise faults[0] from None
        raise


def write_files(write: Callable[[Path], None], table: Table, column: str, value: str) -> None:
    """What ``write_arrow`` does for the part of a table where ``column`` is ``value``; others write its files.

    Args:
        write: puts Parquet files (by ``lake.part_write.write_parquet``, in other processes maybe) into the folder it is
            given, of the table's columns but ``column``. What it raises is passed on, and the part is as it was.
        column: the table's only partition column.
        value: of letters, digits, points, dashes and underscores.

    Raises:
        SchemaDriftError: the files, or the table on disk, are not as declared. Nothing is committed.
    """
    if not is_one_part({column: [value]}, table.partition_by):
        raise ValueError(
            f"table '{table.path.name}': {column} is not its only partition column, or the value is not plain"
        )
    disk = create(table)
    schema = StructType([field for field in table.schema.fields if field.name != column])
    replace_part_files(write, schema, table.path, disk, (column, value))


def arrow_schema(table: Table) -> pa.Schema:
    """The declared schema as Arrow."""
    return to_arrow(table.schema)


def create(table: Table) -> DeltaTable:
    """Make the table, without a row, where there is none; the table as it is on disk.

    Raises:
        SchemaDriftError: the table on disk is not as declared.
    """
    if exists(table):
        disk = DeltaTable(str(table.path))
        _check_disk(disk, table)
        return disk
    table.path.mkdir(parents=True, exist_ok=True)
    return DeltaTable.create(
        str(table.path),
        to_delta(table.schema),
        mode="ignore",
        partition_by=list(table.partition_by),
        configuration=_PROPERTIES,
    )


def drop(table: Table) -> None:
    """Remove a derived table and its history, because its declared schema changed on purpose."""
    shutil.rmtree(table.path, ignore_errors=True)


def _check_disk(disk: DeltaTable, table: Table) -> None:
    _check_columns(disk, table)
    partitions = tuple(disk.metadata().partition_columns)
    if partitions != table.partition_by:
        raise SchemaDriftError(
            f"table '{table.path.name}' is partitioned by {list(partitions)}, declared {list(table.partition_by)}. "
            "Drop it and build it again."
        )


def _check_columns(disk: DeltaTable, table: Table) -> None:
    found = disk.schema()
    if found != to_delta(table.schema):  # by name, in any order, is slower
        check_same(from_delta(found), table.schema, table.path, "the table on disk")


def _nullable_nested(columns: Mapping[str, Column], schema: StructType) -> list[Column]:
    """Columns for these fields, nested ones nullable at every depth; types of the others show in the written files."""
    return [_as_nested(columns[field.name], field.dataType).alias(field.name) for field in schema.fields]


def _as_nested(column: Column, kind: DataType) -> Column:
    """A nested column in the declared type; the write fails where its structs have other fields, at any depth.

    A cast goes by place, swapped fields would not be seen. The engine compares the types once, as it plans.
    """
    if not isinstance(kind, StructType | ArrayType):
        return column
    declared, cast = kind.simpleString(), column.cast(kind)
    if "struct<" not in declared:
        return cast
    found = F.replace(F.typeof(column), F.lit(_COLLATION), F.lit(""))
    return F.when(found == F.lit(declared), cast).otherwise(F.raise_error(F.lit(_OTHER_FIELDS)))


def _inside(column: Column, values: Sequence[str], made: Column) -> Column:
    """``made`` where a partition column has one of these values; elsewhere the write fails."""
    return F.when(column.isin(list(values)), made).otherwise(F.raise_error(F.lit(_OUTSIDE)))


def _replace_parts(
    spark: SparkSession, df: DataFrame, table: Table, where: Where | None, columns: Mapping[str, Column]
) -> None:
    """Several parts at once, by the engine's own writer."""
    rows = df.select(*[column.alias(name) for name, column in columns.items()])
    check_same(rows.schema, table.schema, table.path, "what is to be written")
    writer = _conform(spark, rows, table, where).write.format("delta").mode("overwrite")
    if where is not None:
        writer = writer.option("replaceWhere", predicate(where))
    writer.save(str(table.path))


def _conform(spark: SparkSession, df: DataFrame, table: Table, where: Where | None) -> DataFrame:
    """``df`` with declared order and types, every row checked against ``where`` as it is written.

    The union with the table's own empty frame gives arrays the element names that Sail's replaceWhere insists on; Sail
    does not check replaceWhere either, it adds a row of another partition a second time.
    """
    columns = [F.col(f"`{field.name}`").cast(field.dataType).alias(field.name) for field in table.schema.fields]
    rows = df.select(*columns)
    for name, values in (where or {}).items():
        rows = rows.withColumn(name, _inside(F.col(name), values, F.col(name)))
    empty = spark.read.format("delta").load(str(table.path)).select(*table.schema.names).where(F.lit(False))
    return empty.unionByName(rows)


def _conform_batches(
    data: pa.Table | pa.RecordBatchReader, table: Table, where: Where | None, *, coded: bool = False
) -> Iterator[pa.RecordBatch]:
    """The rows in the table's types; ``coded`` leaves dictionaries what they are."""
    schema = arrow_schema(table)
    if coded:
        kept = {field.name: field for field in data.schema if pa.types.is_dictionary(field.type)}
        schema = pa.schema([kept.get(field.name, field) for field in schema])
    batches = data.to_batches() if isinstance(data, pa.Table) else data
    for batch in batches:
        for name, values in (where or {}).items():
            # delta-rs would refuse such a row too, but quotes it in the message
            kind = batch.column(name).type
            wanted = pa.array(values, kind.value_type if pa.types.is_dictionary(kind) else kind)
            if not pc.all(pc.is_in(batch.column(name), value_set=wanted), min_count=0).as_py():
                raise _outside(table, where)
        yield from pa.Table.from_batches([batch]).select(schema.names).cast(schema).to_batches()


def _remember_faults(batches: Iterator[pa.RecordBatch], faults: list[Exception]) -> Iterator[pa.RecordBatch]:
    """Pass batches on; keep what was raised, since delta-rs turns it into text of its own."""
    try:
        yield from batches
    except Exception as error:
        faults.append(error)
        raise


def _check_keys(df: DataFrame, table: Table, keys: Sequence[str]) -> None:
    unknown = [key for key in keys if key not in table.schema.names]
    if unknown or not keys:
        raise ValueError(f"table '{table.path.name}': merge needs key columns of the table; found {unknown or 'none'}")
    counts = df.groupBy(*keys).agg(F.count(F.lit(1)).alias("_rows"))
    absent = F.lit(False)
    for key in keys:
        absent = absent | F.col(f"`{key}`").isNull()
    bad = counts.where(absent | (F.col("_rows") > 1)).count()
    if bad:
        raise DataError(
            f"table '{table.path.name}': {bad} keys of what is to be merged are null or stand more than once "
            f"(key: {', '.join(keys)}). Keep one row a key before merging."
        )


def _outside(table: Table, where: Where | None) -> DataError:
    names = ", ".join(where or {})
    return DataError(
        f"table '{table.path.name}': a row to be written is outside the partitions to be replaced (of {names}). "
        "Nothing was written; filter the rows, or name their partitions."
    )
