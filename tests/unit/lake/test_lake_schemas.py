from pathlib import Path

import pyarrow as pa
import pytest
from pyspark.sql.types import ArrayType, LongType, MapType, StringType, StructField, StructType

from contracts.errors import SchemaDriftError
from lake.schemas import check_same, from_arrow, from_delta, nullable, to_arrow, to_delta

DEEP = StructType(
    [
        StructField("id", StringType(), False),
        StructField("codes", ArrayType(StructType([StructField("code", StringType(), False)]), False), False),
        StructField("by_name", MapType(StringType(), LongType(), False), False),
    ]
)
PLACE = Path("silver_fhir__thing")


def test_every_depth_becomes_nullable() -> None:
    assert '"nullable":false' not in nullable(DEEP).json()
    assert '"containsNull":false' not in nullable(DEEP).json()
    assert '"valueContainsNull":false' not in nullable(DEEP).json()


def test_a_schema_survives_delta_and_arrow() -> None:
    declared = nullable(DEEP)
    assert from_delta(to_delta(declared)) == declared
    assert from_arrow(to_arrow(declared)) == declared


def test_large_strings_are_strings() -> None:
    assert from_arrow(pa.schema({"a": pa.large_string()})) == StructType([StructField("a", StringType())])


def test_columns_may_come_in_any_order() -> None:
    turned = StructType(list(reversed(DEEP.fields)))
    check_same(turned, DEEP, PLACE, "the frame")


def test_missing_extra_doubled_and_other_typed_columns_are_all_named() -> None:
    found = StructType(
        [
            StructField("id", LongType()),
            StructField("codes", DEEP["codes"].dataType),
            StructField("new", StringType()),
            StructField("new", StringType()),
        ]
    )
    with pytest.raises(SchemaDriftError) as caught:
        check_same(found, DEEP, PLACE, "the frame")
    for part in (
        "column new twice",
        "missing column by_name",
        "undeclared column new",
        "id is bigint, declared string",
    ):
        assert part in str(caught.value)


def test_fields_of_a_struct_in_another_order_are_another_type() -> None:
    one = StructType().add("s", StructType().add("a", StringType()).add("b", StringType()))
    other = StructType().add("s", StructType().add("b", StringType()).add("a", StringType()))
    with pytest.raises(SchemaDriftError, match="column s is struct<b:string,a:string>"):
        check_same(other, one, PLACE, "the frame")
