"""A source's specs compiled together: bronze rows to mapped rows, in native columns only.

What a record becomes is decided here in the order: reader's error, ``skip_when``, broken rules, nothing to map.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import add, and_, or_

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, BooleanType, IntegerType, LongType, StringType, StructField, StructType

from contracts.errors import SpecError
from contracts.region import Source
from fhir_mapping.rules.checks import check_rules
from fhir_mapping.rules.conditions import condition_column, tests_of
from fhir_mapping.spec.check import check_emit, converts, maps_of, tested_columns
from fhir_mapping.spec.coded import id_name
from fhir_mapping.spec.evaluate import evaluate_element, order_text
from fhir_mapping.spec.expressions import Expression
from fhir_mapping.spec.facts import NOTHING, Known
from fhir_mapping.spec.keep import keep_elements
from fhir_mapping.spec.model import Emit
from fhir_mapping.spec.parts import Leaf
from fhir_mapping.spec.plan import Plan, Setting, Stage, fold_balanced
from fhir_mapping.spec.reading import source_text
from fhir_mapping.spec.tree import (
    Node,
    choice_rules,
    emitted,
    emitted_type,
    missing_required,
    period_rules,
    required_rules,
)
from fhir_mapping.terminology.code_map import CodeMap, terminology_version
from fhir_mapping.terminology.unit_conversion import conversion_map

RULE = StructType([StructField("rule", StringType()), StructField("path", StringType())])
DIGEST_FIELD = "_spec_digest"
NOTHING_TO_MAP = "nothing_to_map"
REPLACED = "replaced-by"
UNKNOWN_MODIFIER = "unknown_modifier_extension"

_LINEAGE = [
    StructField("_delivery_date", StringType()),
    StructField("_file_id", StringType()),
    StructField("_file_name", StringType()),
    StructField("_record_no", LongType()),
    StructField("_order", StringType()),
    StructField("_errors", ArrayType(RULE)),
    StructField("_skip", StringType()),
    StructField("_emitted", IntegerType()),
    StructField("_raw", StringType()),
    StructField(DIGEST_FIELD, StringType()),
    StructField("_terminology_version", StringType()),
]


@dataclass(frozen=True)
class SourceMapping:
    """All specs of one source, compiled.

    Attributes:
        source: its name.
        emits: in the order of their columns.
        schema: of records with their resources, as ``apply`` makes them: one struct column an emit.
        stored: of the mapped table, as ``store`` makes it: one id column an emit and the values that the resources are
            made of, each once however many resources carry it.
        digest: names the specs, the code maps and the stored values: equal digests map every record alike.
        terminology: version of the code maps used.
        dropped: element paths of the specs that the setting does not keep: identifying ones, free text not allowed.
    """

    source: str
    emits: tuple[Emit, ...]
    schema: StructType
    stored: StructType
    digest: str
    terminology: str
    dropped: tuple[str, ...]
    _plan: Plan
    _final: tuple[Column, ...]
    _nodes: Mapping[str, Node]

    def store(
        self, spark: SparkSession, bronze: DataFrame, known: Known = NOTHING
    ) -> tuple[DataFrame, dict[str, Column]]:
        """Bronze rows with all that is worked out of them, and the columns of the mapped table (``stored``) in them.

        Args:
            known: what holds of all values that columns have in these rows; makes less work, nothing else.
        """
        return self._plan.apply(spark, bronze, known), dict(zip(self.stored.names, self._final, strict=True))

    def apply(self, spark: SparkSession, bronze: DataFrame) -> DataFrame:
        """Bronze rows with their resources (columns of ``schema``)."""
        lineage = [F.col(field.name) for field in _LINEAGE]
        structs = []
        for emit in self.emits:
            elements = self.elements(emit, emitted_type(self.tree(emit)))
            struct = F.struct(F.lit(emit.digest).alias(DIGEST_FIELD), *elements.values())
            structs.append(F.when(F.col(emit.column).isNotNull(), struct).alias(emit.column))
        rows, columns = self.store(spark, bronze)
        stored = rows.select(*[column.alias(name) for name, column in columns.items()])
        return stored.select(*lineage, *structs)

    def tree(self, emit: Emit) -> Node:
        """What an emit's resource is made of."""
        return self._nodes[emit.column]

    def elements(self, emit: Emit, shape: StructType) -> dict[str, Column]:
        """The fields of a shape of an emit's resource, from rows of the mapped table where its id is not null."""
        return dict(zip(shape.names, emitted(self.tree(emit), shape), strict=True))

    def reference(self, emit: Emit, element: str) -> Column | None:
        """The text of a reference (``Patient/...``) that an emit's resource holds; None where it is not mapped."""
        leaf = self._reference(emit, element)
        return None if leaf is None else leaf.column

    def referred(self, emit: Emit, element: str) -> str | None:
        """The stored column of the id that such a reference is made of, as it is; None where conditions decide."""
        leaf = self._reference(emit, element)
        return None if leaf is None else leaf.id_name

    def _reference(self, emit: Emit, element: str) -> Leaf | None:
        part = self._nodes[emit.column].parts.get(element)
        leaf = part.parts.get("reference") if isinstance(part, Node) else None
        return leaf if isinstance(leaf, Leaf) else None

    def ids_of(self, resource: str) -> tuple[str, ...]:
        """Stored columns that hold ids of this type, of which references are made."""
        return tuple(name for name in self._plan.ids_of(resource) if name in self.stored.names)

    def replaced_by(self, emit: Emit) -> Column | None:
        """The reference (``Patient/...``) to whoever stands for an emit's person; None where its spec links nobody."""
        for path, expression in emit.elements.items():
            if path.startswith("link[") and path.endswith("].type") and getattr(expression, "const", "") == REPLACED:
                entry = self._nodes[emit.column].parts["link"]
                other = entry[int(path[5:-6])].parts.get("other") if isinstance(entry, list) else None
                leaf = other.parts.get("reference") if isinstance(other, Node) else None
                return leaf.column if isinstance(leaf, Leaf) else None
        return None


