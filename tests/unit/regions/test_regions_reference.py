"""docs/reference/region.md names every key that a region folder may have, and no other."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from contracts import feature_spec, region
from contracts.feature_spec import Frozen

PAGE = Path(__file__).resolve().parents[3] / "docs" / "reference" / "region.md"
MADE_BY_LOADING = {"folder", "sites", "sources", "tasks"}

MODELS = [
    region.Region, region.Site, region.Source, region.Column, region.Delivery, region.Task, region.Training,
    region.Service, feature_spec.FeatureSpec, feature_spec.UnitView, feature_spec.JoinView, feature_spec.PivotView,
    feature_spec.Input, feature_spec.Label,
]  # fmt: skip


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_the_page_names_every_key(model: type[Frozen]) -> None:
    words = set(re.findall(r"[a-z0-9_]+", PAGE.read_text(encoding="utf-8")))
    assert {name for name in model.model_fields if name not in MADE_BY_LOADING} <= words
