"""One expression at one element as a part: the operator's columns, then the modifiers common to all."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Column
from pyspark.sql import functions as F
from pyspark.sql.types import BooleanType, DataType, IntegerType, StringType

from contracts.fhir import Step
from contracts.fhir.elements import TYPES
from fhir_mapping.rules.conditions import tests_of
from fhir_mapping.rules.values import not_in_binding
from fhir_mapping.spec import coded, dates, numbers, reading
from fhir_mapping.spec.check import binding_of, flatten
from fhir_mapping.spec.expressions import (
    Code,
    ColumnText,
    Concat,
    Const,
    DateText,
    DateTimeText,
    Decimal,
    Default,
    Expression,
    FirstOf,
    Lookup,
    Offset,
    Quantity,
    Reference,
)
from fhir_mapping.spec.offsets import distant
from fhir_mapping.spec.parts import Leaf, Part, first_of
from fhir_mapping.spec.plan import Plan, Setting, Stage

_TYPED: dict[str, DataType] = {"boolean": BooleanType(), "decimal": numbers.DECIMAL_TYPE}
_TYPED |= dict.fromkeys(reading.INTEGER_TYPES, IntegerType())


def evaluate_part(plan: Plan, setting: Setting, steps: tuple[Step, ...], expression: Expression) -> Part:
    """The expression at the element that ``steps`` lead to, modifiers applied."""
    if expression.when is None:
        part = _read(plan, setting, steps, expression)
        return _required(part, F.lit(True)) if expression.required else part
    tests = tests_of(plan, expression.when)
    with plan.only_where(tests):
        part = _read(plan, setting, steps, expression)
    holds = plan.all_hold(tests)
    part = part.only_when(holds)
    return _required(part, holds) if expression.required else part


def evaluate_element(plan: Plan, setting: Setting, steps: tuple[Step, ...], expression: Expression) -> Part:
    """``evaluate_part`` for an element of a resource; what depends on conditions is settled once a record."""
    part = evaluate_part(plan, setting, steps, expression)
    is_plain = expression.when is None and not isinstance(expression, FirstOf)
    # Ids that references are made of stay by themselves: whom they lead to may change later.
    if is_plain or any(isinstance(one, Reference) for one in flatten([expression])):
        return part
    key = ("settled", expression, steps[-1].element.type, binding_of(steps))
    leaves = {}
    for below, leaf in part.leaves.items():
        kind = _leaf_type(steps[-1].element.type, [name for name, _ in below])
        column = plan.define(Stage.SETTLED, (*key, below), leaf.column.cast(kind), kind)
        text = None if leaf.text is None else plan.define(Stage.SETTLED, (*key, below, "text"), leaf.text)
        leaves[below] = Leaf(column, text=text)
    rules = (plan.define(Stage.SETTLED, (*key, "rule", n), rule) for n, rule in enumerate(part.rules))
    return Part(leaves, tuple(rules))


def _leaf_type(type_name: str, below: Sequence[str]) -> DataType:
    """Spark's type of the primitive that a path below an element of this type leads to."""
    for name in below:
        type_name = TYPES[type_name].elements[name].type
    return _TYPED.get(type_name, StringType())


def _read(plan: Plan, setting: Setting, steps: tuple[Step, ...], expression: Expression) -> Part:
    """The expression's own part, whenever it is asked for."""
    part = _operator(plan, setting, steps, expression)
    if isinstance(expression, ColumnText) and steps[-1].element.type == "code":
        part = _bound(part, binding_of(steps))
    if expression.on_error == "null":
        part = part.forgiving()
    elif isinstance(expression.on_error, Default):
        part = _defaulted(part, expression.on_error)
    return part


