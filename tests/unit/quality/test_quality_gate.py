"""A gate holds its limits, and no value of a record can get into its results."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from quality.gate import Check, Expectation, run_gate


def _outcome(frame: pd.DataFrame, expectation: Expectation) -> Check:
    return run_gate("t", frame, [expectation]).checks[0]


@pytest.mark.parametrize(
    ("expectation", "good", "bad"),
    [
        (Expectation("rows", "row_count", "blocking", min=3), [1, 2, 3], [1, 2]),
        (Expectation("unique", "unique", "blocking", ("a",)), [1, 2], [1, 1]),
        (Expectation("filled", "not_null", "blocking", ("a",)), [1, 2], [1, np.nan]),
        (Expectation("share", "mean", "blocking", ("a",), max=0.5), [0, 1], [1, 1, 0]),
        (Expectation("share", "mean", "blocking", ("a",), min=1.0), [1, 1], [1, 0]),
        (Expectation("some", "some", "blocking", ("a",)), [0, 1], [0, 0]),
    ],
)
def test_each_kind_of_expectation_passes_and_fails(expectation: Expectation, good: list, bad: list) -> None:
    assert _outcome(pd.DataFrame({"a": good}), expectation).success
    assert not _outcome(pd.DataFrame({"a": bad}), expectation).success


def test_a_key_of_two_columns_is_unique_only_as_a_pair() -> None:
    key = Expectation("key", "unique", "blocking", ("file", "record"))
    assert _outcome(pd.DataFrame({"file": [0, 0, 1], "record": [0, 1, 0]}), key).success
    assert _outcome(pd.DataFrame({"file": [0, 0], "record": [1, 1]}), key).counts["unexpected"] == 2


def test_only_a_blocking_check_fails_the_gate() -> None:
    frame = pd.DataFrame({"a": [1, 1]})
    warning = Expectation("share", "mean", "warning", ("a",), max=0.5)
    result = run_gate("t", frame, [warning, Expectation("rows", "row_count", "blocking", min=1)])
    assert result.success
    assert [check.name for check in result.failed] == ["share"]


def test_a_frame_with_texts_is_refused() -> None:
    with pytest.raises(ValueError, match="numbers only; name"):
        run_gate("t", pd.DataFrame({"name": ["张三"]}), [])


def test_results_hold_counts_and_shares_only() -> None:
    frame = pd.DataFrame({"a": [731731, 731731, 5]})
    result = run_gate("t", frame, [Expectation("unique", "unique", "blocking", ("a",))])
    assert result.checks[0].counts == {"rows": 3, "unexpected": 2}
    assert "731731" not in repr(result)
