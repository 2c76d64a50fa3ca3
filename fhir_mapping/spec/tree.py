"""A resource as a tree of leaves, and the tree as one struct column in silver's shape.

An element appears when one of its leaves that are no constants has a value. A tree is emitted in a shape: silver's
whole type of the resource, or a part of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache

from pyspark.sql import Column
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, DataType, StructField, StructType

from contracts.fhir.elements import TYPES, Element
from contracts.fhir.paths import Step
from contracts.fhir.silver import TEXT_SUFFIX, struct_schema_json
from fhir_mapping.rules.values import period_reversed
from fhir_mapping.spec.parts import Leaf, Part, any_present


@dataclass
class Node:
    """A resource or complex element: its mapped parts by element name; lists hold a node an index.

    ``identifying``: its shape has the fields that silver has no column for.
    """

    type_name: str
    identifying: bool = False
    parts: dict[str, Leaf | Node | list[Node]] = field(default_factory=dict)

    @property
    def shape(self) -> StructType:
        """Spark's type of the whole element."""
        return struct_type(self.type_name, self.identifying)

    def add(self, steps: tuple[Step, ...], part: Part) -> None:
        """Put the leaves of an expression below the element that ``steps`` lead to.

        Raises:
            ValueError: an element is mapped twice.
        """
        for below, leaf in part.leaves.items():
            self._put(tuple((step.element.name, step.index) for step in steps) + below, leaf)

    def leaves(self) -> list[Leaf]:
        found: list[Leaf] = []
        for part in self.parts.values():
            if isinstance(part, Leaf):
                found.append(part)
            else:
                for node in part if isinstance(part, list) else [part]:
                    found += node.leaves()
        return found

    def present(self) -> Column | None:
        """Whether the element appears; None when it always does."""
        return any_present(self.leaves())

    def _put(self, path: tuple[tuple[str, int | None], ...], leaf: Leaf) -> None:
        (name, index), rest = path[0], path[1:]
        element = TYPES[self.type_name].elements[name]
        if not rest:
            if name in self.parts:
                raise ValueError(f"{name} is mapped twice")
            self.parts[name] = leaf
        elif index is None:
            node = self.parts.setdefault(name, Node(element.type, self.identifying))
            assert isinstance(node, Node)
            node._put(rest, leaf)
        else:
            nodes = self.parts.setdefault(name, [])
            assert isinstance(nodes, list)
            while len(nodes) <= index:
                nodes.append(Node(element.type, self.identifying))
            nodes[index]._put(rest, leaf)


@cache
def struct_type(type_name: str, identifying: bool = False) -> StructType:
    """Spark's type of a resource or data type in silver, or with the identifying fields. Treat as read-only."""
    return StructType.fromJson(struct_schema_json(type_name, identifying))


def emitted_type(node: Node) -> StructType:
    """The mapped elements of a resource, in FHIR's order; below them every field of silver's shape is there."""
    whole = node.shape
    names = [field.name for field in whole.fields if _owner(field.name, whole) in node.parts]
    return StructType([whole[name] for name in names])


def filled(whole: StructType, nodes: Sequence[Node]) -> StructType:
    """The part of a type that some of the nodes fill, at every depth; its other fields are null in all of them."""
    fields = []
    for spark_field in whole.fields:
        owner = _owner(spark_field.name, whole)
        parts = [node.parts[owner] for node in nodes if owner in node.parts]
        if parts:
            fields.append(StructField(spark_field.name, _filled(spark_field.dataType, parts)))
    return StructType(fields)


def _filled(kind: DataType, parts: Sequence[Leaf | Node | list[Node]]) -> DataType:
    below = [node for part in parts for node in (part if isinstance(part, list) else [part]) if isinstance(node, Node)]
    if not below:
        return kind
    if isinstance(kind, ArrayType):
        return ArrayType(_filled(kind.elementType, below))
    assert isinstance(kind, StructType)
    return filled(kind, below)


def emitted(node: Node, shape: StructType) -> list[Column]:
    """Columns of the fields of a shape, null where their element is not mapped."""
    return _fields(node, shape)


def required_rules(node: Node, path: str, present: Column | None) -> list[tuple[Column, str]]:
    """``(broken, path)`` for each required element that may be absent where its parent appears."""
    found: list[tuple[Column, str]] = []
    seen: set[str] = set()
    for element in TYPES[node.type_name].elements.values():
        group = element.choice or element.name
        if element.minimum and group not in seen and element.name != "id":
            seen.add(group)
            here = _group_present(node, element)
            if here is not None:
                missing = ~here if present is None else present & ~here
                found.append((missing, f"{path}.{group}"))
    for name, part in node.parts.items():
        for index, child in enumerate(part if isinstance(part, list) else [part]):
            if isinstance(child, Node):
                below = f"{path}.{name}[{index}]" if isinstance(part, list) else f"{path}.{name}"
                found += required_rules(child, below, child.present())
    return found


