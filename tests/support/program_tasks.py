"""Small tasks and rows for tests of sum programs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from contracts.region import Task
from contracts.sums import Arrays

WORDS = {
    "03.01": ("咳嗽", "发热", "咳痰", "气促"),
    "03.02": ("腹痛", "腹泻", "恶心", "反酸"),
    "13": ("皮疹", "瘙痒", "红斑", "脱屑"),
}
FILLER = ("三天", "一周", "反复", "加重", "伴乏力", "两月")


def objects(values: Sequence[Any]) -> np.ndarray:
    """An object array with one element a value, tuples kept whole."""
    array = np.empty(len(values), object)
    for at, value in enumerate(values):
        array[at] = value
    return array


def make_task(inputs: Sequence[dict[str, Any]], classes: Sequence[str], **training: Any) -> Task:
    settings = {"solver": "newton", "l2": 0.01, "max_rows": 5000, "min_patients": 5, "min_class_rows": 1, **training}
    features = {
        "unit": {"view": "v.json", "key": "visit_id", "patient": "patient_id"},
        "input": [{"column": item["name"], **item} for item in inputs],
        "label": {"kind": "codes", "column": "dept", "classes": list(classes)},
    }
    return Task.model_validate(
        {"name": "t", "title": "t", "kind": "triage", "purpose": "test", "folder": Path("."), "features": features}
        | {"training": settings}
    )


def diagnosis_task(**training: Any) -> Task:
    """Two numbers (one with nulls) and a category against a yes or no."""
    inputs: list[dict[str, Any]] = [
        {"name": "age", "kind": "number", "plausible": (0, 120)},
        {"name": "crp", "kind": "number", "plausible": (0, 500)},
        {"name": "sex", "kind": "category", "levels": ("female", "male")},
    ]
    return make_task(inputs, ("0", "1"), **training)


def diagnosis_rows(count: int, seed: int) -> Arrays:
    draw = np.random.default_rng(seed)
    age, crp = draw.uniform(18, 90, count).round(), draw.gamma(1.5, 20.0, count).round(1)
    male = draw.random(count) < 0.5
    ill = draw.random(count) < 1 / (1 + np.exp(-(0.04 * (age - 55) + 0.03 * (crp - 30) + 0.4 * male)))
    crp[draw.random(count) < 0.2] = np.nan
    return {
        "patient_id": objects([f"s{seed}p{n}" for n in range(count)]),
        "label": objects([(str(int(flag)),) for flag in ill]),
        "age": age,
        "crp": crp,
        "sex": objects(["male" if m else "female" for m in male]),
    }


def triage_task(**training: Any) -> Task:
    """A chief complaint and an age against three departments."""
    inputs: list[dict[str, Any]] = [
        {"name": "complaint", "kind": "text"},
        {"name": "age", "kind": "number", "plausible": (0, 120)},
    ]
    settings = {"solver": "gradient", "l2": 1e-3, "buckets": 512, "ngrams": (1, 2), "max_rounds": 20, "tolerance": 1e-5}
    return make_task(inputs, tuple(WORDS), **(settings | training))


def triage_rows(count: int, seed: int) -> Arrays:
    """Some records carry a second, shallower department (03) that no class of the task is."""
    draw = np.random.default_rng(seed)
    codes = draw.choice(list(WORDS), count, p=(0.5, 0.35, 0.15))
    texts = [
        "".join(draw.choice(WORDS[code], 2)) + str(draw.choice(FILLER)) + str(draw.choice(FILLER)) for code in codes
    ]
    return {
        "patient_id": objects([f"s{seed}p{n // 2}" for n in range(count)]),
        "label": objects([(str(code), "03") if n % 3 else (str(code),) for n, code in enumerate(codes)]),
        "complaint": objects([text if draw.random() > 0.02 else None for text in texts]),
        "age": draw.uniform(1, 90, count).round(),
    }


def merge_rows(parts: Sequence[Arrays]) -> Arrays:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
