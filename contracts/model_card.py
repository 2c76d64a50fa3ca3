"""What a released model says of itself: the JSON beside its weights, signed by the key authority.

Whoever holds the card can score (features, views and encoder are in it), trace (data snapshots, roster, run, approval)
and judge (metrics, caveats). It holds totals and settings only, nothing of a patient or of one site's rows.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any, Literal

from pydantic import Field, JsonValue, ValidationError, model_validator

from contracts.encoder import Encoder
from contracts.errors import SpecError
from contracts.feature_rules import view_files
from contracts.feature_spec import FeatureSpec, Frozen, Input
from contracts.region import Service, Task
from contracts.wire import digest

HEX_DIGEST = r"^[0-9a-f]{64}$"

HASHED_TEXT = (
    "Text features are hash buckets of character n-grams: several n-grams share a bucket, and which ones a bucket "
    "holds cannot be read from the model."
)
"""A caveat that every model with a text input carries (SECURE_SUM rule 14)."""


BILATERAL = (
    "Fewer than three sites were summed: each of two can subtract its own part from a total and so knows the other's."
)
"""A caveat that a model of a bilateral run carries (SECURE_SUM rule 9)."""


class SiteSnapshot(Frozen):
    """What one site trained on: the digest its terms were signed over, and the version of its feature table."""

    site: str
    digest: str = Field(pattern=HEX_DIGEST)
    version: int | None = None


class ModelCard(Frozen):
    """The card of one model.

    Attributes:
        task, kind, title, purpose: of the task it was trained for.
        classes: what it can predict, in the order of its scores; a subset of the task's label classes.
        class_names: names to show for classes; may name more.
        features, views: how its inputs come from FHIR; views are ViewDefinitions by the file name the spec uses.
        encoder: how its inputs become numbers.
        service: how the gateway offers it; None: not offered.
        snapshots: data it was trained on, by site, sorted.
        roster: digest of the roster of sites; ``roster_version`` its number.
        rounds: sums that were opened for it.
        metrics: of the pooled hold-out or folds, by name; see docs/reference/model-card.md.
        approval: digest of the approval that allowed the run; ``run`` its id, ``program`` the sum program's digest.
        state: last state digest of the run: the chain over its opened totals.
        created_at: UTC, ISO 8601.
        weights: SHA-256 of the weights file.
        caveats: what a user must know before relying on it.
    """

    format: Literal[1] = 1
    task: str
    kind: Literal["diagnosis", "triage"]
    title: str
    purpose: str
    classes: tuple[str, ...] = Field(min_length=2)
    class_names: dict[str, str] = Field(default_factory=dict)
    features: FeatureSpec
    views: dict[str, dict[str, Any]]
    encoder: Encoder
    service: Service | None = None
    snapshots: tuple[SiteSnapshot, ...]
    roster: str = Field(pattern=HEX_DIGEST)
    roster_version: int
    rounds: int
    metrics: dict[str, JsonValue]
    approval: str = Field(pattern=HEX_DIGEST)
    run: str
    program: str = Field(pattern=HEX_DIGEST)
    state: str = Field(pattern=HEX_DIGEST)
    created_at: str
    weights: str = Field(pattern=HEX_DIGEST)
    caveats: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _is_whole(self) -> ModelCard:
        names = {one.name for one in self.features.input}
        if not set(self.encoder.inputs) <= names:
            raise ValueError(f"the encoder reads inputs that the features lack: {set(self.encoder.inputs) - names}")
        if set(view_files(self.features)) != set(self.views):
            raise ValueError("views must be those that the features name, no more and no less")
        if not set(self.classes) <= set(self.features.label.classes):
            raise ValueError("classes must be among those of the label")
        return self

    @property
    def inputs(self) -> tuple[Input, ...]:
        """What a record must give: name, kind, levels, unit."""
        return self.features.input

    @property
    def sites(self) -> tuple[str, ...]:
        """Sites whose rows it was trained on."""
        return tuple(snapshot.site for snapshot in self.snapshots)

    def class_name(self, code: str) -> str:
        """The name to show for a class; the code itself when it has none."""
        return self.class_names.get(code, code)

    def to_bytes(self) -> bytes:
        """The card file: the one byte form of this card."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True, ensure_ascii=False, indent=1).encode() + b"\n"

    @property
    def digest(self) -> str:
        """What the authority signs: SHA-256, hex, of the card file, which names the weights by theirs."""
        return card_digest(self.to_bytes())


def card_digest(data: bytes) -> str:
    """Digest of a card file."""
    return digest(b"cloister/model/1\n" + data)


def parse_card(data: bytes) -> ModelCard:
    """A card from its file. Raises SpecError naming what is wrong."""
    try:
        return ModelCard.model_validate_json(data)
    except ValidationError as error:
        first = error.errors()[0]
        raise SpecError(f"model card: {'.'.join(str(part) for part in first['loc'])}: {first['msg']}") from error


def run_caveats(sites: Collection[str]) -> tuple[str, ...]:
    """What must be said of a model because of the sites that it was trained on."""
    return (BILATERAL,) if len(sites) < 3 else ()


def task_part(task: Task, views: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The fields of a card that a task fixes, to be completed with those of the run and the model."""
    has_text = any(one.kind == "text" for one in task.features.input)
    return {
        "task": task.name,
        "kind": task.kind,
        "title": task.title,
        "purpose": task.purpose,
        "class_names": task.class_names,
        "features": task.features,
        "views": views,
        "service": task.service,
        "caveats": (HASHED_TEXT,) if has_text else (),
    }
