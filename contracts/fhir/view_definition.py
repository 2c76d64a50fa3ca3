"""A SQL on FHIR v2 ViewDefinition, checked and parsed: the form that both evaluators walk.

Source: SQL on FHIR v2 (sql-on-fhir.org), logical model ViewDefinition.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, StrictStr, ValidationError

from contracts.errors import SpecError
from contracts.feature_spec import Frozen
from contracts.fhir import expression as tree
from contracts.fhir.fhirpath import parse_expression

ColumnKind = Literal["string", "integer", "decimal", "boolean"]

_KINDS: dict[str, ColumnKind] = {
    "boolean": "boolean",
    "integer": "integer",
    "integer64": "integer",
    "positiveInt": "integer",
    "unsignedInt": "integer",
    "decimal": "decimal",
}

_METADATA = frozenset(
    (
        *("resourceType", "id", "meta", "text", "extension", "implicitRules", "language", "url", "identifier", "name"),
        *("title", "status", "experimental", "publisher", "contact", "description", "useContext", "copyright"),
        *("copyrightLabel", "date", "jurisdiction", "purpose", "version", "fhirVersion", "profile"),
    )
)
"""Elements of a ViewDefinition that say who and when, and do not change its rows."""


@dataclass(frozen=True)
class ViewColumn:
    """One column: ``type`` is the FHIR type it declares (None: not declared), ``collection`` keeps an array."""

    name: str
    path: tree.Node
    type: str | None
    collection: bool

    @property
    def kind(self) -> ColumnKind:
        """What a value of it is in a table; an undeclared type counts as text."""
        return _KINDS.get(self.type or "", "string")


@dataclass(frozen=True)
class Select:
    """One select: rows for each element of ``foci`` (``iterate`` None: for the element in focus)."""

    iterate: Literal["forEach", "forEachOrNull", "repeat"] | None
    foci: tuple[tree.Node, ...]
    columns: tuple[ViewColumn, ...]
    selects: tuple[Select, ...]
    unions: tuple[Select, ...]

    def all_columns(self) -> tuple[ViewColumn, ...]:
        """Columns in the order of the output: own, of nested selects, of the first union branch."""
        nested = [column for select in self.selects for column in select.all_columns()]
        union = self.unions[0].all_columns() if self.unions else ()
        return (*self.columns, *nested, *union)


@dataclass(frozen=True)
class View:
    """A checked view. ``where`` keeps the resources for which every expression is true."""

    resource: str
    constants: Mapping[str, tree.Literal]
    where: tuple[tree.Node, ...]
    selects: tuple[Select, ...]

    def all_columns(self) -> tuple[ViewColumn, ...]:
        """Columns in the order of the output."""
        return tuple(column for select in self.selects for column in select.all_columns())


class _Tag(Frozen):
    name: str
    value: str


class _Column(Frozen):
    name: str = Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")
    path: StrictStr
    type: str | None = None
    collection: bool = False
    description: str | None = None
    tag: tuple[_Tag, ...] = ()


class _Select(Frozen):
    column: tuple[_Column, ...] = ()
    select: tuple[_Select, ...] = ()
    forEach: StrictStr | None = None
    forEachOrNull: StrictStr | None = None
    repeat: tuple[StrictStr, ...] = ()
    unionAll: tuple[_Select, ...] = ()


class _Where(Frozen):
    path: StrictStr
    description: str | None = None


class _Body(Frozen):
    resource: str = Field(min_length=1)
    constant: tuple[dict[str, Any], ...] = ()
    select: tuple[_Select, ...] = Field(min_length=1)
    where: tuple[_Where, ...] = ()


def parse_view(view: Mapping[str, Any]) -> View:
    """Check and parse a ViewDefinition given as JSON. Raises SpecError that names the view and the place."""
    try:
        return _parse_text(json.dumps(view, sort_keys=True, default=float))
    except SpecError as error:
        raise SpecError(f"view '{view.get('name') or view.get('id') or view.get('resource')}': {error}") from error


def read_view(path: Path) -> dict[str, Any]:
    """The JSON of a ViewDefinition file, checked. Raises SpecError that names the file."""
    try:
        body = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SpecError(f"{path}: cannot be read: {error.strerror}") from error
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise SpecError(f"{path}: not readable as JSON: {error}") from error
    if not isinstance(body, dict):
        raise SpecError(f"{path}: a ViewDefinition is a JSON object")
    parse_view(body)
    return body


@lru_cache(maxsize=512)
def _parse_text(text: str) -> View:
    body = {key: value for key, value in json.loads(text).items() if key not in _METADATA}
    try:
        checked = _Body.model_validate(body)
    except ValidationError as error:
        first = error.errors()[0]
        raise SpecError(f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}") from error
    view = View(
        resource=checked.resource,
        constants=_constants(checked.constant),
        where=tuple(parse_expression(clause.path) for clause in checked.where),
        selects=tuple(_select(select) for select in checked.select),
    )
    _check_names(view)
    _check_variables(view)
    return view


def _select(body: _Select) -> Select:
    given = [name for name in ("forEach", "forEachOrNull", "repeat") if getattr(body, name)]
    if len(given) > 1:
        raise SpecError(f"a select has {' and '.join(given)}; give one of them")
    iterate = given[0] if given else None
    paths = body.repeat if iterate == "repeat" else ((getattr(body, iterate),) if iterate else ())
    select = Select(
        iterate=iterate,  # type: ignore[arg-type]  # one of the three names above
        foci=tuple(parse_expression(path) for path in paths),
        columns=tuple(ViewColumn(c.name, parse_expression(c.path), c.type, c.collection) for c in body.column),
        selects=tuple(_select(child) for child in body.select),
        unions=tuple(_select(child) for child in body.unionAll),
    )
    expected = [column.name for column in select.unions[0].all_columns()] if select.unions else []
    for branch in select.unions[1:]:
        found = [column.name for column in branch.all_columns()]
        if found != expected:
            raise SpecError(f"branches of a unionAll differ: columns {found} where {expected} were expected")
    return select


def _constants(bodies: tuple[dict[str, Any], ...]) -> dict[str, tree.Literal]:
    constants = {}
    for body in bodies:
        values = {key: value for key, value in body.items() if key.startswith("value")}
        name = body.get("name")
        if not isinstance(name, str) or len(values) != 1:
            raise SpecError(f"constant '{name}': expected a name and exactly one value[x], found {sorted(body)}")
        key, value = next(iter(values.items()))
        type_name = key[5].lower() + key[6:]
        if not isinstance(value, str | int | float | bool):
            raise SpecError(f"constant '{name}': {key} is not a primitive value")
        constants[name] = _constant(_KINDS.get(type_name, type_name), value)
    return constants


def _constant(kind: str, value: Any) -> tree.Literal:
    number = parse_expression(repr(abs(value))) if kind in ("decimal", "integer") else None
    if isinstance(number, tree.Literal) and not isinstance(number.value, str):
        return tree.Literal(-number.value if value < 0 else number.value, kind)
    return tree.Literal(value, "boolean" if kind == "boolean" else kind)


def _check_names(view: View) -> None:
    names = [column.name for column in view.all_columns()]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise SpecError(f"columns named twice: {', '.join(twice)}")


def _check_variables(view: View) -> None:
    known = {*view.constants, "rowIndex"}
    for node in _expressions(view):
        for found in _variables(node):
            if found not in known:
                raise SpecError(f"%{found} is no constant of the view; it has {sorted(view.constants)}")


def _expressions(view: View) -> Iterator[tree.Node]:
    yield from view.where
    pending = list(view.selects)
    while pending:
        select = pending.pop()
        yield from select.foci
        yield from (column.path for column in select.columns)
        pending += [*select.selects, *select.unions]


def _variables(node: tree.Node) -> Iterator[str]:
    match node:
        case tree.Variable(name):
            yield name
        case tree.Member(source, _):
            yield from _variables(source) if source else ()
        case tree.Index(source, position):
            yield from _variables(source)
            yield from _variables(position)
        case tree.Call(source, _, arguments):
            for part in (source, *arguments):
                yield from _variables(part) if part else ()
        case tree.Binary(_, left, right):
            yield from _variables(left)
            yield from _variables(right)
        case tree.Negate(operand):
            yield from _variables(operand)
