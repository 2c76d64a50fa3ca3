"""A quantity in another unit, in native decimals: the value times an exact factor, its text what comes out."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Column
from pyspark.sql import functions as F

from contracts.fhir.silver import DECIMAL
from fhir_mapping.spec import numbers
from fhir_mapping.spec.expressions import Lookup, Quantity
from fhir_mapping.spec.parts import Leaf, Steps
from fhir_mapping.spec.plan import Plan, Stage
from fhir_mapping.spec.reading import Text, source_text
from fhir_mapping.terminology.unit_conversion import Conversion, wanted_conversions

UCUM = "http://unitsofmeasure.org"
_VALUE, _FACTOR = "decimal(20,8)", "decimal(16,8)"
"""Their product has 37 digits, 16 behind the point: exact on both engines."""


def converted(
    plan: Plan, expression: Quantity, number: Text, unit: Column, leaves: dict[Steps, Leaf]
) -> dict[Steps, Leaf]:
    """The leaves of a quantity, in the unit asked for wherever there is a conversion.

    Args:
        number: the value's text without a comparator.
        unit: UCUM code of the unit that it is in.
    """
    assert expression.convert_to is not None
    analyte, possible = _analyte(plan, expression)
    rows = wanted_conversions(expression.convert_to, possible)
    if not rows:
        return leaves
    key = (*number.key, "convert", expression)
    factor = plan.define(Stage.CHECKED, (*key, "factor"), _case(rows, analyte, unit, "factor"))
    target = plan.define(Stage.CHECKED, (*key, "unit"), _case(rows, analyte, unit, "to_unit"))
    form = plan.define(Stage.CHECKED, (*number.key, "number"), numbers.number_text(number.column))
    value = plan.define(
        Stage.JUDGED, key, (form.try_cast(_VALUE) * factor.cast(_FACTOR)).cast(DECIMAL), numbers.DECIMAL_TYPE
    )
    is_done = value.isNotNull()
    text = F.regexp_replace(F.regexp_replace(value.cast("string"), "([.][0-9]*?)0+\\z", "$1"), "[.]\\z", "")
    old = leaves[(("value", None),)]
    found = dict(leaves)
    found[(("value", None),)] = Leaf(
        F.when(is_done, value).otherwise(old.column), text=F.when(is_done, text).otherwise(old.text)
    )
    for name, new in (("unit", target), ("system", F.lit(UCUM)), ("code", target)):
        there = old.column.isNotNull()
        kept = leaves[((name, None),)].column
        found[((name, None),)] = Leaf(F.when(is_done, new).otherwise(F.when(there, kept)))
    return found


def _analyte(plan: Plan, expression: Quantity) -> tuple[Column, list[str]]:
    """LOINC code of the analyte as a column, and the codes it can be."""
    if isinstance(expression.analyte, Lookup):
        lookup = expression.analyte
        text = source_text(plan, lookup.column, lookup.null_values, lookup.extract, lookup.normalise)
        code = plan.lookup(lookup.lookup, text.key, text.column, text.source)[2]
        return code, sorted({target.code for target in plan.maps[lookup.lookup].rows.values()})
    return F.lit(expression.analyte or ""), [expression.analyte] if expression.analyte else []


def _case(rows: Sequence[Conversion], analyte: Column, unit: Column, part: str) -> Column:
    """The factor (as text) or the unit of the conversion that fits; null where none does."""
    groups: dict[str, list[str]] = {}
    for row in rows:
        groups.setdefault(str(getattr(row, part)), []).append(f"{row.analyte}|{row.from_unit}")
    asked = F.concat(analyte if any(row.analyte for row in rows) else F.lit(""), F.lit("|"), unit)
    case: Column | None = None
    for meaning, keys in groups.items():
        test = asked.isin(sorted(keys))
        case = F.when(test, F.lit(meaning)) if case is None else case.when(test, F.lit(meaning))
    assert case is not None
    return case
