"""Codes, quantities and references: expressions that fill a complex element."""

from __future__ import annotations

from collections.abc import Sequence
from operator import and_

from pyspark.sql import Column
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, BooleanType, StringType

from fhir_mapping.identity.ids import resource_id_column
from fhir_mapping.spec import facts, numbers
from fhir_mapping.spec.conversion import converted
from fhir_mapping.spec.expressions import Code, Lookup, Quantity, Reference
from fhir_mapping.spec.model import SHARED_IDENTITY
from fhir_mapping.spec.parts import Leaf, Part, Steps
from fhir_mapping.spec.plan import Plan, Simpler, Stage, fold_balanced
from fhir_mapping.spec.reading import Text, free_text, read_decimal, source_text
from lake.texts import REPEATED

UCUM = "http://unitsofmeasure.org"
_JSON_ENDS = '^\\[[ ]*"?|"?[ ]*\\]\\z'
_JSON_COMMA = '"[ ]*,[ ]*"'


def constant_code(expression: Code, type_name: str) -> Part:
    """A constant Coding or CodeableConcept."""
    coding = {"system": expression.system, "code": expression.code, "display": expression.display}
    leaves = {
        _coding_step(type_name, 0, name): Leaf(F.lit(value), True)
        for name, value in coding.items()
        if value is not None
    }
    if expression.text is not None:
        leaves[(("text", None),)] = Leaf(F.lit(expression.text), True)
    return Part(leaves)


def looked_up(plan: Plan, expression: Lookup, type_name: str) -> Part:
    """A code map's target at an element of type code, Coding or CodeableConcept."""
    text = source_text(plan, expression.column, expression.null_values, expression.extract, expression.normalise)
    asked, rules = _asked(plan, expression, text)
    leaves: dict[Steps, Leaf] = {}
    earlier: list[Column] = []
    for index, (key, one) in enumerate(asked):
        found, rule = _one_code(plan, expression, key, one, text.source if one is text.column else "")
        if rule is not None:
            rules.append(rule)
        if type_name == "code":
            leaves[()] = Leaf(found["code"])
            continue
        fresh = _fresh(plan, (expression, key), found["code"], earlier)
        earlier.append(found["code"])
        for name, value in found.items():
            leaves[_coding_step(type_name, index, name)] = Leaf(value if fresh is None else F.when(fresh, value))
    if expression.text is not None:
        leaves[(("text", None),)] = free_text(plan, expression.text, (), None, True).leaves[()]
    return Part(leaves, (*text.rules, *rules))


def _one_code(
    plan: Plan, expression: Lookup, key: tuple, text: Column, source: str
) -> tuple[dict[str, Column], Column | None]:
    """System, code and display of one text, and the rule it breaks when the map lacks it."""
    stored, system, code, display = plan.lookup(expression.lookup, key, text, source)
    missing = stored.isNotNull() & code.isNull()
    rule = None
    if expression.on_missing == "quarantine":
        rule = F.when(missing, F.lit(f"unmapped_code:{expression.lookup}"))
    elif expression.on_missing == "keep_local":
        name = ("local", expression.lookup, key, expression.local_system)
        local = F.regexp_replace(stored, "[ \t\r\n]+", " ")
        system = plan.define(
            Stage.CHECKED, (*name, "system"), F.when(missing, expression.local_system).otherwise(system)
        )
        code = plan.define(Stage.CHECKED, (*name, "code"), F.when(missing, local).otherwise(code))
    shown = F.when(display != "", display)
    return {"system": F.when(system != "", system), "code": code, "display": shown}, rule


