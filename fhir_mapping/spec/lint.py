"""``cloister map lint``: all that is wrong or left over in the specs, sources and maps of a region or a site."""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from contracts.errors import SpecError, UsageError
from contracts.feature_rules import forbidden_text, text_words
from contracts.region import Site, Source, load_region, read_toml, with_template
from fhir_mapping.file_names import name_text
from fhir_mapping.landing import claim
from fhir_mapping.spec.check import maps_of
from fhir_mapping.spec.finding import Finding, TomlFile
from fhir_mapping.spec.lint_data import Seen, unmapped_texts, untouched
from fhir_mapping.spec.lint_file import lint_emit, read_emits, toml_finding
from fhir_mapping.spec.lint_usage import (
    Usage,
    unmapped_columns,
    unseen_rows,
    unused_maps,
    unused_rows,
    usages,
    wrong_places,
)
from fhir_mapping.spec.model import Emit
from fhir_mapping.spec.templates import shipped_specs, standing
from fhir_mapping.terminology.code_map import CodeMap, load_map


@dataclass
class _SiteLint:
    """One site while it is looked at."""

    folder: Path
    region: Path
    sources: dict[Path, Source] = field(default_factory=dict)
    emits: list[Emit] = field(default_factory=list)
    maps: dict[str, CodeMap] = field(default_factory=dict)
    usages: list[tuple[Emit, Usage]] = field(default_factory=list)


def lint_folder(folder: Path, site: str | None = None, data: Sequence[Path] = ()) -> list[Finding]:
    """Findings of a region (all sites, or one) or of a site's own folder, sorted by file and line.

    Args:
        data: sample files, or folders of them: also names what of them no column reads and what maps lack.

    Raises:
        UsageError: neither a region nor a site; a sample file that no source claims.
    """
    folder = folder.resolve()
    found: list[Finding] = []
    region, folders = _sites(folder, site)
    every: list[_SiteLint] = []
    for one in folders:
        looked = _SiteLint(one, region)
        found += _lint_site(looked)
        every.append(looked)
    if site is None:
        emits = [emit for looked in every for emit in looked.emits]
        found += unused_maps(region / "maps", emits) if emits and region not in folders else []
    found += _unused_rows(every, is_whole=site is None)
    if region not in folders:
        found += _forbidden_text(region)
    if data:
        found += _lint_data(every, data)
    return sorted(set(found))


def _forbidden_text(region: Path) -> Iterator[Finding]:
    """Tasks whose views ask for free text that the region does not allow."""
    try:
        whole = load_region(region)
    except SpecError as error:
        path = Path(str(error).partition(": ")[0])
        if path.parent.name != "sources":  # those are named with all their faults
            yield toml_finding(path, error)
        return
    for task in whole.tasks:
        path = task.folder / f"{task.name}.toml"
        try:
            for file, paths in forbidden_text(whole, task).items():
                yield TomlFile(path).find(("features", "unit"), "error", "free_text", text_words(file, paths))
        except SpecError as error:
            yield toml_finding(path, error)


def _sites(folder: Path, site: str | None) -> tuple[Path, list[Path]]:
    if (folder / "region.toml").is_file():
        folders = sorted(path.parent for path in (folder / "sites").glob("*/site.toml"))
        chosen = [path for path in folders if site in (None, path.name)]
        if not folders:
            raise UsageError(f"region {folder} has no site: expected sites/SITE/site.toml")
        if not chosen:
            raise UsageError(f"no site '{site}' in {folder}; it has {', '.join(path.name for path in folders)}")
        return folder, chosen
    if (folder / "sources").is_dir():
        around = folder.parent.parent
        return (around if (around / "region.toml").is_file() else folder), [folder]
    raise UsageError(f"no region or site at {folder}: expected a folder with region.toml, or with sources/ and specs/")


def _lint_site(looked: _SiteLint) -> Iterator[Finding]:
    yield from _read_sources(looked)
    by_name = {source.name: (path, source) for path, source in looked.sources.items()}
    for path, shipped in _spec_files(looked):
        emits, wrong = read_emits(path, shipped)
        name = emits[0].source if emits else ""
        if emits and name not in by_name:
            if path.is_relative_to(looked.folder):
                words = f"the site has no source {name!r}; it has {', '.join(sorted(by_name))}"
                yield TomlFile(path).find(("source",), "error", "source", words)
            continue
        yield from wrong
        for emit in emits:
            yield from _load_maps(looked, emit)
            yield from lint_emit(emit, by_name[name][1], looked.maps)
            looked.usages += [(emit, usage) for usage in usages(emit, by_name[name][1])]
        looked.emits += emits
    spared = _left_out(looked)
    for path, source in looked.sources.items():
        own = [emit for emit in looked.emits if emit.source == source.name]
        yield from unmapped_columns(path, source, own, [emit for emit in spared if emit.source == source.name])
    if looked.folder != looked.region:
        yield from unused_maps(looked.folder / "maps", looked.emits)


