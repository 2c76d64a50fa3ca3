"""The rules of a feature spec that both evaluators must share: what is text, an age, a well-formed spec.

``features`` writes the same rules as columns; a property test holds the two equal.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from decimal import Decimal

from contracts.errors import SpecError
from contracts.feature_spec import FeatureSpec, Input, JoinView, Label, PivotView
from contracts.fhir.free_text import free_text_paths
from contracts.fhir.view_definition import View, ViewColumn, parse_view, read_view
from contracts.region import Region, Task

WHITE_SPACE = "[\t-\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+"
"""A run of white space, by character: ``\\s`` means another set in each regular expression engine."""

NULL_TEXTS = ("", "无")
"""Texts that mean no value, after collapsing."""

DATE_PARTS = r"^([0-9]{4})(?:-([0-9]{2})(?:-([0-9]{2}))?)?"
"""Year, month and day at the start of a FHIR date or dateTime, of any precision."""

RESERVED = ("unit_id", "patient_id", "label")
"""Columns of a feature table that are no inputs."""

_WHITE_SPACE = re.compile(WHITE_SPACE)
_DATE_PARTS = re.compile(DATE_PARTS)


def collapse_text(text: str | None) -> str | None:
    """White space collapsed to single blanks and trimmed; None for a text that means no value.

    Silver's text is NFKC already (fhir_mapping); text from elsewhere goes through ``clean_text``.
    """
    if text is None:
        return None
    collapsed = _WHITE_SPACE.sub(" ", text).strip(" ")
    return None if collapsed in NULL_TEXTS else collapsed


def clean_text(text: str | None) -> str | None:
    """``collapse_text`` after NFKC: the input door for text that did not come through the mapping."""
    return None if text is None else collapse_text(unicodedata.normalize("NFKC", text))


def whole_years(earlier: str | None, later: str | None) -> float | None:
    """Birthdays passed between two dates; None unless both start with a year, or when ``later`` comes first.

    A missing month or day counts as the first; times and zones are not looked at.

    >>> whole_years("1990-05-02", "2024-05-01T08:00:00+08:00"), whole_years("1990", "2024")
    (33.0, 34.0)
    """
    first, last = _DATE_PARTS.match(earlier or ""), _DATE_PARTS.match(later or "")
    if first is None or last is None:
        return None
    year_1, month_1, day_1 = (int(part or 1) for part in first.groups())
    year_2, month_2, day_2 = (int(part or 1) for part in last.groups())
    years = year_2 - year_1 - ((month_2, day_2) < (month_1, day_1))
    return float(years) if years >= 0 else None


def number_input(value: float | Decimal | None, spec: Input) -> float | None:
    """A number as the model may see it: None outside the plausible range (closed)."""
    if value is None:
        return None
    number = float(value)
    if spec.plausible is not None and not spec.plausible[0] <= number <= spec.plausible[1]:
        return None
    return number


def forbidden_text(region: Region, task: Task) -> dict[str, tuple[str, ...]]:
    """Free text that the views of a task ask for and the region's ``free_text`` does not allow: paths by view file.

    Raises:
        SpecError: a view is wrong.
    """
    if region.free_text is None:
        return {}
    allowed = frozenset(region.free_text)
    asked = {file: free_text_paths(parse_view(read_view(task.folder / file))) for file in view_files(task.features)}
    return {file: tuple(sorted(paths - allowed)) for file, paths in asked.items() if paths - allowed}


def require_allowed_text(region: Region, task: Task) -> None:
    """Raise SpecError, naming view and path, where a task asks for free text that its region does not allow."""
    for file, paths in forbidden_text(region, task).items():
        raise SpecError(f"task '{task.name}': {text_words(file, paths)}")


def text_words(file: str, paths: Sequence[str]) -> str:
    """What is wrong with such a view, and the next step."""
    return (
        f"view {file} reads the free text {', '.join(paths)}, which region.toml does not allow. "
        "Add it to free_text there, or take it out of the view."
    )


def view_files(spec: FeatureSpec) -> tuple[str, ...]:
    """The view files a spec names, each once."""
    label = (spec.label.view,) if spec.label.view else ()
    return tuple(dict.fromkeys((spec.unit.view, *(j.view for j in spec.join), *(p.view for p in spec.pivot), *label)))


def check_features(spec: FeatureSpec, views: Mapping[str, View]) -> None:
    """Whether every column that the spec names is there, with a type that fits. Raises SpecError naming it."""
    absent = [file for file in view_files(spec) if file not in views]
    if absent:
        raise SpecError(f"views not given: {', '.join(absent)}")
    columns = _Columns(views)
    columns.take(spec.unit.view, "string", spec.unit.key, spec.unit.patient)
    sides: list[JoinView | PivotView | Label] = [*spec.join, *spec.pivot]
    for side in (*sides, *((spec.label,) if spec.label.kind == "condition" else ())):
        columns.take(spec.unit.view, "string", side.left)
        columns.take(side.view, "string", side.right)
    wide = (spec.unit.view, *(join.view for join in spec.join))
    _check_wide_names(columns, wide)
    for one in spec.input:
        _check_input(one, spec, columns, wide)
    _check_label(spec, columns, wide)


def _check_wide_names(columns: _Columns, wide: tuple[str, ...]) -> None:
    names = [name for view in wide for name in columns.names(view)]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise SpecError(f"several views of the unit have a column {', '.join(twice)}; rename it in one")


def _check_input(one: Input, spec: FeatureSpec, columns: _Columns, wide: tuple[str, ...]) -> None:
    if one.name in RESERVED:
        raise SpecError(f"an input cannot be called '{one.name}'")
    if one.column is not None:
        columns.take_any(wide, one.kind, one.column)
    if one.years_between is not None:
        if one.kind != "number":
            raise SpecError(f"input '{one.name}': years are a number")
        for name in one.years_between:
            columns.take_any(wide, "string", name)
    if one.pivot is not None:
        pivot = next((p for p in spec.pivot if p.name == one.pivot[0]), None)
        if pivot is None:
            raise SpecError(f"input '{one.name}': no pivot '{one.pivot[0]}'; there is {[p.name for p in spec.pivot]}")
        columns.take(pivot.view, "string", pivot.code)
        columns.take(pivot.view, one.kind, pivot.value)
        if pivot.order is not None:
            columns.take(pivot.view, "string", pivot.order)


def _check_label(spec: FeatureSpec, columns: _Columns, wide: tuple[str, ...]) -> None:
    label = spec.label
    if label.kind == "codes":
        columns.take_any(wide, "string", label.column)
        return
    columns.take(label.view, "string", label.code)
    if label.status is not None:
        columns.take(label.view, "string", label.status)
    if label.classes != ("0", "1") or not label.prefixes:
        raise SpecError('a label of kind condition needs prefixes and classes = ["0", "1"]')


class _Columns:
    """Columns of views by name, asked for with the kind they must have."""

    def __init__(self, views: Mapping[str, View]) -> None:
        self.views = {file: {column.name: column for column in view.all_columns()} for file, view in views.items()}

    def names(self, view: str) -> list[str]:
        return list(self.views[view])

    def take(self, view: str | None, kind: str, *names: str | None) -> None:
        """``kind``: string, or an input's kind: number takes decimals, integers and booleans, the others text."""
        for name in names:
            known = self.views.get(view or "", {})
            column = known.get(name or "")
            if column is None:
                raise SpecError(f"view '{view}' has no column '{name}'; it has {', '.join(known)}")
            self._check(view or "", column, kind)

    def take_any(self, views: tuple[str, ...], kind: str, name: str | None) -> None:
        for view in views:
            if name in self.views[view]:
                return self.take(view, kind, name)
        raise SpecError(f"no column '{name}' in {', '.join(views)}")

    def _check(self, view: str, column: ViewColumn, kind: str) -> None:
        if column.type is None or column.collection:
            raise SpecError(f"view '{view}': column '{column.name}' needs a declared type and must be no collection")
        if (kind == "number") == (column.kind == "string"):
            raise SpecError(f"view '{view}': column '{column.name}' is {column.type}, which does not fit {kind}")
