"""Running a suite of expectations over a frame of numbers; the only door to Great Expectations.

pandas frames, not the engine's: on 1 M rows six expectations take 1.4 s on pandas (measured under load; 3-4 s on a
Spark frame), no engine has to be started, and the frame can be stripped to numbers before anything sees it.
Great Expectations takes 4 s to import, so it is imported by the first gate that runs, its telemetry off.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from quality.limits import Severity

if TYPE_CHECKING:
    import pandas as pd

Kind = Literal["row_count", "unique", "not_null", "mean", "some"]


@dataclass(frozen=True)
class Expectation:
    """One expectation on columns of numbers.

    Attributes:
        name: what the check is called in results.
        kind: ``row_count`` (min); ``unique`` (all ``columns`` together); ``not_null``; ``mean`` of a 0/1 column within
            min and max, that is a share; ``some``: a 0/1 column holds a 1.
    """

    name: str
    kind: Kind
    severity: Severity
    columns: tuple[str, ...] = ()
    min: float | None = None
    max: float | None = None


@dataclass(frozen=True)
class Check:
    """Outcome of one expectation. ``counts``: ``rows``, ``unexpected``, ``observed`` (a count or a share)."""

    name: str
    success: bool
    severity: Severity
    counts: dict[str, float]


@dataclass(frozen=True)
class GateResult:
    """Outcome of a suite on one table. ``success``: no blocking check failed."""

    table: str
    success: bool
    checks: tuple[Check, ...]

    @property
    def failed(self) -> tuple[Check, ...]:
        """Checks that failed, warnings among them."""
        return tuple(check for check in self.checks if not check.success)


def run_gate(table: str, frame: pd.DataFrame, suite: Sequence[Expectation]) -> GateResult:
    """Validate a frame.

    Raises:
        ValueError: the frame has a column that is not numbers, so that a record's value could reach a result.
    """
    texts = [str(name) for name, kind in frame.dtypes.items() if kind.kind not in "biuf"]
    if texts:
        raise ValueError(f"a gate's frame holds numbers only; {', '.join(texts)} of '{table}' are not")
    results = _validate(table, frame, suite)
    checks = tuple(
        Check(expected.name, bool(result.success), expected.severity, _counts(result.result))
        for expected, result in zip(suite, results, strict=True)
    )
    success = all(check.success or check.severity == "warning" for check in checks)
    return GateResult(table, success, checks)


def _validate(table: str, frame: pd.DataFrame, suite: Sequence[Expectation]) -> list[Any]:
    os.environ["GX_ANALYTICS_ENABLED"] = "false"  # read when the package is imported
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import great_expectations as gx

        context = gx.get_context(mode="ephemeral")
        context.variables.progress_bars = {"globally": False, "metric_calculations": False}
        asset = context.data_sources.add_pandas("gate").add_dataframe_asset(table)
        batch = asset.add_batch_definition_whole_dataframe("whole").get_batch({"dataframe": frame})
        translated = [_translate(gx, expected) for expected in suite]
        outcome = batch.validate(
            gx.ExpectationSuite(table, expectations=translated),
            result_format={"result_format": "BASIC", "partial_unexpected_count": 0},
        )
        by_name = {result.expectation_config.meta["name"]: result for result in outcome.results}
        return [by_name[expected.name] for expected in suite]


def _translate(gx: Any, expected: Expectation) -> Any:
    kinds = gx.expectations
    column = expected.columns[0] if expected.columns else None
    meta = {"name": expected.name}
    match expected.kind:
        case "row_count":
            return kinds.ExpectTableRowCountToBeBetween(min_value=int(expected.min or 0), meta=meta)
        case "unique" if len(expected.columns) > 1:
            return kinds.ExpectCompoundColumnsToBeUnique(column_list=list(expected.columns), meta=meta)
        case "unique":
            return kinds.ExpectColumnValuesToBeUnique(column=column, meta=meta)
        case "not_null":
            return kinds.ExpectColumnValuesToNotBeNull(column=column, meta=meta)
        case "mean":
            return kinds.ExpectColumnMeanToBeBetween(
                column=column, min_value=expected.min, max_value=expected.max, meta=meta
            )
        case "some":
            return kinds.ExpectColumnMaxToBeBetween(column=column, min_value=1, meta=meta)


def _counts(result: dict[str, Any]) -> dict[str, float]:
    """The numbers of a result and nothing else."""
    names = {"rows": "element_count", "unexpected": "unexpected_count", "observed": "observed_value"}
    found = {ours: result.get(theirs) for ours, theirs in names.items()}
    return {name: round(float(value), 6) for name, value in found.items() if value is not None}