def order_text(plan: Plan, setting: Setting, expression: Expression) -> Column:
    """The order of records as text: a column's, or a date's or time's moment in UTC."""
    if isinstance(expression, ColumnText):
        return reading.source_text(plan, expression.column, expression.null_values, expression.extract).column
    assert isinstance(expression, DateText | DateTimeText)
    name = expression.date if isinstance(expression, DateText) else expression.datetime
    zone = (expression.zone if isinstance(expression, DateTimeText) else None) or setting.zone
    text = reading.source_text(plan, name, expression.null_values)
    formats = expression.formats
    form = plan.define(Stage.PARSED, (*text.key, "date", formats), dates.canonical(text.column, formats))
    full = plan.define(Stage.CHECKED, (*text.key, "full", formats), dates.full_time(form))
    local = plan.define(Stage.JUDGED, (*text.key, "full", formats, zone), dates.with_offset(full, zone))
    return dates.moment(local)


def _operator(plan: Plan, setting: Setting, steps: tuple[Step, ...], expression: Expression) -> Part:
    element = steps[-1].element
    match expression:
        case FirstOf():
            return first_of([evaluate_part(plan, setting, steps, part) for part in expression.first_of])
        case Const():
            return reading.constant(expression.const, element)
        case Code():
            return coded.constant_code(expression, element.type)
        case Lookup():
            return coded.looked_up(plan, expression, element.type)
        case Quantity():
            return coded.quantity(plan, expression)
        case Reference():
            return coded.reference(plan, expression, setting.key, setting.site)
        case Concat():
            return reading.concatenated(plan, expression)
        case Decimal():
            return reading.read_decimal(plan, reading.source_text(plan, expression.decimal, expression.null_values))
        case DateText():
            text = reading.source_text(plan, expression.date, expression.null_values)
            return reading.read_date(plan, text, element, expression.formats, None)
        case DateTimeText():
            text = reading.source_text(plan, expression.datetime, expression.null_values)
            return reading.read_date(plan, text, element, expression.formats, expression.zone or setting.zone)
        case Offset():
            return distant(plan, expression, element, expression.zone or setting.zone)
        case ColumnText():
            return _column(plan, setting, steps, expression)
    raise AssertionError(type(expression).__name__)


def _column(plan: Plan, setting: Setting, steps: tuple[Step, ...], expression: ColumnText) -> Part:
    element = steps[-1].element
    if element.type in reading.TEXT_TYPES:
        part = reading.free_text(
            plan,
            expression.column,
            expression.null_values,
            expression.extract,
            expression.mask,
            expression.mask_names,
        )
        return reading.as_narrative(part) if element.type == "xhtml" else part
    text = reading.source_text(
        plan, expression.column, expression.null_values, expression.extract, expression.normalise
    )
    if element.type in reading.DATE_TYPES:
        return reading.read_date(plan, text, element, ("iso",), setting.zone)
    if element.type == "decimal":
        return reading.read_decimal(plan, text)
    return reading.read_text(plan, text, element)


def _bound(part: Part, binding: str | None) -> Part:
    if binding is None:
        return part
    code = part.leaves[()].column
    broken = not_in_binding(code, binding)
    rule = F.when(broken, F.lit("not_in_binding"))
    return Part({(): Leaf(F.when(~broken, code))}, (*part.rules, rule))


def _defaulted(part: Part, default: Default) -> Part:
    """The default stands in where a rule is broken; where there is just no value, there stays none."""
    broken = F.coalesce(*part.rules, F.lit(None)).isNotNull() if part.rules else F.lit(False)
    leaf = part.leaves[()]
    text = None
    if leaf.text is not None:
        text = F.when(broken, F.lit(str(default.default))).otherwise(leaf.text)
    return Part({(): Leaf(F.when(broken, F.lit(default.default)).otherwise(leaf.column), text=text)})


def _required(part: Part, holds: Column) -> Part:
    """The part with a rule more: no value, though its condition holds and no other rule says why."""
    present = part.present()
    if present is None:
        return part
    missing = ~present
    for rule in part.rules:
        missing = missing & rule.isNull()
    return Part(part.leaves, (*part.rules, F.when(missing & holds, F.lit("required"))))
