"""One expression at one element as a part: the operator's columns, then the modifiers common to all."""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F

from contracts.fhir import Step
from fhir_mapping.rules.conditions import condition_column
from fhir_mapping.rules.values import not_in_binding
from fhir_mapping.spec import coded, dates, reading
from fhir_mapping.spec.check import binding_of
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


def evaluate_part(plan: Plan, setting: Setting, steps: tuple[Step, ...], expression: Expression) -> Part:
    """The expression at the element that ``steps`` lead to, modifiers applied."""
    part = _operator(plan, setting, steps, expression)
    if isinstance(expression, ColumnText) and steps[-1].element.type == "code":
        part = _bound(part, binding_of(steps))
    if expression.on_error == "null":
        part = part.forgiving()
    elif isinstance(expression.on_error, Default):
        part = _defaulted(part, expression.on_error)
    if expression.when is not None:
        part = part.only_when(condition_column(plan, expression.when))
    if expression.required:
        part = _required(plan, part, expression)
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


def _required(plan: Plan, part: Part, expression: Expression) -> Part:
    present = part.present()
    if present is None:
        return part
    missing = ~present
    for rule in part.rules:
        missing = missing & rule.isNull()
    if expression.when is not None:
        missing = missing & condition_column(plan, expression.when)
    return Part(part.leaves, (*part.rules, F.when(missing, F.lit("required"))))