@dataclass(frozen=True)
class _Compiled:
    """One emit: its tree, id, tests of its ``when``, whether all hold and so a record is to emit it, ``(rule column,
    path)`` of what may be broken, paths not kept."""

    emit: Emit
    node: Node
    made_id: Column
    tests: list[str]
    wanted: Column
    rules: list[tuple[Column, str]]
    dropped: list[str]


def compile_source(
    setting: Setting, source: Source, emits: Sequence[Emit], maps: Mapping[str, CodeMap]
) -> SourceMapping:
    """Compile all emits of one source.

    Args:
        maps: every code map that the emits name.

    Raises:
        SpecError: a spec does not fit FHIR, its source or the others of its source.
    """
    masked = None if setting.identifying else source.identifying
    plan = Plan(source.null_values, dict(maps), masked, setting.years, tested_columns(emits))
    compiled = [_compile_emit(plan, setting, source, emit, maps) for emit in emits]
    used = {name: maps[name] for emit in emits for name in maps_of(emit)}
    if any(converts(emit) for emit in emits):
        used["unit_conversion"] = conversion_map()
    version = terminology_version(used.values())
    specs = sorted({f"{emit.spec}={emit.digest}" for emit in emits})
    for one in compiled:
        one.node.parts["id"] = Leaf(F.col(one.emit.column))
    values = plan.used(column for one in compiled for column in emitted(one.node, emitted_type(one.node)))
    kept_text = "" if setting.free_text is None else ",".join(sorted(setting.free_text))
    years = "{}-{}".format(*setting.years)
    told = [
        *specs,
        version,
        setting.site,
        setting.zone,
        years,
        *[text for text in (kept_text, *(masked or ())) if text],
    ]
    digest = hashlib.sha256("\n".join([*told, *plan.meaning(values)]).encode()).hexdigest()
    final = _final_columns(plan, setting, source, compiled, digest, version)
    ids = [StructField(one.emit.column, StringType()) for one in compiled]
    return SourceMapping(
        source=source.name,
        emits=tuple(emits),
        schema=StructType([*_LINEAGE, *(_resource_field(one) for one in compiled)]),
        stored=StructType([*_LINEAGE, *ids, *values]),
        digest=digest,
        terminology=version,
        dropped=tuple(dict.fromkeys(path for one in compiled for path in one.dropped)),
        _plan=plan,
        _final=(*final, *(F.col(value.name) for value in values)),
        _nodes={one.emit.column: one.node for one in compiled},
    )


