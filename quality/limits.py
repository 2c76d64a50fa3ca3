"""The gates' limits, read from ``limits.toml`` beside this module."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import Literal

from contracts.feature_spec import Frozen

Severity = Literal["blocking", "warning"]


class Limit(Frozen):
    """What a check allows and what its failure means."""

    severity: Severity
    min: float | None = None
    max: float | None = None


@cache
def limit(layer: str, check: str) -> Limit:
    """The limit ``[layer.check]``."""
    body = tomllib.loads(files("quality").joinpath("limits.toml").read_text(encoding="utf-8"))
    return Limit.model_validate(body[layer][check])
