"""Programs in one process, without encryption: for tests and for baselines on public or synthetic data.

A baseline is the same program on other rows: all rows in one place (pooled), or one hospital's (local). Folds and
sides are those of the hospitals, so every figure is about the same test rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from contracts.errors import CloisterError
from contracts.region import Task
from contracts.sums import Arrays, Layout, State
from federated.programs.model import TrainedModel, model_from
from federated.programs.program import TaskProgram
from federated.programs.rows import Sample, read_sample
from secure_compute import fixed_point, modular


@dataclass(frozen=True)
class Baselines:
    """The task's program on other rows, with the metrics of ``TrainedModel``.

    Attributes:
        pooled: trained on all rows in one place, exact floats.
        local: trained on one hospital's rows, tested on the test rows of all; a hospital whose rows cannot train a
            model (one class only) is absent.
        max_coefficient_gap: largest absolute difference of a coefficient or intercept between the federated and the
            pooled full fit, in standardised space; infinite when the features differ.
    """

    pooled: dict[str, float]
    local: dict[str, dict[str, float]]
    max_coefficient_gap: float


def run_plain(
    program: TaskProgram,
    rows_by_site: Sequence[Arrays | Sample],
    *,
    exact: bool = False,
    tested_on: Sequence[Arrays | Sample] | None = None,
) -> State:
    """Take all sums of a program over sites; the final state.

    Args:
        exact: add floats; otherwise the fixed-point code, limbs and release rule of the secure sum.
        tested_on: rows of the last sum (metrics), when they are not those of training.
    """
    state = program.initial()
    while not program.is_done(state):
        layout = program.layout(state)
        sites = tested_on if tested_on is not None and state["stage"] == "measure" else rows_by_site
        terms = [program.term(rows, state) for rows in sites]
        state = program.advance(state, _exact_total(layout, terms) if exact else _coded_total(layout, terms))
    return state


def _exact_total(layout: Layout, terms: Sequence[Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    total = {block.name: np.sum([term[block.name] for term in terms], axis=0) for block in layout}
    for block in layout:
        if block.at_least is not None:
            total[block.name] = (total[block.name] >= block.at_least).astype(np.float64)
    return total


def _coded_total(layout: Layout, terms: Sequence[Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    plan = fixed_point.make_plan(layout, len(terms))
    total = None
    for term in terms:
        slots, _ = fixed_point.encode(plan, term)
        total = slots if total is None else modular.add(total, slots)
    assert total is not None
    opened = fixed_point.normalise(plan, modular.centred(total).ravel())
    return fixed_point.decode(plan, fixed_point.release(plan, opened))


def baselines(task: Task, rows_by_site: Mapping[str, Arrays], model: TrainedModel) -> Baselines:
    """Pooled and single-site models beside the federated one. Needs all rows in one process: public data only."""
    samples = {site: read_sample(rows, task) for site, rows in rows_by_site.items()}
    everyone = list(samples.values())
    pooled = _train(task, pool(everyone), everyone)
    local = {}
    for site, sample in samples.items():
        try:
            local[site] = _train(task, sample, everyone).metrics
        except CloisterError:
            continue
    return Baselines(pooled.metrics, local, coefficient_gap(model, pooled))


def _train(task: Task, sample: Sample, tested_on: Sequence[Sample]) -> TrainedModel:
    return model_from(run_plain(TaskProgram(task), [sample], exact=True, tested_on=tested_on), task)


def pool(samples: Sequence[Sample]) -> Sample:
    """The rows of several sites as one site's; folds and sides stay, patients of different sites stay different."""
    offsets = np.cumsum([0] + [int(sample.patient.max(initial=-1)) + 1 for sample in samples])
    return Sample(
        columns={name: np.concatenate([sample.columns[name] for sample in samples]) for name in samples[0].columns},
        carries=np.concatenate([sample.carries for sample in samples]),
        patient=np.concatenate([sample.patient + start for sample, start in zip(samples, offsets, strict=False)]),
        test=np.concatenate([sample.test for sample in samples], axis=1),
    )


def coefficient_gap(one: TrainedModel, other: TrainedModel) -> float:
    """Largest absolute difference of coefficients and intercepts; infinite when features or classes differ."""
    left = np.column_stack([one.arrays["intercept"], one.arrays["coef"]])
    right = np.column_stack([other.arrays["intercept"], other.arrays["coef"]])
    if left.shape != right.shape or one.classes != other.classes:
        return float("inf")
    return float(np.abs(left - right).max())
