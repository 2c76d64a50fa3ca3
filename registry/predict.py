"""Probabilities of a model's classes from its inputs: the same rules and the same encoder as in training."""

from __future__ import annotations

import contextlib
import math
import unicodedata
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import numpy as np

from contracts.encoder import linear_scores, probabilities
from contracts.errors import DataError
from contracts.feature_rules import NULL_TEXTS, clean_text, number_input
from contracts.feature_spec import Input
from registry.features import Value
from registry.store import Model

LONGEST_NUMBER = 40
"""Characters of a number in text; anything longer is no measurement."""


def predict(model: Model, inputs: Mapping[str, Any]) -> dict[str, float]:
    """Probability of each class, in the card's order; they sum to 1.

    Args:
        inputs: by the card's input names: numbers (or their text), categories, texts; absent, None, empty and 无
            mean missing. Others are ignored.

    Raises:
        DataError: an input is of the wrong kind, or every input is missing; the message names it, never its value.
    """
    return dict(zip(model.card.classes, predict_many(model, [clean_inputs(model, inputs)])[0].tolist(), strict=True))


def predict_many(model: Model, rows: Sequence[Mapping[str, Value]]) -> np.ndarray:
    """``(n, classes)`` probabilities of rows as ``clean_inputs`` or ``FeatureEvaluator`` give them."""
    encoded = model.card.encoder.encode({one.name: _column(one, rows) for one in model.card.inputs})
    return probabilities(linear_scores(encoded, model.coef, model.intercept))


def missing_inputs(model: Model, inputs: Mapping[str, Any]) -> tuple[str, ...]:
    """Names of the card's inputs that are missing, in its order. Raises DataError as ``predict`` for wrong kinds."""
    return tuple(one.name for one in model.card.inputs if clean_input(one, inputs.get(one.name)) is None)


def clean_inputs(model: Model, inputs: Mapping[str, Any]) -> dict[str, Value]:
    """Inputs as training had them. Raises DataError: see ``predict``."""
    cleaned = {one.name: clean_input(one, inputs.get(one.name)) for one in model.card.inputs}
    refuse_empty(cleaned)
    return cleaned


def refuse_empty(inputs: Mapping[str, Value]) -> None:
    """Raises DataError when there is nothing to predict from."""
    if all(value is None for value in inputs.values()):
        raise DataError(f"no input: all of {', '.join(inputs)} are missing")


def clean_input(one: Input, value: Any) -> Value:
    """One input as training had it: NFKC, white space, null texts, plausible range, known levels.

    Raises:
        DataError: a number that is none, or a structure where a text belongs.
    """
    if value is None:
        return None
    if one.kind == "number":
        return number_input(_number(one.name, value), one)
    if not isinstance(value, str):
        raise DataError(f"{one.name}: expected text, found {type(value).__name__}")
    text = clean_text(value)
    if one.kind == "text":
        return text
    return text if text in one.levels else None


def _number(name: str, value: Any) -> float | None:
    number = math.nan
    if isinstance(value, str):
        text = unicodedata.normalize("NFKC", value).strip()
        if text in NULL_TEXTS:
            return None
        # float() would take 1_0 too
        if len(text) <= LONGEST_NUMBER and "_" not in text:
            with contextlib.suppress(ValueError):
                number = float(text)
    elif isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        with contextlib.suppress(OverflowError):
            number = float(value)
    else:
        raise DataError(f"{name}: expected a number, found {type(value).__name__}")
    if not math.isfinite(number):
        raise DataError(f"{name}: not a number")
    return number


def _column(one: Input, rows: Sequence[Mapping[str, Value]]) -> np.ndarray:
    values = [row.get(one.name) for row in rows]
    if one.kind == "number":
        return np.array([math.nan if value is None else value for value in values], np.float64)
    column = np.empty(len(values), object)
    column[:] = values
    return column