def _resource_field(compiled: _Compiled) -> StructField:
    fields = [StructField(DIGEST_FIELD, StringType()), *emitted_type(compiled.node).fields]
    return StructField(compiled.emit.column, StructType(fields))


def _compile_emit(plan: Plan, setting: Setting, source: Source, emit: Emit, maps: Mapping[str, CodeMap]) -> _Compiled:
    tests = [] if emit.when is None else tests_of(plan, emit.when)
    with plan.only_where(tests):
        return _compile_wanted(plan, setting, source, emit, maps, tests)


def _compile_wanted(
    plan: Plan, setting: Setting, source: Source, emit: Emit, maps: Mapping[str, CodeMap], tests: list[str]
) -> _Compiled:
    """The emit for the records that its ``when`` wants, for which all ``tests`` hold."""
    label = emit.resource if emit.item is None else f"{emit.resource}[{emit.item}]"
    node, rules = Node(emit.resource, setting.identifying), []
    texts = [source_text(plan, part.column, (), part.extract, part.normalise) for part in emit.key]
    made = F.col(id_name(plan, setting.key, setting.site, emit.resource, emit.identity, texts, emit.item))
    rules += [(rule, f"{label}.id") for text in texts for rule in text.rules]
    rules.append((F.when(made.isNull(), F.lit("missing_key")), f"{label}.id"))
    kept, dropped = keep_elements(emit, setting, check_emit(emit, source, maps))
    for steps, expression in kept:
        part = evaluate_element(plan, setting, steps, expression)
        path = ".".join([label, *map(str, steps)])
        try:
            node.add(steps, part)
        except ValueError as error:
            raise SpecError(f"{emit.file}: {path}: {error}") from error
        rules += [(rule, path) for rule in part.rules]
    absent = missing_required(node, emit.resource)
    if absent:
        raise SpecError(f"{emit.file}: elements: FHIR requires {', '.join(absent)}; map each, or leave out the parent")
    rules += [(_required(broken, path, rules), path) for broken, path in required_rules(node, label, None)]
    rules += [(F.when(broken, F.lit("several_values")), path) for broken, path in choice_rules(node, label)]
    rules += [(F.when(broken, F.lit("period_order")), path) for broken, path in period_rules(node, label)]
    return _Compiled(emit, node, made, tests, plan.all_hold(tests), rules, dropped)


def _required(missing: Column, path: str, rules: Sequence[tuple[Column, str]]) -> Column:
    """``required``, unless a rule already says why the value is not there."""
    stem = path.removesuffix("[x]")
    told = [rule.isNull() for rule, other in rules if other.startswith(stem)]
    return F.when(fold_balanced(and_, [missing, *told]), F.lit("required"))


