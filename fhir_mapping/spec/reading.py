"""Primitive values from source texts: what a column, date, number or constant gives at an element of some type."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pyspark.sql import Column
from pyspark.sql import functions as F
from pyspark.sql.types import BooleanType, DataType, IntegerType, StringType

from contracts.fhir.elements import Element
from contracts.fhir.silver import DECIMAL
from fhir_mapping.spec import dates, facts, numbers
from fhir_mapping.spec.conditions import whole
from fhir_mapping.spec.expressions import Concat, Scalar
from fhir_mapping.spec.normal_forms import NormalForm, normal_column
from fhir_mapping.spec.parts import Leaf, Part
from fhir_mapping.spec.plan import Plan, Simpler, Stage
from fhir_mapping.spec.text import fold

TEXT_TYPES = frozenset({"string", "markdown", "xhtml"})
DATE_TYPES = frozenset({"date", "dateTime", "instant"})
INTEGER_TYPES = frozenset({"integer", "positiveInt", "unsignedInt"})
_LEAST = {"positiveInt": 1, "unsignedInt": 0}
_NO_SPACE = "^[^ \t\r\n]+\\z"
_PATTERNS = {
    "id": "^[A-Za-z0-9.-]{1,64}\\z",
    "uri": _NO_SPACE,
    "url": _NO_SPACE,
    "canonical": _NO_SPACE,
    "base64Binary": "^[A-Za-z0-9+/=]+\\z",
    "time": "^([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\\.[0-9]+)?\\z",
}
"""FHIR's form of primitive types that are texts."""
_START_AND_REST = re.compile(r"([A-Za-z0-9/:_-]+)\(\[\^\\r\\n\]\+\)")
"""``Patient/(.+)`` and the like, as checked patterns have it: needs no search."""


@dataclass(frozen=True)
class Text:
    """Prepared text of an expression: a stored column, its key for reuse, and the rule its extraction may break.

    ``source`` names the source column that it is the whole prepared text of, or null; "" where it is not.
    """

    column: Column
    key: tuple[object, ...]
    rules: tuple[Column, ...] = ()
    source: str = ""


def source_text(
    plan: Plan,
    name: str,
    null_values: tuple[str, ...] = (),
    extract: str | None = None,
    normalise: NormalForm | None = None,
) -> Text:
    """The prepared text of a column, without further null values, the first group of ``extract``, in a normal form."""
    if normalise is not None:
        return _normal(plan, source_text(plan, name, null_values, extract), normalise)
    text, key = plan.text(name), ("text", name, null_values, extract)
    if not null_values and extract is None:
        return Text(text, key, source=name)
    if null_values:
        text = F.when(~text.isin(sorted(fold(value) for value in null_values)), text)
    if extract is None:
        return Text(plan.define(Stage.KEYED, key, text), key, source=name)
    group = plan.define(Stage.KEYED, key, first_group(text, extract))
    broken = F.when(text.isNotNull() & group.isNull(), F.lit("no_match"))
    return Text(group, key, (plan.define(Stage.SPLIT, (*key, "rule"), broken),))


def first_group(text: Column, extract: str) -> Column:
    """The first group of a pattern that the whole text fits; null where it does not."""
    if (match := _START_AND_REST.fullmatch(extract)) is None:
        pattern = whole(extract)
        return F.when(text.rlike(pattern), F.regexp_extract(text, pattern, 1))
    start = match[1]
    fits = text.startswith(start) & (F.length(text) > len(start)) & ~text.contains("\n") & ~text.contains("\r")
    return F.when(fits, F.substr(text, F.lit(len(start) + 1)))


def _normal(plan: Plan, text: Text, form: NormalForm) -> Text:
    key = (*text.key, form)
    return Text(plan.define(Stage.SPLIT, key, normal_column(form, text.column)), key, text.rules)


def read_text(plan: Plan, text: Text, element: Element) -> Part:
    """A column's text as a primitive of the element's type."""
    value, rule = text.column, None
    kind: DataType = StringType()
    if element.type == "code":
        value = F.regexp_replace(value, "[ \t\r\n]+", " ")
    elif element.type in _PATTERNS:
        pattern = _PATTERNS[element.type]
        rule = F.when(value.isNotNull() & ~value.rlike(pattern), F.lit("bad_text"))
    elif element.type == "boolean":
        value, kind = numbers.boolean_value(text.column), BooleanType()
        rule = F.when(text.column.isNotNull() & value.isNull(), F.lit("not_a_boolean"))
    elif element.type in INTEGER_TYPES:
        value, kind = numbers.integer_value(text.column), IntegerType()
        least = _LEAST.get(element.type, -(2**31))
        rule = F.when(text.column.isNotNull() & (value.isNull() | (value < least)), F.lit("not_an_integer"))
    simpler = [Simpler((facts.ONE_WORD,), (text.source,), text.column)] if element.type == "code" else []
    value = plan.define(Stage.CHECKED, (*text.key, "as", element.type), value, kind, simpler)
    if rule is None:
        return Part({(): Leaf(value)}, text.rules)
    is_spaceless = _PATTERNS.get(element.type) == _NO_SPACE
    unbroken = [Simpler((facts.ONE_WORD,), (text.source,), F.lit(None).cast("string"))] if is_spaceless else []
    broken = plan.define(Stage.CHECKED, (*text.key, "as", element.type, "rule"), rule, simpler=unbroken)
    return Part({(): Leaf(F.when(broken.isNull(), value))}, (*text.rules, broken))


