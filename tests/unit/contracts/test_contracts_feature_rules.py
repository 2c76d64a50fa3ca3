"""Rules that both feature evaluators share."""

from __future__ import annotations

from typing import Any

import pytest

from contracts.errors import SpecError
from contracts.feature_rules import check_features, clean_text, collapse_text, whole_years
from contracts.feature_spec import FeatureSpec
from contracts.fhir.view_definition import parse_view


@pytest.mark.parametrize(
    ("earlier", "later", "years"),
    [
        ("1990-05-02", "2024-05-01", 33.0),
        ("1990-05-02", "2024-05-02T00:00:00+08:00", 34.0),
        ("2004-02-29", "2024-02-28", 19.0),
        ("1990", "2024-01-01", 34.0),
        ("1990-05", "2024", 33.0),
        ("2024-05-02", "2024-05-01", None),
        (None, "2024", None),
        ("90-05-02", "2024", None),
    ],
)
def test_whole_years_between_dates_of_any_precision(earlier: str, later: str, years: float) -> None:
    assert whole_years(earlier, later) == years


def test_white_space_collapses_and_texts_that_mean_nothing_are_none() -> None:
    assert collapse_text(" 发热\t\u3000 3天\n") == "发热 3天"
    assert [collapse_text(text) for text in (None, "", " \u00a0", " 无 ")] == [None] * 4


def test_clean_text_is_nfkc_as_silver_is() -> None:
    assert clean_text("ＣＴ　３天") == "CT 3天"


def columns(*names: str, type: str | None = "string") -> dict[str, Any]:
    typed = {"type": type} if type else {}
    return {"resource": "Encounter", "select": [{"column": [{"name": n, "path": "id", **typed} for n in names]}]}


UNIT = {"view": "u", "key": "k", "patient": "p"}
CODES = {"kind": "codes", "column": "d", "classes": ["1", "2"]}


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"input": [{"name": "a", "kind": "text", "column": "nothing"}]}, "nothing"),
        ({"input": [{"name": "a", "kind": "number", "column": "d"}]}, "does not fit number"),
        ({"input": [{"name": "label", "kind": "text", "column": "d"}]}, "cannot be called 'label'"),
        ({"input": [{"name": "a", "kind": "number", "pivot": ["lab", "x"]}]}, "no pivot 'lab'"),
        ({"unit": {**UNIT, "key": "x"}}, "no column 'x'"),
        ({"join": [{"view": "v", "left": "k", "right": "k"}]}, "views not given: v"),
    ],
)
def test_a_spec_that_names_what_is_not_there_is_refused(changes: dict[str, Any], named: str) -> None:
    body = {"unit": UNIT, "input": [{"name": "a", "kind": "text", "column": "d"}], "label": CODES, **changes}
    with pytest.raises(SpecError, match=named):
        check_features(FeatureSpec.model_validate(body), {"u": parse_view(columns("k", "p", "d"))})


def test_a_column_without_a_declared_type_is_refused() -> None:
    spec = FeatureSpec.model_validate(
        {"unit": UNIT, "input": [{"name": "a", "kind": "text", "column": "d"}], "label": CODES}
    )
    with pytest.raises(SpecError, match="declared type"):
        check_features(spec, {"u": parse_view(columns("k", "p", "d", type=None))})
