"""A region as data: its sites, their sources, its tasks; read from TOML, frozen, unknown keys refused.

    regions/<region>/region.toml
    regions/<region>/maps/*.csv                        code maps shared by the region
    regions/<region>/specs/*.toml                      mapping specs shared by its sites
    regions/<region>/tasks/<task>.toml, views/*.json
    regions/<region>/sites/<site>/site.toml
    regions/<region>/sites/<site>/sources/*.toml       one a source entity: where its files are, their format
    regions/<region>/sites/<site>/specs/*.toml         mapping specs (fhir_mapping.spec reads them)
    regions/<region>/sites/<site>/maps/*.csv           the site's own code maps

Secrets never live there.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import Field, ValidationError, field_validator

from contracts.errors import SpecError, UsageError
from contracts.feature_spec import FeatureSpec, Frozen
from contracts.zone import SITE_NAME

T = TypeVar("T", bound=Frozen)


class Column(Frozen):
    """One column of a source.

    Attributes:
        name: the safe name used in bronze and in specs (``[a-z][a-z0-9_]*``).
        header: the header as the source writes it (CSV); any of ``aliases`` is accepted too. Default: ``name``.
        path: where the value stands in a JSON record (``ndjson``): ``code.coding[0].code``. Default: ``name``.
        required: a file without this header is refused.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    header: str | None = None
    aliases: tuple[str, ...] = ()
    path: str | None = None
    required: bool = True


class Delivery(Frozen):
    """How a public data set stands for a hospital's export: the file below ``--data`` that is put into landing.

    Attributes:
        data: path below the data folder; ``.gz`` is unpacked.
        part: ``[k, n]``: only records whose number (from 0) is ``k`` modulo ``n``, when one file serves n sites.
        day: the day of delivery.
    """

    data: str
    part: tuple[int, int] = (0, 1)
    day: str = "2026-11-20"


class Source(Frozen):
    """One source entity of a site: its files and their contract.

    Attributes:
        system: the source system, first part of table names: ``his`` in ``bronze_his__visit``.
        entity: second part: ``visit``.
        files: glob patterns inside a day's landing folder.
        format: ``csv`` (any one-character delimiter) or ``ndjson`` (one JSON object a line).
        encoding: the declared encoding: ``utf-8`` (a byte-order mark is accepted) or ``gb18030``.
        header: whether the first record names the columns; without, ``columns`` are in file order.
        null_values: texts that mean no value, compared after trimming and NFKC.
    """

    system: str = Field(pattern=r"^[a-z][a-z0-9]*$")
    entity: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    files: tuple[str, ...]
    format: Literal["csv", "ndjson"]
    encoding: Literal["utf-8", "gb18030"] = "utf-8"
    delimiter: str = Field(default=",", min_length=1, max_length=1)
    header: bool = True
    null_values: tuple[str, ...] = ("", "无", "NULL")
    column: tuple[Column, ...] = Field(min_length=1)
    delivery: Delivery | None = None

    @property
    def name(self) -> str:
        """``his__visit``: what specs call ``source``."""
        return f"{self.system}__{self.entity}"


class Site(Frozen):
    """A hospital. ``folder`` holds its specs and maps; ``sources`` come from ``sources/*.toml``."""

    name: str
    title: str
    folder: Path
    sources: tuple[Source, ...]

    @field_validator("name")
    @classmethod
    def _name(cls, value: str) -> str:
        if not SITE_NAME.fullmatch(value):
            raise ValueError("a site's name is lower case letters, digits and _, at most 32")
        return value

    def source(self, name: str) -> Source:
        for source in self.sources:
            if source.name == name:
                return source
        raise SpecError(f"site '{self.name}' has no source '{name}'; it has {[s.name for s in self.sources]}")


