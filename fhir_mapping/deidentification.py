"""The rules of de-identification (``deidentification.toml``): an allow-list, so that what is new is dropped."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from contracts.feature_spec import Frozen
from contracts.region import read_toml

FILE = Path(__file__).with_suffix(".toml")


class AllowedExtension(Frozen):
    """An extension that is kept.

    Attributes:
        at: elements that may carry it: ``Patient``, ``Patient._gender``.
        type: of its value: ``Coding`` stands for ``valueCoding``.
    """

    url: str
    at: tuple[str, ...]
    type: str


class FreeText(Frozen):
    """Paths without indices whose free text is kept by default."""

    paths: tuple[str, ...]


class Rules(Frozen):
    """The file as a whole."""

    extension: tuple[AllowedExtension, ...]
    free_text: FreeText


@cache
def load_rules() -> Rules:
    """The rules that come along."""
    return Rules.model_validate(read_toml(FILE))


def extension_type(url: str, owner: str) -> str | None:
    """Type of the value of an allow-listed extension of this element; None: it is not on the list."""
    return next((e.type for e in load_rules().extension if e.url == url and owner in e.at), None)