def choice_rules(node: Node, path: str) -> list[tuple[Column, str]]:
    """``(broken, path)`` where two types of one choice element could both have a value."""
    groups: dict[str, list[Column]] = {}
    for element in TYPES[node.type_name].elements.values():
        if element.choice and element.name in node.parts:
            here = _present_part(node.parts[element.name])
            groups.setdefault(element.choice, []).append(F.lit(True) if here is None else here)
    found = []
    for choice, tests in groups.items():
        if len(tests) > 1:
            total = sum((test.cast("int") for test in tests[1:]), tests[0].cast("int"))
            found.append((total > 1, f"{path}.{choice}"))
    return found


def period_rules(node: Node, path: str) -> list[tuple[Column, str]]:
    """``(broken, path)`` for each period that has a start and an end."""
    found: list[tuple[Column, str]] = []
    start, end = node.parts.get("start"), node.parts.get("end")
    if node.type_name == "Period" and isinstance(start, Leaf) and isinstance(end, Leaf):
        found.append((period_reversed(start.column, end.column), path))
    for name, part in node.parts.items():
        for child in part if isinstance(part, list) else [part]:
            if isinstance(child, Node):
                found += period_rules(child, f"{path}.{name}")
    return found


def missing_required(node: Node, path: str) -> list[str]:
    """Paths of required elements that no expression maps at all."""
    found: list[str] = []
    groups: dict[str, bool] = {}
    for element in TYPES[node.type_name].elements.values():
        if element.minimum and element.name != "id":
            group = element.choice or element.name
            groups[group] = groups.get(group, False) or element.name in node.parts
    found += [f"{path}.{group}" for group, mapped in groups.items() if not mapped]
    for name, part in node.parts.items():
        for child in part if isinstance(part, list) else [part]:
            if isinstance(child, Node):
                found += missing_required(child, f"{path}.{name}")
    return found


def _group_present(node: Node, element: Element) -> Column | None:
    """Whether a required element (or one type of its choice) is there; None when it always is."""
    names = [element.name]
    if element.choice:
        names = [e.name for e in TYPES[node.type_name].elements.values() if e.choice == element.choice]
    found: Column | None = None
    for name in names:
        if name in node.parts:
            here = _present_part(node.parts[name])
            if here is None:
                return None
            found = here if found is None else found | here
    return found


def _present_part(part: Leaf | Node | list[Node]) -> Column | None:
    if isinstance(part, Leaf):
        return any_present([part])
    nodes = part if isinstance(part, list) else [part]
    tests = [node.present() for node in nodes]
    found: Column | None = None
    for test in tests:
        if test is None:
            return None
        found = test if found is None else found | test
    return found


def _owner(name: str, whole: StructType) -> str:
    """The element a field belongs to: ``value_text`` belongs to ``value``."""
    stem = name.removesuffix(TEXT_SUFFIX)
    return stem if stem != name and stem in whole.names else name


def _fields(node: Node, shape: StructType, given: Column | None = None) -> list[Column]:
    """One column a field of ``shape``; ``given`` holds wherever they are used."""
    found = []
    for spark_field in shape.fields:
        owner, kind = _owner(spark_field.name, shape), spark_field.dataType
        part = node.parts.get(owner)
        if part is None:
            column = F.lit(None).cast(kind)
        elif isinstance(part, Leaf):
            column = _leaf(part.column if owner == spark_field.name or part.text is None else part.text, kind)
        elif isinstance(part, list):
            column = _list(part, kind, given)
        else:
            column = _struct(part, kind, given)
        found.append(column.alias(spark_field.name))
    return found


def _leaf(column: Column, kind: DataType) -> Column:
    """A value as its field's type; of a list of primitives the one entry, or no list."""
    if isinstance(kind, ArrayType):
        return _only(column.cast(kind.elementType), column.isNotNull()).cast(kind)
    return column.cast(kind)


def _struct(node: Node, kind: DataType, given: Column | None) -> Column:
    assert isinstance(kind, StructType)
    present = node.present()
    return _where(present, F.struct(*_fields(node, kind, given if present is None else present)), given)


def _list(nodes: list[Node], kind: DataType, given: Column | None) -> Column:
    """Entries that are there, in order; null when none is."""
    assert isinstance(kind, ArrayType)
    presence = _present_part(nodes)
    # Cast, because one engine panics over an array whose entries differ in what can be null.
    around = given if presence is None else presence
    entries = [_struct(node, kind.elementType, around).cast(kind.elementType) for node in nodes]
    if len(nodes) == 1:
        return _only(entries[0], None if _is_same(presence, given) else presence).cast(kind)
    several = F.filter(F.array(*entries), lambda entry: entry.isNotNull())
    later = _present_part(nodes[1:])
    if later is not None:
        several = F.when(later, several).otherwise(_only(entries[0], nodes[0].present()))
    return _where(presence, several, given).cast(kind)


def _only(entry: Column, present: Column | None) -> Column:
    """A list of one entry, or null; ``array`` copies field by field, which takes six times as long."""
    return F.array_repeat(entry, F.lit(1) if present is None else F.when(present, F.lit(1)))


def _where(present: Column | None, made: Column, given: Column | None) -> Column:
    """``made`` where it is present; that is not asked again where the same was asked around it."""
    return made if present is None or _is_same(present, given) else F.when(present, made)


def _is_same(present: Column | None, given: Column | None) -> bool:
    return present is not None and given is not None and str(present) == str(given)