def _final_columns(
    plan: Plan, setting: Setting, source: Source, compiled: Sequence[_Compiled], digest: str, version: str
) -> list[Column]:
    read = F.col("_error").isNull()
    skip = plan.define(Stage.RULES, "skip", _skip_rule(plan, compiled))
    rules, broken = _rules(plan, source, compiled)
    is_mapped = read & skip.isNull()
    is_bad = plan.define(Stage.VERDICT, "bad", ~read | (is_mapped & broken), BooleanType())
    fine = plan.define(Stage.VERDICT, "fine", is_mapped & ~broken, BooleanType())
    # Which rules a record breaks is worked out for those alone that break one.
    told = F.array(_entry(F.col("_error"), ""))
    if rules:
        broken_ones = F.filter(F.array(*[_entry(rule, path) for rule, path in rules]), _is_broken)
        told = F.when(read, broken_ones).otherwise(told)
    errors = F.when(is_bad, told).otherwise(F.array().cast(ArrayType(RULE)))
    emitted_count = fold_balanced(add, [F.lit(0), *[(fine & c.wanted).cast("int") for c in compiled]])
    nothing = F.when(fine & (emitted_count == 0), F.lit(NOTHING_TO_MAP))
    lineage = [
        F.col("_delivery_date"),
        F.col("_file_id"),
        F.col("_file_name"),
        F.col("_record_no"),
        _order(plan, setting, source, compiled).alias("_order"),
        errors.alias("_errors"),
        F.when(read, F.coalesce(skip, nothing)).alias("_skip"),
        emitted_count.alias("_emitted"),
        F.when(is_bad, F.col("_raw")).alias("_raw"),
        F.lit(digest).alias(DIGEST_FIELD),
        F.lit(version).alias("_terminology_version"),
    ]
    return lineage + [F.when(fine & c.wanted, c.made_id).alias(c.emit.column) for c in compiled]


def _rules(plan: Plan, source: Source, compiled: Sequence[_Compiled]) -> tuple[list[tuple[Column, str]], Column]:
    """``(broken rule or null, path)`` of all emits and checks, and whether any is broken."""
    rules: list[tuple[Column, str]] = []
    broken = [F.lit(False)]
    for one in compiled:
        rules += [(F.when(one.wanted, rule) if one.tests else rule, path) for rule, path in one.rules]
        with plan.only_where(one.tests):
            # No boolean: one engine makes an AND of a CASE of booleans, and works it out for every record.
            mark = F.when(_any_broken(one.rules), F.lit(1))
            own = plan.define(Stage.RULES, ("broken", one.emit.column), mark, IntegerType())
        broken.append(own.isNotNull())
    others: list[tuple[Column, str]] = []
    if source.format == "ndjson" and compiled:
        # It changes what the resource means, and none is known here. Inside a JSON string the quotes are escaped.
        modified = F.col("_raw").contains('"modifierExtension"')
        others.append((F.when(modified, F.lit(UNKNOWN_MODIFIER)), ""))
    checks = {check: None for c in compiled for check in c.emit.check}
    others += [(rule, column) for check in checks for rule, column in check_rules(plan, check)]
    if others:
        broken.append(plan.define(Stage.RULES, "broken", _any_broken(others), BooleanType()))
    return rules + others, fold_balanced(or_, broken)


def _any_broken(rules: Sequence[tuple[Column, str]]) -> Column:
    return fold_balanced(or_, [rule.isNotNull() for rule, _ in rules])


def _skip_rule(plan: Plan, compiled: Sequence[_Compiled]) -> Column:
    """Name of the first skip rule that holds, or null."""
    found = {(c.emit.skip_when, c.emit.skip_rule): None for c in compiled if c.emit.skip_when is not None}
    tests = [F.when(condition_column(plan, when), F.lit(rule)) for when, rule in found if when is not None]
    return F.coalesce(*tests) if tests else F.lit(None).cast("string")


def _order(plan: Plan, setting: Setting, source: Source, compiled: Sequence[_Compiled]) -> Column:
    orders: dict[Expression, str] = {c.emit.order_by: c.emit.file for c in compiled if c.emit.order_by is not None}
    if len(orders) > 1:
        raise SpecError(f"order_by differs between specs of source '{source.name}': {', '.join(orders.values())}")
    if not orders:
        return F.lit(None).cast("string")
    return order_text(plan, setting, next(iter(orders)))


def _entry(rule: Column, path: str) -> Column:
    return F.struct(rule.alias("rule"), F.lit(path).alias("path"))


def _is_broken(entry: Column) -> Column:
    return entry["rule"].isNotNull()
