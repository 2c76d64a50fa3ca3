"""What a site computes: rows, features and slots against seconds a term and an advance. No data set, no network."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np

from contracts.region import Task
from contracts.sums import Arrays
from federated.programs import program_for

RESULTS = Path(__file__).parent / "results" / "programs.tsv"


def number_task(inputs: int) -> Task:
    return _task(
        [{"name": f"x{n}", "kind": "number", "column": f"x{n}", "plausible": [-10, 10]} for n in range(inputs)],
        ["0", "1"],
        {"solver": "newton", "l2": 0.01, "folds": 5, "max_rows": 200_000},
    )


def text_task(classes: int) -> Task:
    return _task(
        [{"name": "complaint", "kind": "text", "column": "complaint"}],
        [str(n) for n in range(classes)],
        {"solver": "gradient", "l2": 1e-4, "buckets": 65536, "ngrams": [1, 2], "max_rounds": 8},
    )


def number_rows(rows: int, inputs: int) -> Arrays:
    draw = np.random.default_rng(0)
    values = draw.normal(size=(rows, inputs))
    label = (values[:, 0] + draw.normal(size=rows) > 0).astype(int).astype(str)
    columns = {f"x{n}": values[:, n] for n in range(inputs)}
    return {**columns, **_ids_and_labels(rows, label)}


def text_rows(rows: int, classes: int) -> Arrays:
    """Texts of 50 characters from 1,500; each class prefers its own hundred."""
    draw = np.random.default_rng(0)
    label = draw.integers(0, classes, rows)
    own = draw.random((rows, 50)) < 0.3
    letters = np.where(
        own, label[:, None] * 30 % 1400 + draw.integers(0, 100, (rows, 50)), draw.integers(0, 1500, (rows, 50))
    )
    texts = np.empty(rows, object)
    texts[:] = ["".join(chr(0x4E00 + code) for code in row) for row in letters.tolist()]
    return {"complaint": texts, **_ids_and_labels(rows, label.astype(str))}


def measure(name: str, task: Task, rows: Arrays) -> list[str]:
    """One line a stage: the first sum of it, and the slots it needs before limbs."""
    program, lines, seen = program_for(task), [], ""
    state = program.initial()
    while not program.is_done(state):
        layout, stage, began = program.layout(state), str(state["stage"]), time.perf_counter()
        term = program.term(rows, state)
        termed = time.perf_counter()
        total = {
            block.name: term[block.name] if block.at_least is None else term[block.name] >= block.at_least
            for block in layout
        }
        state = program.advance(state, total)
        if stage != seen:
            slots = sum(block.size for block in layout)
            advance = time.perf_counter() - termed
            lines.append(f"{name}\t{stage}\t{slots}\t{termed - began:.3f}\t{advance:.3f}")
            seen = stage
    return lines


def main() -> None:
    lines = ["case\tstage\tvalues\tterm_seconds\tadvance_seconds"]
    lines += measure("80,000 rows, 20 numbers, 6 fits", number_task(20), number_rows(80_000, 20))
    lines += measure("5,000 texts, 20 classes, 2 fits", text_task(20), text_rows(5_000, 20))
    RESULTS.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))


def _task(inputs: list[dict[str, Any]], classes: list[str], training: dict[str, Any]) -> Task:
    features = {
        "unit": {"view": "v.json", "key": "unit", "patient": "patient"},
        "input": inputs,
        "label": {"kind": "codes", "column": "label", "classes": classes},
    }
    fixed = {"name": "bench", "title": "bench", "kind": "diagnosis", "purpose": "bench", "folder": "."}
    return Task.model_validate({**fixed, "features": features, "training": training})


def _ids_and_labels(rows: int, label: np.ndarray) -> Arrays:
    ids, labels = np.empty(rows, object), np.empty(rows, object)
    for row, code in enumerate(label.tolist()):
        ids[row], labels[row] = f"p{row}", (code,)
    return {"patient_id": ids, "label": labels}
