"""Examples that stand in a spec: a record, and what it must become. Reading them and comparing; running is elsewhere.

[[example]]
row = { visit_no = "V1", patient_no = "P1", visit_time = "2024-03-01 08:05" }
[example.resource]
status = "finished"
subject = { reference = "Patient", key = ["P1"] }
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError, field_validator, model_validator

from contracts.errors import SpecError
from contracts.feature_spec import Frozen
from contracts.fhir.json_text import DecimalText, loads
from fhir_mapping.spec.lines import key_lines, line_of


class Example(Frozen):
    """One example; nothing but what it names is compared.

    Attributes:
        title: said beside the line when it fails.
        row: the record's columns as texts; what is left out has no value.
        text: instead of ``row``: a file of the source's format, header and all.
        day: the day of delivery, for ``not_future``.
        item: the entry of ``[[repeat]]`` whose resource is compared.
        resource: part of a resource that must be emitted: a table, or a text that is FHIR JSON. Lists are compared
            whole. A reference may be ``{ reference = "Patient", key = ["P1"] }``.
        exact: the resource has these elements and no others (its id aside).
        emits: number of resources that the spec emits.
        quarantine: rules that the record breaks, all of them, in any order; () for none.
        skip: the rule that skips the record.
    """

    title: str = ""
    row: dict[str, str] | None = None
    text: str | None = None
    day: str = Field(default="2030-01-01", pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$")
    item: str | None = None
    resource: dict[str, Any] | None = None
    exact: bool = False
    emits: int | None = Field(default=None, ge=0)
    quarantine: tuple[str, ...] | Literal[""] = ""
    skip: str | None = None
    file: str
    line: int

    @field_validator("resource", mode="before")
    @classmethod
    def _json(cls, value: Any) -> Any:
        return loads(value) if isinstance(value, str) else value

    @field_validator("quarantine", mode="before")
    @classmethod
    def _rules(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) and value else value

    @model_validator(mode="after")
    def _whole(self) -> Example:
        if (self.row is None) == (self.text is None):
            raise ValueError("give row = { column = text }, or text: one of them")
        if self.resource is None and self.emits is None and not self.quarantine and self.skip is None:
            raise ValueError("says nothing of the outcome: give resource, emits, quarantine or skip")
        return self

    @property
    def place(self) -> str:
        return f"{self.file}:{self.line}"


def read_examples(path: Path) -> tuple[Example, ...]:
    """The examples of a spec file, in order. Raises SpecError naming file and line."""
    text = path.read_text(encoding="utf-8")
    # numbers keep their text: an example may insist on 5.60
    body = tomllib.loads(text, parse_float=DecimalText)
    lines = key_lines(text)
    found = []
    for number, entry in enumerate(body.get("example", [])):
        line = line_of(lines, ("example", number))
        try:
            found.append(Example.model_validate({**entry, "file": str(path), "line": line}))
        except (ValidationError, ValueError) as error:
            first = error.errors()[0] if isinstance(error, ValidationError) else {"loc": (), "msg": str(error)}
            where = ".".join(["example", *map(str, first["loc"])])
            raise SpecError(f"{path}:{line}: {where}: {first['msg']}") from error
    return tuple(found)


def differences(expected: Any, found: Any, path: str = "", *, exact: bool = False) -> Iterator[str]:
    """What of ``expected`` is not so in ``found``, a line a place; numbers are compared by their text."""
    if isinstance(expected, Mapping) and isinstance(found, Mapping):
        for name, value in expected.items():
            place = f"{path}.{name}" if path else name
            if name not in found:
                yield f"{place}: expected {_shown(value)}, found nothing"
            else:
                yield from differences(value, found[name], place, exact=exact)
        for name in found if exact else ():
            if name not in expected:
                yield f"{path}.{name}: expected nothing, found {_shown(found[name])}".lstrip(".")
    elif isinstance(expected, list) and isinstance(found, list):
        if len(expected) != len(found):
            yield f"{path}: expected {len(expected)} entries, found {len(found)}: {_shown(found)}"
        for number, (one, other) in enumerate(zip(expected, found, strict=False)):
            yield from differences(one, other, f"{path}[{number}]", exact=exact)
    elif not _equal(expected, found):
        yield f"{path}: expected {_shown(expected)}, found {_shown(found)}"


def _equal(expected: Any, found: Any) -> bool:
    if _is_number(expected) and _is_number(found):
        return str(expected) == str(found)
    return type(expected) is type(found) and bool(expected == found)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | DecimalText) and not isinstance(value, bool)


def _shown(value: Any) -> str:
    if isinstance(value, DecimalText) or not isinstance(value, str):
        return str(value)
    return f'"{value}"'
