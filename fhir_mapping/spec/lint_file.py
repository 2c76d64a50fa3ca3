"""Lint of one spec file on one site: every fault with its line, where the mapper would stop at the first."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from contracts.errors import SpecError
from contracts.fhir import parse_path
from contracts.region import Source, read_toml
from fhir_mapping.spec.check import Fault, faults
from fhir_mapping.spec.examples import read_examples
from fhir_mapping.spec.expressions import parse_expression
from fhir_mapping.spec.finding import Finding, TomlFile
from fhir_mapping.spec.lint_logic import unreachable
from fhir_mapping.spec.model import Emit, emit_bodies
from fhir_mapping.spec.shape import shape_faults
from fhir_mapping.spec.templates import extended
from fhir_mapping.terminology.code_map import CodeMap

_LINE = re.compile(r"line (\d+)")
_STAND_IN = {"id": {"const": "x"}}
"""Elements that are always valid, to look at the other keys of a spec by themselves."""


def toml_finding(path: Path, error: SpecError) -> Finding:
    """A file that cannot be read, at the line that the message names."""
    words = str(error).removeprefix(f"{path}: ")
    named = _LINE.search(words)
    return Finding(str(path), int(named.group(1)) if named else 1, "error", "toml", words)


def read_emits(path: Path, shipped: dict[str, Any] | None = None) -> tuple[list[Emit], list[Finding]]:
    """What of a spec file can be understood, and all that cannot; faulty elements are left out of the emits.

    Args:
        shipped: the file's TOML as it maps one source, for a spec that comes along.
    """
    file = TomlFile(path)
    try:
        text = extended(path, shipped or read_toml(path))
        bodies = emit_bodies(path, text)
    except SpecError as error:
        return [], [toml_finding(path, error)]
    found = list(_unused_names(file, text))
    emits: list[Emit] = []
    for body in bodies:
        emit, wrong = _read_emit(file, body)
        found += wrong
        emits += [emit] if emit else []
    try:
        read_examples(path)
    except SpecError as error:
        place = re.match(rf"{re.escape(str(path))}:(\d+): ", str(error))
        line = int(place.group(1)) if place else 1
        found.append(Finding(str(path), line, "error", "example", str(error)[place.end() if place else 0 :]))
    return emits, list(dict.fromkeys(found))


def _read_emit(file: TomlFile, body: dict[str, Any]) -> tuple[Emit | None, list[Finding]]:
    found: list[Finding] = []
    good: dict[str, Any] = {}
    elements = body.get("elements", {})
    for path, expression in (elements if isinstance(elements, dict) else {}).items():
        try:
            good[path] = parse_expression(expression)
        except ValueError as error:
            found.append(file.find(("elements", path), "error", "key", f"{path}: {error}"))
    try:
        emit = Emit.model_validate({**body, "elements": good or _STAND_IN})
    except ValidationError as error:
        return None, [*found, *file.invalid(error)]
    if not elements:
        found.append(file.find(("elements",), "error", "key", "a spec needs [elements]"))
    return (emit if good else None), found


def lint_emit(emit: Emit, source: Source, maps: Mapping[str, CodeMap]) -> Iterator[Finding]:
    """An emit against FHIR, its source and its maps; then conditions that cannot hold."""
    file = TomlFile(Path(emit.file))
    item = f" (item {emit.item})" if emit.item else ""
    for fault in (*faults(emit, source, maps), *_shape(emit)):
        place = f"{fault.key[1]}: " if len(fault.key) > 1 and fault.rule != "path" else ""
        yield file.find(fault.key, "error", fault.rule, f"{place}{fault.words}{item}")
    yield from unreachable(file, emit, source)


def _shape(emit: Emit) -> Iterator[Fault]:
    checked = []
    for path, expression in emit.elements.items():
        try:
            checked.append((parse_path(emit.resource, path), expression))
        except ValueError:
            continue  # named by faults
    yield from shape_faults(emit.resource, checked)


def _unused_names(file: TomlFile, text: dict[str, Any]) -> Iterator[Finding]:
    """Names of ``[[repeat]]`` entries that no ``$name`` uses."""
    rest = repr({key: value for key, value in text.items() if key not in ("repeat", "example")})
    for number, entry in enumerate(text.get("repeat", [])):
        for name in entry if isinstance(entry, dict) else ():
            if name != "item" and not re.search(rf"\${re.escape(name)}(?![a-z0-9_])", rest):
                key = ("repeat", number, name)
                yield file.find(key, "warning", "unused_name", f"the spec never uses ${name}")
