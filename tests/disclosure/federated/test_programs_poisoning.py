"""What one malicious site of four can do to a model: nobody sees its term, so nobody sees that it lies.

These are the figures of docs/explanation/secure-sum.md, *Poisoning*; with ``pytest -s`` they are printed.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from program_tasks import diagnosis_rows, diagnosis_task, objects

from contracts.sums import Arrays
from federated.programs.plain import _coded_total
from federated.programs.program import TaskProgram

ROWS = 500
PAGE = Path(__file__).parents[3] / "docs" / "explanation" / "secure-sum.md"


def trained(liar: Arrays, factor: float = 1.0) -> Mapping[str, Any]:
    """The final state, measured on true rows. ``factor``: by which the first site multiplies its gradient."""
    program, honest = TaskProgram(diagnosis_task()), [diagnosis_rows(ROWS, seed) for seed in range(4)]
    state = program.initial()
    while not program.is_done(state):
        rows = honest if state["stage"] == "measure" else [liar, *honest[1:]]
        terms = [program.term(of_site, state) for of_site in rows]
        if state["stage"] == "solve":
            terms[0] = terms[0] | {"gradient": factor * terms[0]["gradient"]}
        state = program.advance(state, _coded_total(program.layout(state), terms))
    return state


def with_labels_swapped(rows: Arrays) -> Arrays:
    return {**rows, "label": objects([("0" if label == ("1",) else "1",) for label in rows["label"]])}


def test_one_site_of_four_can_weaken_or_ruin_a_model_within_its_bounds() -> None:
    rows = diagnosis_rows(ROWS, 0)
    states = {
        "nothing: it is honest": trained(rows),
        "it swaps the labels of its rows": trained(with_labels_swapped(rows)),
        "it sends its gradient times -3": trained(rows, -3.0),
    }
    lines = []
    for lie, state in states.items():
        assert state["clipped_values"] == 0  # no bound was passed: nothing was noticed
        age = state["parameters"][0][0, 1]
        lines.append(f"| {lie} | {state['metrics']['auc']:.2f} | {abs(age) if abs(age) < 0.005 else age:.2f} |")
        print(lines[-1])
    text = PAGE.read_text(encoding="utf-8")
    assert [line for line in lines if line not in text] == []
