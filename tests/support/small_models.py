"""A small signed triage model: chief complaint, age and sex to three departments."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from contracts.encoder import DenseFeature, Encoder, TextCode
from contracts.feature_spec import FeatureSpec
from contracts.messages import MODEL_SIGNATURE, ModelSignature
from contracts.model_card import HASHED_TEXT, ModelCard, SiteSnapshot
from contracts.text import bucket, ngrams, normalise_text
from governance.signing import Identity, make_identity, sign_record
from registry.store import Model, add_signature, load_model, model_weights, write_model

CLASSES = ("03.01", "07", "13")
BUCKETS = 512

VIEWS: dict[str, dict[str, Any]] = {
    "visits.json": {
        "name": "visits",
        "resource": "Encounter",
        "select": [
            {
                "column": [
                    {"name": "visit_id", "path": "getResourceKey()", "type": "string"},
                    {"name": "patient_id", "path": "subject.getReferenceKey(Patient)", "type": "string"},
                    {"name": "started", "path": "period.start", "type": "dateTime"},
                    {"name": "complaint", "path": "reasonCode.text.first()", "type": "string"},
                    {"name": "department", "path": "serviceType.coding.code.join('|')", "type": "string"},
                ]
            }
        ],
    },
    "patients.json": {
        "name": "patients",
        "resource": "Patient",
        "select": [
            {
                "column": [
                    {"name": "person_id", "path": "getResourceKey()", "type": "string"},
                    {"name": "gender", "path": "gender", "type": "code"},
                    {"name": "born", "path": "birthDate", "type": "date"},
                ]
            }
        ],
    },
}

FEATURES = FeatureSpec.model_validate(
    {
        "unit": {"view": "visits.json", "key": "visit_id", "patient": "patient_id"},
        "join": [{"view": "patients.json", "left": "patient_id", "right": "person_id"}],
        "input": [
            {"name": "chief_complaint", "kind": "text", "column": "complaint"},
            {"name": "age", "kind": "number", "years_between": ["born", "started"], "plausible": [0, 120], "unit": "a"},
            {"name": "sex", "kind": "category", "column": "gender", "levels": ["male", "female"]},
        ],
        "label": {"kind": "codes", "column": "department", "classes": [*CLASSES, "99"]},
    }
)

WORDS = {"03.01": "咳嗽", "07": "小儿发热", "13": "皮疹"}
"""A complaint that the model sends to each class."""


def small_arrays() -> dict[str, np.ndarray]:
    coef = np.zeros((3, 4 + BUCKETS))
    coef[1, 0] = -3.0  # the young to paediatrics
    for row, code in enumerate(CLASSES):
        for gram in ngrams(normalise_text(WORDS[code]), (1, 2)):
            coef[row, 4 + bucket(gram, BUCKETS, "chief_complaint")] = 4.0
    return {"coef": coef, "intercept": np.array([0.1, 0.0, 0.0])}


def small_card(arrays: dict[str, np.ndarray] | None = None, **changed: Any) -> ModelCard:
    dense = (
        DenseFeature(input="age", kind="number", mean=40.0, scale=0.05),
        DenseFeature(input="age", kind="missing", mean=0.1, scale=3.0),
        DenseFeature(input="sex", kind="level", level="male", mean=0.5, scale=2.0),
        DenseFeature(input="sex", kind="level", level="female", mean=0.5, scale=2.0),
    )
    text = TextCode(inputs=("chief_complaint",), sizes=(1, 2), buckets=BUCKETS, selected=tuple(range(BUCKETS)))
    body: dict[str, Any] = {
        "task": "triage",
        "kind": "triage",
        "title": "分诊",
        "purpose": "suggest a department",
        "classes": CLASSES,
        "class_names": {"03.01": "呼吸内科"},
        "features": FEATURES,
        "views": VIEWS,
        "encoder": Encoder(dense=dense, text=text, max_abs=10.0),
        "snapshots": (SiteSnapshot(site="east", digest="e" * 64), SiteSnapshot(site="north", digest="f" * 64)),
        "roster": "1" * 64,
        "roster_version": 1,
        "rounds": 12,
        "metrics": {"accuracy": 0.75},
        "approval": "2" * 64,
        "run": "3" * 32,
        "program": "4" * 64,
        "state": "5" * 64,
        "created_at": "2026-11-20T08:00:00+00:00",
        "weights": model_weights(arrays or small_arrays())[1],
        "caveats": (HASHED_TEXT,),
    }
    return ModelCard.model_validate({**body, **changed})


def signature_of(card: ModelCard, authority: Identity, **changed: Any) -> bytes:
    said = {name: getattr(card, name) for name in ("run", "task", "program", "approval", "roster", "rounds", "state")}
    return sign_record(authority, MODEL_SIGNATURE, ModelSignature(**{**said, "card": card.digest, **changed}))


def authority_at(folder: Path) -> Identity:
    return make_identity(folder / "authority.key")


def released_model(folder: Path) -> tuple[Model, Path, Identity]:
    """A model written, signed and loaded below ``folder``."""
    authority, card, home = authority_at(folder), small_card(), folder / "triage" / "m1"
    write_model(home, card, small_arrays())
    add_signature(home, signature_of(card, authority), authority.public)
    return load_model(home, authority.public), home, authority