def quantity(plan: Plan, expression: Quantity) -> Part:
    """Value, comparator and unit. The unit stays as text; UCUM's code joins it where it is known."""
    whole = source_text(plan, expression.quantity, expression.null_values, expression.extract)
    bare = plan.define(Stage.PARSED, (*whole.key, "bare"), numbers.without_comparator(whole.column))
    sign = plan.define(Stage.PARSED, (*whole.key, "comparator"), numbers.comparator(whole.column))
    number = read_decimal(plan, Text(bare, (*whole.key, "bare")))
    value, rules = number.leaves[()], [*whole.rules, *number.rules]
    leaves: dict[Steps, Leaf] = {(("value", None),): value}
    there = value.column.isNotNull()
    unit_code = F.lit(expression.unit_const)
    leaves[(("comparator", None),)] = Leaf(F.when(there, sign))
    if expression.unit_const is not None:
        shown = next(
            (t.display for t in plan.maps[expression.unit_map].rows.values() if t.code == expression.unit_const),
            expression.unit_const,
        )
        for name, text in (("unit", shown), ("system", UCUM), ("code", expression.unit_const)):
            leaves[((name, None),)] = Leaf(F.lit(text), True)
    elif expression.unit is not None:
        unit = source_text(plan, expression.unit)
        _, system, code, _ = plan.lookup(expression.unit_map, unit.key, unit.column, unit.source)
        unit_code = code
        if expression.on_missing == "quarantine":
            missing = there & unit.column.isNotNull() & code.isNull()
            rules.append(F.when(missing, F.lit(f"unmapped_code:{expression.unit_map}")))
        written = F.when(code.isNotNull(), unit.column) if expression.on_missing == "null" else unit.column
        for name, column in (("unit", written), ("system", system), ("code", code)):
            leaves[((name, None),)] = Leaf(F.when(there, column))
    if expression.convert_to is not None:
        leaves = converted(plan, expression, Text(bare, (*whole.key, "bare")), unit_code, leaves)
    return Part(leaves, tuple(rules))


def reference(plan: Plan, expression: Reference, key: bytes, site: str) -> Part:
    """``Patient/<id>``, the id made from the business key as the target's own spec makes it."""
    texts = [source_text(plan, p.column, expression.null_values, p.extract, p.normalise) for p in expression.parts]
    target = expression.reference
    identity = expression.identity or (target if target in SHARED_IDENTITY else "")
    name = id_name(plan, key, site, target, identity, texts, expression.item)
    leaf = Leaf(F.concat(F.lit(f"{target}/"), F.col(name)), id_name=name)
    return Part({(("reference", None),): leaf}, tuple(rule for text in texts for rule in text.rules))


def id_name(
    plan: Plan, key: bytes, site: str, resource: str, identity: str, texts: Sequence[Text], item: str | None
) -> str:
    """Name of the column of a business key's id, computed once a source whoever refers to it."""
    name = ("id", resource, identity, item, tuple(text.key for text in texts))
    columns = [text.column for text in texts]
    made = resource_id_column(key, site, resource, identity, columns, item)
    plain = resource_id_column(key, site, resource, identity, columns, item, is_plain=True)
    sources = tuple(text.source for text in texts)
    simpler = [Simpler((facts.UNESCAPED,), sources, plain)]
    if len(columns) == 1:
        # Of several columns it is not known how often their texts repeat together.
        once = resource_id_column(key, site, resource, identity, columns, item, is_plain=True, is_repeated=True)
        simpler.insert(0, Simpler((facts.UNESCAPED, REPEATED), sources, once))
    return plan.name(Stage.PARSED, name, made, simpler=simpler)


def _asked(plan: Plan, expression: Lookup, text: Text) -> tuple[list[tuple[tuple, Column]], list[Column]]:
    """The texts to look up (one, or the first ``split_max`` of a list), each with its key, and broken rules."""
    if expression.split is None:
        return [(text.key, text.column)], []
    if expression.split == "json":
        runs = F.split(F.regexp_replace(text.column, _JSON_ENDS, ""), _JSON_COMMA)
    else:
        runs = F.split(text.column, f"[{_in_class(expression.split)}]")
    key = (*text.key, "split", expression.split)
    stored = plan.define(Stage.SPLIT, key, runs, ArrayType(StringType()))
    found = []
    for index in range(expression.split_max):
        one = F.trim(F.get(stored, F.lit(index)))
        found.append(((*key, index), F.when(one != "", one)))
    too_many = F.when(F.size(stored) > expression.split_max, F.lit("too_many_values"))
    return found, [plan.define(Stage.PARSED, (*key, "rule", expression.split_max), too_many)]


def _in_class(character: str) -> str:
    return "\\" + character if character in "\\^]-[&|" else character


def _fresh(plan: Plan, key: tuple, code: Column, earlier: Sequence[Column]) -> Column | None:
    """Whether a code is not a repeat of an earlier one of the list; None for the first."""
    if not earlier:
        return None
    fresh = fold_balanced(and_, [other.isNull() | (other != code) for other in earlier])
    return plan.define(Stage.JUDGED, ("fresh", key), fresh, BooleanType())


def _coding_step(type_name: str, index: int, name: str) -> Steps:
    return ((name, None),) if type_name == "Coding" else (("coding", index), (name, None))