class Training(Frozen):
    """How a task's model is trained. See federated.programs.

    Attributes:
        solver: ``newton`` (small Hessian) or ``gradient`` (L-BFGS on summed gradients).
        l2: ridge penalty on standardised coefficients (not the intercept), added to the mean loss as l2/2 |w|^2.
        max_rounds: cap on solver rounds; said in the report when it binds.
        tolerance: stop when the largest gradient element of the mean loss is below it.
        min_patients: an n-gram bucket with fewer patients never becomes a feature.
        buckets: hash buckets of text n-grams.
        ngrams: lengths of character n-grams.
        idf: weigh buckets by how few patients have them; costs one more round.
        max_features: cap on text features; what is left out is counted in the report.
        class_weight: 0 to 1; a training row counts as (rows of its class) ^ -class_weight, mean 1 (``gradient`` only).
        min_class_rows: a class that fewer records carry is never predicted.
        max_abs: standardised inputs are clipped to this (clips are counted).
        max_rows: largest number of rows a site may have (bounds of sums).
        folds, seeds: cross-validation fits that share every round with the full fit (0 folds: a holdout instead).
        holdout: share of patients held out for the metrics when ``folds`` is 0.
    """

    solver: Literal["newton", "gradient"]
    l2: float = 1e-3
    max_rounds: int = 30
    tolerance: float = 1e-6
    min_patients: int = 10
    buckets: int = 32768
    ngrams: tuple[int, ...] = (1, 2, 3)
    idf: bool = True
    max_features: int = 8192
    class_weight: float = Field(default=0.0, ge=0.0, le=1.0)
    min_class_rows: int = 10
    max_abs: float = 10.0
    max_rows: int = 200_000
    folds: int = 0
    seeds: tuple[int, ...] = (0,)
    holdout: float = 0.2


class Service(Frozen):
    """How the gateway offers the task's model as a CDS Hooks service."""

    id: str
    hook: str = "patient-view"
    title: str
    description: str
    top: int = 3


class Task(Frozen):
    """A question the region learns to answer; ``kind`` says what the label is."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    title: str
    kind: Literal["diagnosis", "triage"]
    purpose: str
    features: FeatureSpec
    training: Training
    service: Service | None = None
    class_names: dict[str, str] = Field(default_factory=dict)
    folder: Path = Field(exclude=True)


class Region(Frozen):
    """A region folder, read whole.

    Attributes:
        quorum: fewest sites in an opened sum; None = the protocol's default ``min(n, max(3, ceil(2n/3) + 1))``.
        timezone: of local times in sources that give none.
        public_data: per-site figures and pooled baselines may be computed (public or synthetic data).
        synthetic: settings of the generator when the region's exports are made by it.
    """

    name: str
    title: str
    timezone: str = "Asia/Shanghai"
    quorum: int | None = None
    public_data: bool = False
    synthetic: dict[str, int] | None = None
    folder: Path
    sites: tuple[Site, ...]
    tasks: tuple[Task, ...]

    def site(self, name: str) -> Site:
        for site in self.sites:
            if site.name == name:
                return site
        raise UsageError(f"region '{self.name}' has no site '{name}'; it has {', '.join(s.name for s in self.sites)}")

    def task(self, name: str) -> Task:
        for task in self.tasks:
            if task.name == name:
                return task
        raise UsageError(f"region '{self.name}' has no task '{name}'; it has {', '.join(t.name for t in self.tasks)}")


def read_toml(path: Path) -> dict[str, Any]:
    """Parse a TOML file; SpecError names the file and what is wrong with it."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SpecError(f"{path}: not readable as TOML: {error}") from error


def load_site(folder: Path) -> Site:
    """Read one site's folder. Raises SpecError naming the file."""
    sources = []
    for path in sorted((folder / "sources").glob("*.toml")):
        sources.append(_parse(Source, path, read_toml(path)))
    body = read_toml(folder / "site.toml")
    return _parse(Site, folder / "site.toml", {**body, "folder": folder, "sources": tuple(sources)})


def load_task(path: Path) -> Task:
    """Read one task. Views are relative to its folder. Raises SpecError naming the file."""
    return _parse(Task, path, {**read_toml(path), "folder": path.parent})


def load_region(folder: Path) -> Region:
    """Read a region folder. Raises UsageError when it is none, SpecError when a file in it is wrong."""
    if not (folder / "region.toml").is_file():
        raise UsageError(
            f"no region at {folder}: expected a folder with region.toml, such as regions/demo. "
            "Give the path of a region folder."
        )
    sites = tuple(load_site(path.parent) for path in sorted((folder / "sites").glob("*/site.toml")))
    tasks = tuple(load_task(path) for path in sorted((folder / "tasks").glob("*.toml")))
    body = read_toml(folder / "region.toml")
    return _parse(Region, folder / "region.toml", {**body, "folder": folder, "sites": sites, "tasks": tasks})


def _parse(model: type[T], path: Path, body: dict[str, Any]) -> T:
    try:
        return model.model_validate(body)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise SpecError(f"{path}: {where}: {first['msg']}") from error
