"""A task's features over FHIR JSON, in plain Python: what ``features`` computes over silver, for scoring.

A property test holds the two equal.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from contracts.errors import DataError
from contracts.feature_rules import check_features, collapse_text, number_input, whole_years
from contracts.feature_spec import FeatureSpec, Input, Label, PivotView
from contracts.fhir.view_definition import View, parse_view
from registry.views import Row, evaluate_view

Value = float | str | None


@dataclass(frozen=True)
class FeatureRow:
    """One unit. ``inputs`` by name, in the spec's order; ``label`` empty when there is none to learn from."""

    unit_id: str
    patient_id: str | None
    inputs: Mapping[str, Value]
    label: tuple[str, ...]


def evaluate_features(
    spec: FeatureSpec, views: Mapping[str, Mapping[str, Any]], resources: Sequence[Mapping[str, Any]]
) -> list[FeatureRow]:
    """Feature rows of the units found in some resources, sorted by unit. See ``FeatureEvaluator``."""
    return FeatureEvaluator(spec, views).rows(resources)


class FeatureEvaluator:
    """A spec with its views, parsed and checked once.

    Args:
        spec: the task's features.
        views: ViewDefinitions as JSON by the file name the spec gives them.

    Raises:
        SpecError: a view or the spec is wrong.
    """

    def __init__(self, spec: FeatureSpec, views: Mapping[str, Mapping[str, Any]]) -> None:
        self.spec = spec
        self.views: dict[str, View] = {file: parse_view(body) for file, body in views.items()}
        check_features(spec, self.views)

    def rows(self, resources: Sequence[Mapping[str, Any]]) -> list[FeatureRow]:
        """One row a unit, sorted by unit; units without a key are left out.

        Raises:
            DataError: two units have one key, or a joined view has two rows for one.
        """
        found = {file: evaluate_view(view, resources) for file, view in self.views.items()}
        spec = self.spec
        joined = [(join.left, _unique(found[join.view], join.right, "joined view")) for join in spec.join]
        pivots = {pivot.name: (pivot.left, _fold(found[pivot.view], pivot)) for pivot in spec.pivot}
        label = spec.label
        ill = _matching(found[label.view], label) if label.view else frozenset()
        rows = []
        for key, unit in sorted(_unique(found[spec.unit.view], spec.unit.key, "unit view").items()):
            wide: Row = dict(unit)
            for left, right in joined:
                wide.update(right.get(unit[left], {}))
            inputs = {
                one.name: _input(one, _raw(one, wide, {n: f.get(unit[left], {}) for n, (left, f) in pivots.items()}))
                for one in spec.input
            }
            codes = _codes(label, wide) if label.kind == "codes" else ("1" if unit[label.left or ""] in ill else "0",)
            rows.append(FeatureRow(key, unit[spec.unit.patient], inputs, codes))
        return rows

    def carries_label(self, resources: Sequence[Mapping[str, Any]]) -> bool:
        """Whether a unit's resources say anything of the label: where there is no diagnosis, "not ill" is a guess."""
        label = self.spec.label
        return label.kind == "codes" or bool(evaluate_view(self.views[label.view or ""], resources))


def _unique(rows: Iterable[Row], key: str, what: str) -> dict[str, Row]:
    by_key: dict[str, Row] = {}
    for row in rows:
        if row[key] is None:
            continue
        if row[key] in by_key:
            raise DataError(f"{what}: several rows for one value of '{key}'; expected one")
        by_key[row[key]] = row
    return by_key


def _fold(rows: Iterable[Row], pivot: PivotView) -> dict[str, dict[str, Any]]:
    """Per unit and code the value with the greatest order, then the greatest value; null values do not count."""
    best: dict[str, dict[str, tuple[str, Any]]] = {}
    for row in rows:
        key, code, value = row[pivot.right], row[pivot.code], row[pivot.value]
        if key is None or code is None or value is None:
            continue
        rank = ((row[pivot.order] if pivot.order else None) or "", value)
        codes = best.setdefault(key, {})
        codes[code] = max(codes.get(code, rank), rank)
    return {key: {code: value for code, (_, value) in codes.items()} for key, codes in best.items()}


def _matching(rows: Iterable[Row], label: Label) -> frozenset[str]:
    """Units that a label of kind ``condition`` calls ill."""
    assert label.right is not None and label.code is not None  # checked with the spec
    return frozenset(
        row[label.right]
        for row in rows
        if (row[label.code] or "").startswith(label.prefixes)
        and (label.status is None or row[label.status] == "confirmed")
        and row[label.right] is not None
    )


def _raw(one: Input, wide: Row, pivots: Mapping[str, Mapping[str, Any]]) -> Any:
    if one.column is not None:
        return wide.get(one.column)
    if one.years_between is not None:
        return whole_years(wide.get(one.years_between[0]), wide.get(one.years_between[1]))
    assert one.pivot is not None
    return pivots[one.pivot[0]].get(one.pivot[1])


def _input(one: Input, raw: Any) -> Value:
    if one.kind == "number":
        return number_input(raw, one)
    if one.kind == "text":
        return collapse_text(raw)
    return raw if raw in one.levels else None


def _codes(label: Label, wide: Row) -> tuple[str, ...]:
    """The codes of the unit that may be predicted, in the order of the classes; none when it has no other."""
    written = wide.get(label.column or "") or ""
    carried = {code.strip(" ") for code in written.split("|")}
    return tuple(code for code in label.classes if code in carried)
