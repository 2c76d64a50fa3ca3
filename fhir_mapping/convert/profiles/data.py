"""``china.toml`` and the code map of ethnic groups, read once."""

from __future__ import annotations

import csv
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from fhir_mapping.convert.options import Version

_HERE = Path(__file__).parent
_ETHNIC_GROUPS = _HERE.parent.parent / "terminology" / "maps" / "ethnic_group.csv"


@dataclass(frozen=True)
class Profile:
    """One profile of one FHIR version.

    Attributes:
        gender, ethnic_group: URLs of its extensions.
        mandatory: FHIRPath by name of the rule.
    """

    resource: str
    canonical: str
    gender: str
    ethnic_group: str
    mandatory: Mapping[str, str]


@cache
def china() -> dict[str, Any]:
    """The tables of ``china.toml``."""
    return tomllib.loads((_HERE / "china.toml").read_text(encoding="utf-8"))


@cache
def profile(resource: str, version: Version) -> Profile | None:
    """The profile of a resource type in a FHIR version."""
    for row in china()["profile"]:
        if row["resource"] == resource and row["fhir"] == version:
            urls = {**china()["systems"], "gender": row["gender"], "ethnic_group": row["ethnic_group"]}
            rules = {**china()["mandatory"].get(resource, {}), **china()["mandatory"]["person"]}
            rules = {name: _filled(text, urls) for name, text in rules.items()}
            return Profile(resource, row["canonical"], row["gender"], row["ethnic_group"], rules)
    return None


@cache
def ethnic_groups() -> dict[str, tuple[str, str]]:
    """Letters and name of each ethnic group, by every text that the code map knows it by."""
    lines = [line for line in _ETHNIC_GROUPS.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    return {row["source"]: (row["target_code"], row["target_display"]) for row in csv.DictReader(lines)}


def _filled(text: str, urls: Mapping[str, str]) -> str:
    """The rule with URLs for names in braces; other braces are its own."""
    for name, url in urls.items():
        text = text.replace("{" + name + "}", url)
    return text