def _read_sources(looked: _SiteLint) -> Iterator[Finding]:
    for path in sorted((looked.folder / "sources").glob("*.toml")):
        try:
            looked.sources[path] = Source.model_validate(with_template(path, read_toml(path)))
            yield from wrong_places(path, looked.sources[path])
        except ValidationError as error:
            yield from TomlFile(path).invalid(error)
        except SpecError as error:
            yield toml_finding(path, error)


def _spec_files(looked: _SiteLint) -> Iterator[tuple[Path, dict[str, Any] | None]]:
    """The site's own specs and the region's, then those of its templates as they map its sources."""
    files = {path.name: path for path in sorted((looked.region / "specs").glob("*.toml"))}
    files |= {path.name: path for path in sorted((looked.folder / "specs").glob("*.toml"))}
    yield from ((files[name], None) for name in sorted(files))
    try:
        for spec in standing(list(shipped_specs(looked.folder)), list(files.values())):
            yield spec.path, spec.body()
    except SpecError:
        return  # the file that cannot be read was named before


def _left_out(looked: _SiteLint) -> list[Emit]:
    """The emits of shipped specs that ``template_specs`` leaves out: what they would read needs no excuse."""
    try:
        return [
            emit
            for spec in shipped_specs(looked.folder, left_out=True)
            for emit in read_emits(spec.path, spec.body())[0]
        ]
    except SpecError:
        return []  # the file that cannot be read was named before


def _load_maps(looked: _SiteLint, emit: Emit) -> Iterator[Finding]:
    """The emit's maps; one that is not there or not right is a finding at the spec."""
    for name in sorted(maps_of(emit) - set(looked.maps)):
        try:
            looked.maps[name] = load_map(name, [looked.folder / "maps", looked.region / "maps"])
        except SpecError as error:
            toml = TomlFile(Path(emit.file))
            path = next((p for p, e in emit.elements.items() if f"'{name}'" in repr(e)), None)
            words = str(error).split(": looked for")[0]
            yield toml.find(("elements", path) if path else ("elements",), "error", "map", words)


def _unused_rows(every: Sequence[_SiteLint], *, is_whole: bool) -> Iterator[Finding]:
    """Rows of the sites' and the region's own maps; the maps that come along serve others too."""
    for file, found in _by_map(every).items():
        if is_whole or any(file.is_relative_to(looked.folder / "maps") for looked in every):
            yield from unused_rows(file, found)


def _by_map(every: Iterable[_SiteLint]) -> dict[Path, list[Usage]]:
    found: dict[Path, list[Usage]] = {}
    for looked in every:
        for _, usage in looked.usages:
            code_map = looked.maps.get(usage.map_name)
            if code_map is not None and code_map.file.is_relative_to(looked.region):
                found.setdefault(code_map.file, []).append(usage)
    return found


def _lint_data(every: Sequence[_SiteLint], data: Sequence[Path]) -> Iterator[Finding]:
    seen = {id(looked): Seen() for looked in every}
    for path in _files(data):
        owners = [(looked, *owner) for looked in every if (owner := _claim(looked, path))]
        if not owners:
            words = "no source has a pattern for this file; correct 'files' or leave it out"
            if path in data:
                raise UsageError(f"{path}: {words}")
            yield Finding(name_text(str(path)), 1, "warning", "no_source", words)
            continue
        content = _read(path)
        for looked, file, source in owners:
            columns = sorted({u.column for _, u in looked.usages if u.source == source.name})
            reason = seen[id(looked)].add(source, content, columns)
            if reason:
                yield TomlFile(file).find(("files",), "error", "refused_file", f"{name_text(path.name)}: {reason}")
            yield from untouched(file, source, name_text(path.name), content)
    met: dict[Path, set[str]] = {}
    for looked in every:
        for emit, usage in looked.usages:
            code_map = looked.maps.get(usage.map_name)
            if code_map is not None and seen[id(looked)].records[usage.source]:
                yield from unmapped_texts(Path(emit.file), usage, code_map, seen[id(looked)])
                if code_map.file.is_relative_to(looked.region):
                    met.setdefault(code_map.file, set()).update(seen[id(looked)].asked(usage))
    for map_file, texts in met.items():
        yield from unseen_rows(map_file, frozenset(texts))


def _files(data: Sequence[Path]) -> Iterator[Path]:
    for path in data:
        if path.is_dir():
            inside = sorted(p for p in path.rglob("*") if p.is_file() and not p.name.startswith("."))
            if not inside:
                raise UsageError(f"no file in {path}: give sample files, or folders of them, after --data")
            yield from inside
        elif path.is_file():
            yield path
        else:
            raise UsageError(f"no file {path}: give sample files, or folders of them, after --data")


def _claim(looked: _SiteLint, path: Path) -> tuple[Path, Source] | None:
    site = Site(name="lint", title="", folder=looked.folder, sources=tuple(looked.sources.values()))
    source = claim(site, name_text(path.name).removesuffix(".gz"))
    if isinstance(source, str):
        return None
    return next((file, one) for file, one in looked.sources.items() if one is source or one == source)


def _read(path: Path) -> bytes:
    content = path.read_bytes()
    return gzip.decompress(content) if content.startswith(b"\x1f\x8b") else content
