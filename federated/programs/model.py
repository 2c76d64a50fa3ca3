"""A finished state as a model: encoder, coefficients, classes, metrics."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from contracts.encoder import Encoder
from contracts.errors import UsageError
from contracts.region import Task
from contracts.sums import State
from federated.programs import standard


@dataclass(frozen=True)
class TrainedModel:
    """What the registry stores.

    Attributes:
        encoder: raw inputs to features, of the full fit (all rows of all sites).
        arrays: ``coef`` ``(m, features)`` in the encoder's standardised space and ``intercept`` ``(m,)``; m = 1 for
            two classes. ``contracts.encoder.linear_scores`` and ``probabilities`` take them.
        classes: the codes that can be predicted, in the order of the scores (two: the second is the scored one).
        metrics: figures of the fits that did not see their test rows, see ``federated.programs.measure``; also
            ``unfinished_fits`` (stopped by the cap on rounds) ``features_left_out`` (by the cap on
            features) and ``clipped_values`` (that sites clipped before summing; equal to pooled is claimed only at 0).
        rounds: sums taken.
    """

    encoder: Encoder
    arrays: dict[str, np.ndarray]
    classes: tuple[str, ...]
    metrics: dict[str, float]
    rounds: int


def model_from(state: State, task: Task) -> TrainedModel:
    """The model of a finished state. Raises UsageError when sums are still due."""
    if state["stage"] != "done":
        raise UsageError(f"task '{task.name}': stage '{state['stage']}' after {state['rounds']} sums, not done; go on")
    full = state["parameters"][0]
    encoder = standard.encoder(task, state, 0)
    capped = {
        "unfinished_fits": float(state["unfinished"]),
        "features_left_out": float(state["left_out"]),
        "clipped_values": state["clipped_values"],
    }
    return TrainedModel(
        encoder=encoder,
        arrays={"coef": full[:, 1:].copy(), "intercept": full[:, 0].copy()},
        classes=tuple(task.features.label.classes[place] for place in state["known"]),
        metrics={**state["metrics"], **capped},
        rounds=state["rounds"],
    )
