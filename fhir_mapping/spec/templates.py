"""Specs that come along with a source template, and a site's own lines over them.

A source that names a template (``template = "hl7v2/oru_r01"``) is mapped by the specs beside its source file.
A spec of the site or region that ``extends`` one of them stands in its place: its keys replace the shipped ones, its
``[elements]`` replace single elements (``false`` takes one out). In a shipped spec ``$source`` is the source's name.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contracts.errors import SpecError
from contracts.region import TEMPLATES, read_toml

_SOURCE = "source.toml"


@dataclass(frozen=True)
class ShippedSpec:
    """One shipped spec as it maps one source of a site."""

    path: Path
    source: str

    @property
    def name(self) -> str:
        """What ``extends`` calls it: ``hl7v2/oru_r01/observation``."""
        return self.path.relative_to(TEMPLATES).with_suffix("").as_posix()

    def body(self) -> dict[str, Any]:
        """The spec as TOML gives it, for this source."""
        return {"source": self.source, **_named(read_toml(self.path), self.source)}


def shipped_specs(site_folder: Path, *, left_out: bool = False) -> Iterator[ShippedSpec]:
    """The specs that the templates of a site's sources bring along, by source file and name.

    Args:
        left_out: instead those that ``template_specs`` does not name.

    Raises:
        SpecError: a source names a spec that its template does not have.
    """
    for file in sorted((site_folder / "sources").glob("*.toml")):
        body = read_toml(file)
        if "template" not in body:
            continue
        paths = _specs_of(TEMPLATES / str(body["template"]))
        wanted = body.get("template_specs", list(paths))
        unknown = sorted(set(wanted) - set(paths))
        if unknown:
            raise SpecError(f"{file}: template_specs: {', '.join(unknown)}: the template has {', '.join(paths)}")
        for name in [name for name in paths if name not in wanted] if left_out else wanted:
            yield ShippedSpec(paths[name], f"{body.get('system')}__{body.get('entity')}")


def _specs_of(folder: Path) -> dict[str, Path]:
    """The specs of a template by name: its own, and those of the template that it is made of."""
    source = read_toml(folder / _SOURCE)
    base = _specs_of(TEMPLATES / str(source["template"])) if "template" in source else {}
    return base | {path.stem: path for path in sorted(folder.glob("*.toml")) if path.name != _SOURCE}


def standing(shipped: Sequence[ShippedSpec], own: Sequence[Path]) -> list[ShippedSpec]:
    """The shipped specs that no spec of the site or region extends for the same source."""
    replaced = {(body["extends"], body.get("source")) for path in own if "extends" in (body := read_toml(path))}
    return [spec for spec in shipped if (spec.name, spec.source) not in replaced]


def extended(path: Path, body: dict[str, Any]) -> dict[str, Any]:
    """A spec over the shipped one that it ``extends``; any other spec as it is.

    Raises:
        SpecError: there is no such spec, or the spec does not say for which source.
    """
    if "extends" not in body:
        return body
    shipped = TEMPLATES / f"{body['extends']}.toml"
    if not shipped.is_file() or not shipped.resolve().is_relative_to(TEMPLATES) or shipped.name == _SOURCE:
        specs = (found for found in sorted(TEMPLATES.glob("*/*/*.toml")) if found.name != _SOURCE)
        known = ", ".join(found.relative_to(TEMPLATES).with_suffix("").as_posix() for found in specs)
        raise SpecError(f"{path}: extends: no spec {body['extends']!r} comes along; there are {known}")
    if not isinstance(body.get("source"), str):
        raise SpecError(f"{path}: source: say for which source this spec extends {body['extends']!r}")
    base = _named(read_toml(shipped), body["source"])
    own = {key: value for key, value in body.items() if key not in ("extends", "elements")}
    elements = {**base.get("elements", {}), **body.get("elements", {})}
    kept = {key: value for key, value in elements.items() if value is not False}
    return {**base, **own, "elements": kept}


def _named(value: Any, source: str) -> Any:
    """``$source`` replaced in every text."""
    if isinstance(value, dict):
        return {key: _named(part, source) for key, part in value.items()}
    if isinstance(value, list):
        return [_named(part, source) for part in value]
    return value.replace("$source", source) if isinstance(value, str) else value
