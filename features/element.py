"""A FHIRPath collection as a DataFrame column: one nullable value, or an array that holds no null and is none.

Silver's structs are null when the element is absent; a struct whose children are all null does not occur.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pyspark.sql import Column
from pyspark.sql import functions as F
from pyspark.sql import types as T

from contracts.errors import SpecError
from contracts.fhir.silver import TEXT_SUFFIX

SEVERAL = "cloister: several values where a view takes one; use first(), or declare the column a collection"
"""What the engine raises for a row that breaks a view; known by its start to ``features.build``."""

WRITTEN = T.VarcharType(38)
"""Marks a decimal kept as its own text (silver's ``value_text``); the column itself is a string."""


@dataclass(frozen=True)
class Element:
    """Elements of one type.

    Attributes:
        column: the value (null: absent), or the array of values when ``many``.
        type: of one value; ``NullType`` when the schema does not have the element.
        many: whether ``column`` is an array.
        is_open: children that the schema lacks are empty instead of an error (a schema read off the data).
    """

    column: Column
    type: T.DataType
    many: bool = False
    is_open: bool = False

    def derive(self, column: Column, type: T.DataType, many: bool = False) -> Element:
        return Element(column, type, many, self.is_open)

    def absent(self) -> Element:
        return self.derive(F.lit(None), T.NullType())

    def child(self, name: str) -> Element:
        """Child elements by name. Raises SpecError when the schema has none such."""
        if isinstance(self.type, T.NullType):
            return self
        known = self.type.fields if isinstance(self.type, T.StructType) else []
        fields = {field.name: field.dataType for field in known}
        if name not in fields:
            if self.is_open:
                return self.absent()
            raise SpecError(f"element '{name}' is not in silver; there is {', '.join(fields) or 'a primitive value'}")
        if name + TEXT_SUFFIX in fields:
            return self._map(lambda value: value[name + TEXT_SUFFIX], WRITTEN)
        return self._map(lambda value: value[name], fields[name])

    def choices(self, name: str) -> list[str]:
        """Names of the fields of a choice element: ``value`` has valueQuantity, valueString."""
        names = self.type.fieldNames() if isinstance(self.type, T.StructType) else []
        stem = len(name)
        return [n for n in names if n.startswith(name) and n[stem : stem + 1].isupper() and not n.endswith(TEXT_SUFFIX)]

    def _map(self, child: Callable[[Column], Column], type: T.DataType) -> Element:
        if not isinstance(type, T.ArrayType):
            if not self.many:
                return self.derive(child(self.column), type)
            return self.derive(without_nulls(F.transform(self.column, child)), type, many=True)
        if not self.many:
            return self.derive(whole_array(child(self.column), type.elementType), type.elementType, many=True)
        nested = F.transform(self.column, lambda value: whole_array(child(value), type.elementType))
        return self.derive(F.flatten(nested), type.elementType, many=True)

    def map(self, change: Callable[[Column], Column], type: T.DataType) -> Element:
        """Every value changed; a change to null takes the value away."""
        return self._map(change, type)

    def exists(self) -> Column:
        """Never null."""
        return F.size(self.column) > 0 if self.many else self.column.isNotNull()

    def single(self) -> Column:
        """The one value or null; the engine raises ``SEVERAL`` for a row with more."""
        if not self.many:
            return self.column
        kind = column_type(self.type)
        several = F.raise_error(F.lit(SEVERAL)).cast(kind)
        return F.when(F.size(self.column) > 1, several).otherwise(F.get(self.column, F.lit(0)))

    def number(self) -> Element:
        """Numbers as they are computed with: long or double. Raises SpecError for what is no number."""
        if isinstance(self.type, T.NullType):
            return self
        if isinstance(self.type, T.IntegerType | T.LongType | T.ShortType):
            return self.map(lambda value: value.cast("long"), T.LongType())
        if self.type == WRITTEN or isinstance(self.type, T.DecimalType | T.DoubleType | T.FloatType):
            return self.map(lambda value: value.cast("double"), T.DoubleType())
        raise SpecError("arithmetic or ordering on what is not a number")


@dataclass(frozen=True)
class Resource(Element):
    """The resource itself: a row of the DataFrame. ``column`` says whether it is there (``where`` on it may say no)."""

    def _map(self, child: Callable[[Column], Column], type: T.DataType) -> Element:
        raise SpecError("the resource itself is not a value; name one of its elements")

    def child(self, name: str) -> Element:
        found = Element(F.struct(F.lit(None)), self.type, False, self.is_open)
        wanted = found.child(name)
        if isinstance(wanted.type, T.NullType):
            return wanted
        field = name + TEXT_SUFFIX if wanted.type == WRITTEN else name
        column = F.when(self.column, F.col(f"`{field}`"))
        return self.derive(whole_array(column, wanted.type) if wanted.many else column, wanted.type, wanted.many)

    def exists(self) -> Column:
        return self.column

    def single(self) -> Column:
        raise SpecError("the resource itself is not a value; name one of its elements")


def column_type(type: T.DataType) -> T.DataType:
    """The engine's type of a value: a written decimal is a string, an absent element counts as one."""
    return T.StringType() if type == WRITTEN or isinstance(type, T.NullType) else type


def without_nulls(array: Column) -> Column:
    return F.array_compact(array)


def empty_array(type: T.DataType) -> Column:
    return F.array().cast(T.ArrayType(column_type(type)))


def whole_array(array: Column, type: T.DataType) -> Column:
    """The array without nulls; empty where it is null."""
    return F.coalesce(without_nulls(array), empty_array(type))