def read_date(plan: Plan, text: Text, element: Element, formats: tuple[str, ...], zone: str | None) -> Part:
    """A date (``zone`` None: cut to the day) or a date and time at a date, dateTime or instant element."""
    key = (*text.key, "date", formats)
    usual = None
    if dates.knows_usual(formats):
        # A number, since one engine makes an AND of a CASE of truth values.
        mark = F.when(dates.is_usual(text.column), F.lit(1))
        all_usual = [Simpler((facts.USUAL_DATE,), (text.source,), F.when(text.column.isNotNull(), F.lit(1)))]
        usual = plan.define(Stage.ASKED, (*text.key, "usual date"), mark, IntegerType(), all_usual).isNotNull()
    form = plan.define(Stage.PARSED, key, dates.canonical(text.column, formats, usual))
    instant = element.type == "instant"
    rule = dates.judge(text.column, form, plan.years, instant=instant, usual=usual)
    broken = plan.define(Stage.CHECKED, (*key, "rule", instant), rule)
    if zone is None or element.type == "date":
        value = F.substring(form, 1, 10)
    else:
        value = plan.define(Stage.CHECKED, (*key, "zone", zone), dates.with_offset(form, zone))
    return Part({(): Leaf(F.when(broken.isNull(), value))}, (*text.rules, broken))


def read_decimal(plan: Plan, text: Text) -> Part:
    """A decimal, with the number's own text beside it."""
    form = plan.define(Stage.CHECKED, (*text.key, "number"), numbers.number_text(text.column))
    value = plan.define(Stage.JUDGED, (*text.key, "number"), numbers.number_value(form), numbers.DECIMAL_TYPE)
    broken = F.when(text.column.isNotNull() & value.isNull(), F.lit("not_a_number"))
    return Part({(): Leaf(value, text=F.when(value.isNotNull(), form))}, (*text.rules, broken))


def constant(value: Scalar, element: Element) -> Part:
    """A constant; its form was checked when the spec was read."""
    if element.type == "decimal":
        form = F.lit(str(value))
        return Part({(): Leaf(form.cast(DECIMAL), True, form)})
    return Part({(): Leaf(F.lit(value), True)})


def free_text(
    plan: Plan,
    name: str,
    null_values: tuple[str, ...],
    extract: str | None,
    mask: bool,
    names: tuple[str, ...] = (),
) -> Part:
    """Text for people: as written, but trimmed; names and numbers of the person hidden unless ``mask`` is off."""
    if extract is None:
        shown = plan.free_text(name, mask, names)
        if null_values:
            text = source_text(plan, name, null_values)
            # Stored, so that the mapped table has the text as shown and not the one before masking beside it.
            key = (*text.key, "shown", mask, names)
            shown = plan.define(Stage.CHECKED, key, F.when(text.column.isNotNull(), shown))
        return Part({(): Leaf(shown)})
    text = source_text(plan, name, null_values, extract)
    shown = text.column
    if mask:
        masked = plan.masked_text(shown, Stage.SPLIT, names, name)
        shown = plan.define(Stage.CHECKED, (*text.key, "masked", names), masked)
    return Part({(): Leaf(shown)}, text.rules)


def as_narrative(part: Part) -> Part:
    """Free text as FHIR's XHTML: a ``div`` that holds the text and no markup of its own."""
    text = part.leaves[()].column
    for character, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        text = F.replace(text, F.lit(character), F.lit(entity))
    whole_text = F.concat(F.lit('<div xmlns="http://www.w3.org/1999/xhtml">'), text, F.lit("</div>"))
    return Part({(): Leaf(whole_text)}, part.rules)


def concatenated(plan: Plan, expression: Concat) -> Part:
    """The texts that are there, joined; null when none is."""
    texts = [plan.free_text(name, expression.mask, expression.mask_names) for name in expression.concat]
    joined = plan.define(Stage.PARSED, ("concat", expression), F.concat_ws(expression.separator, *texts))
    return Part({(): Leaf(F.when(joined != "", joined))})
