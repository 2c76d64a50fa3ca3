"""A mapping spec as a frozen model, and its reading from TOML."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError, field_validator, model_validator

from contracts.errors import SpecError
from contracts.feature_spec import Frozen
from contracts.fhir import RESOURCES
from contracts.region import Site, faults_of, read_toml
from fhir_mapping.spec.conditions import Condition, checked_regex
from fhir_mapping.spec.expressions import Expression, KeyPart, parse_expression, parse_key
from fhir_mapping.spec.formats import check_formats
from fhir_mapping.spec.templates import extended, shipped_specs, standing

NAME = re.compile(r"[a-z][a-z0-9_]*")
_PLACEHOLDER = re.compile(r"\$([a-z][a-z0-9_]*)")

SHARED_IDENTITY = frozenset({"Patient", "Encounter", "Practitioner", "Organization", "Location"})
"""Types whose keys mean the same person, visit, department or place in all sources of a site: identity defaults to the
type."""


class Check(Frozen):
    """A rule on the record beyond FHIR's own. ``other``: the column that an ID-card number must agree with."""

    rule: Literal["required", "id_card", "id_card_birth", "id_card_sex", "matches", "one_of", "range", "not_future"]
    name: str | None = Field(default=None, pattern=NAME.pattern)
    column: str | None = None
    columns: tuple[str, ...] = ()
    pattern: str | None = None
    values: tuple[str, ...] = ()
    min: float | None = None
    max: float | None = None
    formats: tuple[str, ...] = ("any",)
    other: str | None = None
    when: Condition | None = None

    @field_validator("pattern")
    @classmethod
    def _dialect(cls, value: str | None) -> str | None:
        return checked_regex(value)

    @field_validator("formats")
    @classmethod
    def _formats(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return check_formats(value)

    @model_validator(mode="after")
    def _arguments(self) -> Check:
        if (self.rule == "required") != bool(self.columns) or (self.rule == "required") == (self.column is not None):
            raise ValueError("rule 'required' takes columns = [...], every other rule takes column = ...")
        wants = {"matches": self.pattern is not None, "one_of": bool(self.values)}
        wants["range"] = self.min is not None or self.max is not None
        if (self.other is not None) != (self.rule in ("id_card_birth", "id_card_sex")):
            raise ValueError("other (the column of birth date or sex) belongs to 'id_card_birth' and 'id_card_sex'")
        for rule, given in wants.items():
            if given != (self.rule == rule):
                raise ValueError("pattern belongs to 'matches', values to 'one_of', min and max to 'range'")
        return self

    @property
    def label(self) -> str:
        """The rule's name in quarantine."""
        return self.name or self.rule


class Emit(Frozen):
    """One kind of resource that a source emits: a spec, or one entry of its ``[[repeat]]``.

    Attributes:
        spec: the spec's name.
        item: name of the repeat's entry, or None.
        file: where it was written, for messages.
        digest: SHA-256 of the spec as written.
        valid_from: first day of delivery whose records it maps (``encounter@2026-06-01.toml``); empty: from the start.
    """

    spec: str = Field(pattern=NAME.pattern)
    item: str | None = Field(default=None, pattern=NAME.pattern)
    file: str
    digest: str
    valid_from: str = ""
    source: str
    resource: str
    key: tuple[KeyPart, ...] = Field(min_length=1)
    identity: str
    order_by: Expression | None = None
    skip_when: Condition | None = None
    skip_rule: str = Field(pattern=NAME.pattern)
    when: Condition | None = None
    check: tuple[Check, ...] = ()
    elements: dict[str, Expression] = Field(min_length=1)

    @field_validator("resource")
    @classmethod
    def _resource(cls, value: str) -> str:
        if value not in RESOURCES:
            raise ValueError(f"{value!r} is no type that specs emit; these are {', '.join(RESOURCES)}")
        return value

    @field_validator("key", mode="before")
    @classmethod
    def _key(cls, value: Any) -> Any:
        return parse_key(value)

    @field_validator("order_by", mode="before")
    @classmethod
    def _order(cls, value: Any) -> Any:
        body = {"column": value} if isinstance(value, str) else value
        if isinstance(body, dict) and not {"column", "date", "datetime"} & set(body):
            raise ValueError("order_by is a column, or a date or datetime expression")
        return None if body is None else parse_expression(body)

    @field_validator("elements", mode="before")
    @classmethod
    def _elements(cls, value: Any) -> Any:
        parsed = {}
        for path, body in value.items():
            try:
                parsed[path] = parse_expression(body)
            except ValueError as error:
                raise ValueError(f"{path!r}: {error}") from error
        return parsed

    @property
    def name(self) -> str:
        """``vitals_temperature``: the spec's name and its item."""
        return self.spec if self.item is None else f"{self.spec}_{self.item}"

    @property
    def column(self) -> str:
        """Name of its column in the mapped table."""
        return f"emit_{self.name}"


def read_spec(path: Path) -> tuple[Emit, ...]:
    """Read one spec file: one Emit, or one an entry of ``[[repeat]]``. Its examples are left aside.

    Raises:
        SpecError: naming the file, the repeat's item and the key.
    """
    return tuple(_emit(path, body) for body in emit_bodies(path, read_toml(path)))


def emit_bodies(path: Path, body: dict[str, Any]) -> list[dict[str, Any]]:
    """A spec file's TOML as the fields of its emits, not checked yet: one, or one an entry of ``[[repeat]]``.

    The digest is of what the spec says: comments, layout and examples do not count, so they map nothing again.

    Raises:
        SpecError: the file's name, a key that is no key of a spec, or the entries of ``[[repeat]]`` are wrong.
    """
    body = {key: value for key, value in extended(path, body).items() if key != "example"}
    digest = hashlib.sha256(json.dumps(body, ensure_ascii=False, default=str).encode()).hexdigest()
    spec, valid_from = spec_name(path)
    repeats = body.pop("repeat", None)
    for fixed in ("spec", "item", "file", "digest", "valid_from"):
        if fixed in body:
            raise SpecError(f"{path}: unknown key {fixed!r}")
    common = {"spec": spec, "file": str(path), "digest": digest, "skip_rule": f"skip_{spec}", "valid_from": valid_from}
    if repeats is None:
        return [_with_identity({**common, **body})]
    items = [entry.get("item") for entry in repeats]
    if len(set(items)) != len(items) or not all(isinstance(item, str) for item in items):
        raise SpecError(f"{path}: repeat: each entry needs its own item; found {items}")
    return [_with_identity({**common, **_substitute(body, entry, path), "item": entry["item"]}) for entry in repeats]


def spec_name(path: Path) -> tuple[str, str]:
    """A spec's name and the day from which it maps, by its file's name: ``encounter@2026-06-01.toml``.

    Raises:
        SpecError: the file's name is neither of both forms.
    """
    name, at, day = path.stem.partition("@")
    try:
        is_day = not at or date.fromisoformat(day).isoformat() == day
    except ValueError:
        is_day = False
    if not NAME.fullmatch(name) or not is_day:
        raise SpecError(
            f"{path}: a spec's file name is lower case letters, digits and _, then .toml; a version that maps what is "
            "delivered from a day on has @YYYY-MM-DD before .toml"
        )
    return name, day


def load_emits(region_folder: Path, site_folder: Path, sources: set[str]) -> tuple[Emit, ...]:
    """All emits of a site: its specs by file name, the region's for sources that it has, and those of its templates.

    Raises:
        SpecError: a file is wrong, or a site's own spec names a source that the site does not have.
    """
    files = {path.name: path for path in sorted((region_folder / "specs").glob("*.toml"))}
    files |= {path.name: path for path in sorted((site_folder / "specs").glob("*.toml"))}
    found: list[Emit] = []
    for name in sorted(files):
        emits = read_spec(files[name])
        if emits[0].source in sources:
            found.extend(emits)
        elif files[name].is_relative_to(site_folder):
            missing = emits[0].source
            raise SpecError(f"{files[name]}: source: the site has no source {missing!r}; it has {sorted(sources)}")
    for shipped in standing(list(shipped_specs(site_folder)), list(files.values())):
        found.extend(_emit(shipped.path, body) for body in emit_bodies(shipped.path, shipped.body()))
    return tuple(found)


def in_force(emits: Sequence[Emit], day: str) -> tuple[Emit, ...]:
    """Of each spec the version that maps what is delivered on a day: the latest that begins on it or before."""
    first: dict[str, str] = {}
    for emit in emits:
        if emit.valid_from <= day:
            first[emit.spec] = max(first.get(emit.spec, ""), emit.valid_from)
    return tuple(emit for emit in emits if first.get(emit.spec) == emit.valid_from)


def emitted_types(site: Site) -> tuple[str, ...]:
    """Resource types that the site's specs emit, in the order of ``RESOURCES``: silver has a table for each.

    Raises:
        SpecError: as ``load_emits``.
    """
    emits = load_emits(site.folder.parents[1], site.folder, {source.name for source in site.sources})
    return tuple(name for name in RESOURCES if any(emit.resource == name for emit in emits))


def _with_identity(body: dict[str, Any]) -> dict[str, Any]:
    resource = body.get("resource", "")
    body.setdefault("identity", resource if resource in SHARED_IDENTITY else body["spec"])
    return body


def _emit(path: Path, body: dict[str, Any]) -> Emit:
    item = body.get("item")
    where = f"{path}" if item is None else f"{path} (item {item})"
    try:
        return Emit.model_validate(body)
    except ValidationError as error:
        raise SpecError(f"{where}: {faults_of(error)}") from error


def _substitute(value: Any, entry: dict[str, Any], path: Path) -> Any:
    """Replace ``$name`` by the entry's value in every string; a string that is only ``$name`` becomes the value."""
    if isinstance(value, dict):
        return {_substitute(key, entry, path): _substitute(part, entry, path) for key, part in value.items()}
    if isinstance(value, list):
        return [_substitute(part, entry, path) for part in value]
    if not isinstance(value, str):
        return value

    def entry_of(name: str) -> Any:
        if name not in entry:
            raise SpecError(f"{path}: repeat: item {entry.get('item')!r} has no {name!r}, which the spec uses")
        return entry[name]

    alone = _PLACEHOLDER.fullmatch(value)
    if alone:
        return entry_of(alone.group(1))
    return _PLACEHOLDER.sub(lambda found: str(entry_of(found.group(1))), value)
