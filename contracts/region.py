"""A region as data: its sites, their sources, its tasks; read from TOML, frozen, unknown keys refused.

    regions/<region>/region.toml
    regions/<region>/maps/*.csv                        code maps shared by the region
    regions/<region>/specs/*.toml                      mapping specs shared by its sites
    regions/<region>/tasks/<task>.toml, views/*.json
    regions/<region>/sites/<site>/site.toml
    regions/<region>/sites/<site>/sources/*.toml       one a source entity: where its files are, their format
    regions/<region>/sites/<site>/specs/*.toml         mapping specs (fhir_mapping.spec reads them)
    regions/<region>/sites/<site>/maps/*.csv           the site's own code maps
    fhir_mapping/templates/<kind>/<name>/source.toml   sources that come along; a source names one by ``template``

Secrets never live there.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, ValidationError, field_validator, model_validator

from contracts.errors import SpecError, UsageError
from contracts.feature_spec import FeatureSpec, Frozen
from contracts.zone import SITE_NAME

T = TypeVar("T", bound=Frozen)

TEMPLATES = Path(__file__).resolve().parent.parent / "fhir_mapping" / "templates"
"""Sources and specs that come along, as data: ``hl7v2/oru_r01/source.toml`` and its specs beside it."""

_SAME_ENCODING = {
    "gbk": "gb18030",
    "gb2312": "gb18030",
    "utf8": "utf-8",
    "iso-8859-1": "latin-1",
    "cp1252": "windows-1252",
}


class Column(Frozen):
    """One column of a source.

    Attributes:
        name: the safe name used in bronze and in specs (``[a-z][a-z0-9_]*``).
        header: the header as the source writes it (CSV); any of ``aliases`` is accepted too. Default: ``name``.
        path: where the value stands in a record. ``ndjson``: ``code.coding[0].code``; ``hl7v2``: ``PID-3[1].1``;
            ``cda``: ``value/@value``. Default: ``name``.
        required: a file without this header is refused.
        carry_forward: an empty cell means the last value above it in the same file (CSV, TSV, xlsx).
        identifying: ``name`` or ``number``: what it holds is masked wherever it stands in the record's free text.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    header: str | None = None
    aliases: tuple[str, ...] = ()
    path: str | None = None
    required: bool = True
    carry_forward: bool = False
    identifying: Literal["name", "number"] | None = None


class Join(Frozen):
    """Columns that an export's query would take from another table of the database, such as a dictionary.

    Attributes:
        data: path of the other table below the data folder; CSV, ``.gz`` is unpacked.
        on: header of the export = header of the other table; all must be equal.
        take: header in the export = header of the other table. A record without a partner gets empty cells.
    """

    data: str
    on: dict[str, str] = Field(min_length=1)
    take: dict[str, str] = Field(min_length=1)


class Delivery(Frozen):
    """How a public data set stands for a hospital's export: the file below ``--data`` that is put into landing.

    Attributes:
        data: path below the data folder; ``.gz`` is unpacked.
        part: ``[k, n]``: only records whose number (from 0) is ``k`` modulo ``n``, when one file serves n sites.
        join: columns of other tables, added behind each record (UTF-8 CSV with a header only).
        day: the day of delivery.
    """

    data: str
    join: tuple[Join, ...] = ()
    part: tuple[int, int] = (0, 1)
    day: str = "2026-11-20"


class Database(Frozen):
    """Where in a PostgreSQL database the records of a source are, and which of them are new.

    Attributes:
        connection: name of the environment variable that holds libpq's connection string; never the string itself.
        table: ``schema.table``, or ``table`` on the search path.
        query: instead of ``table``: a SELECT.
        key: columns that name a row in its table; they order rows of equal watermark.
        watermark: column that grows with every insert and update (a time, a date or a number). None: every pull takes
            all rows.
        overlap: how far back of the highest watermark a pull looks for rows that were committed late: seconds for
            times and dates, else units of the number.
        tls: ``required``: a connection to another host must be encrypted and the host must prove who it is
            (``sslmode=verify-full``). ``off``: the network itself is trusted.
    """

    connection: str = Field(pattern=r"^[A-Z][A-Z0-9_]*$")
    table: str | None = Field(default=None, pattern=r'^[^".\x00]+(\.[^".\x00]+)?$')
    query: str | None = None
    key: tuple[str, ...] = ()
    watermark: str | None = None
    overlap: int = Field(default=0, ge=0)
    tls: Literal["required", "off"] = "required"

    @model_validator(mode="after")
    def _one_place(self) -> Database:
        if (self.table is None) == (self.query is None):
            raise ValueError("give table or query, one of them")
        return self


class Source(Frozen):
    """One source entity of a site: its files and their contract.

    Attributes:
        system: the source system, first part of table names: ``his`` in ``bronze_his__visit``.
        entity: second part: ``visit``.
        files: glob patterns inside a day's landing folder.
        format: ``csv`` (any one-character delimiter), ``tsv`` (tab), ``xlsx``, ``ndjson`` (one JSON object a line),
            ``hl7v2`` (a record a message, or a segment of it), ``cda`` (a record a document, or an entry of it) or
            ``postgres`` (a row of a database, pulled into JSON Lines files of landing).
        template: a source that comes along and that this file's own keys and columns override: ``hl7v2/oru_r01``.
        template_specs: names of the template's specs that are used; None: all.
        encoding: the declared encoding; ``gbk`` and ``gb2312`` count as ``gb18030``. A byte-order mark is accepted.
            HL7 v2 and CDA say their own.
        header: whether a record names the columns; without, ``columns`` are in file order.
        skip_rows: lines (xlsx: rows) at the start of a file that come before the header: titles.
        sheet: name of the sheet of an xlsx file. Default: the first.
        rows: what is one record: the segment of a message (``OBX``), the path of an element of a document.
        messages: message codes (MSH-9.1, ``ORU``) that an HL7 v2 source takes; others are errors. Default: all.
        null_values: texts that mean no value, compared after trimming and NFKC.
        postgres: where the rows are, for that format.
        ignore: what no spec is meant to read, with the reason: columns, headers that no column declares, for hl7v2
            segments and fields (``PV2``, ``PID-30``). ``cloister map lint`` names the rest.
    """

    system: str = Field(pattern=r"^[a-z][a-z0-9]*$")
    entity: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    files: tuple[str, ...]
    format: Literal["csv", "tsv", "xlsx", "ndjson", "hl7v2", "cda", "postgres"]
    template: str | None = None
    template_specs: tuple[str, ...] | None = None
    encoding: Literal["utf-8", "gb18030", "utf-16", "utf-16-le", "utf-16-be", "windows-1252", "latin-1"] = "utf-8"
    delimiter: str = Field(default=",", min_length=1, max_length=1)
    header: bool = True
    skip_rows: int = Field(default=0, ge=0, le=1000)
    sheet: str | None = None
    rows: str | None = None
    messages: tuple[Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9]{2}$")], ...] = ()
    null_values: tuple[str, ...] = ("", "无", "NULL")
    column: tuple[Column, ...] = Field(min_length=1)
    delivery: Delivery | None = None
    postgres: Database | None = None
    ignore: dict[str, str] = Field(default_factory=dict)

    @field_validator("ignore")
    @classmethod
    def _reasons(cls, value: dict[str, str]) -> dict[str, str]:
        without = [name for name, reason in value.items() if not reason.strip()]
        if without:
            raise ValueError(f"give a reason for {', '.join(without)}")
        return value

    @model_validator(mode="before")
    @classmethod
    def _pulled(cls, body: Any) -> Any:
        """The files that pulls leave in landing are named by the source."""
        if isinstance(body, dict) and body.get("format") == "postgres":
            return {"files": (f"{body.get('system')}__{body.get('entity')}.*.ndjson",), **body}
        return body

    @field_validator("encoding", mode="before")
    @classmethod
    def _encoding(cls, value: Any) -> Any:
        return _SAME_ENCODING.get(value.lower(), value.lower()) if isinstance(value, str) else value

    @model_validator(mode="before")
    @classmethod
    def _tab(cls, body: Any) -> Any:
        is_tsv = isinstance(body, dict) and body.get("format") == "tsv"
        return {"delimiter": "\t", **body} if is_tsv else body

    @model_validator(mode="after")
    def _options(self) -> Source:
        has_cells = self.format in ("csv", "tsv", "xlsx")
        carries = any(column.carry_forward for column in self.column)
        if not has_cells and (carries or self.skip_rows or not self.header):
            raise ValueError("header, skip_rows and carry_forward are for csv, tsv and xlsx")
        if self.sheet is not None and self.format != "xlsx":
            raise ValueError("sheet is for xlsx")
        if self.rows is not None and self.format not in ("hl7v2", "cda"):
            raise ValueError("rows is for hl7v2 and cda")
        if self.messages and self.format != "hl7v2":
            raise ValueError("messages is for hl7v2")
        if (self.postgres is not None) != (self.format == "postgres"):
            raise ValueError("the table [postgres] is for format postgres, and that needs it")
        return self

    @property
    def identifying(self) -> tuple[str, ...]:
        """Names of the columns whose values are masked in free text."""
        return tuple(column.name for column in self.column if column.identifying)

    @property
    def name(self) -> str:
        """``his__visit``: what specs call ``source``."""
        return f"{self.system}__{self.entity}"


Schedule = Literal["daily", "weekdays", "weekly", "monthly"]


class Site(Frozen):
    """A hospital. ``folder`` holds its specs and maps; ``sources`` come from ``sources/*.toml``.

    Attributes:
        schedule: how often a source delivers: at least a file a day, working day (Monday to Friday), week or month.
    """

    name: str
    title: str
    folder: Path
    sources: tuple[Source, ...]
    schedule: dict[str, Schedule] = Field(default_factory=dict)

    @field_validator("name")
    @classmethod
    def _name(cls, value: str) -> str:
        if not SITE_NAME.fullmatch(value):
            raise ValueError("a site's name is lower case letters, digits and _, at most 32")
        return value

    @model_validator(mode="after")
    def _scheduled(self) -> Site:
        if unknown := sorted(set(self.schedule) - {source.name for source in self.sources}):
            raise ValueError(f"schedule names no source of the site: {', '.join(unknown)}")
        return self

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


class Deadlines(Frozen):
    """How long the coordinator waits for hospitals in one exchange, seconds.

    Attributes:
        exchange: for answers that are needed.
        stragglers: once a quorum has answered; who is later drops out of the round and may come back.
    """

    exchange: float = Field(default=300.0, gt=0)
    stragglers: float = Field(default=10.0, ge=0)


class Region(Frozen):
    """A region folder, read whole.

    Attributes:
        quorum: fewest sites in an opened sum; None = the protocol's default ``min(n, max(3, ceil(2n/3) + 1))``.
        timezone: of local times in sources that give none.
        plausible_years: first and last year that a date of a record may have. De-identified data may be shifted.
        free_text: element paths whose free text silver may hold, without indices (``Encounter.reasonCode.text``), so
            that tasks can read it; None: what the specs map by name.
        public_data: per-site figures and pooled baselines may be computed (public or synthetic data).
        synthetic: settings of the generator when the region's exports are made by it.
    """

    name: str
    title: str
    timezone: str = "Asia/Shanghai"
    plausible_years: tuple[int, int] = (1850, 2100)
    free_text: tuple[str, ...] | None = None
    quorum: int | None = None
    deadlines: Deadlines = Deadlines()
    public_data: bool = False
    synthetic: dict[str, int] | None = None
    folder: Path
    sites: tuple[Site, ...]
    tasks: tuple[Task, ...]

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (OSError, ValueError, ZoneInfoNotFoundError):
            raise ValueError(f"there is no time zone {value!r}; give one like Asia/Shanghai") from None
        return value

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
    except OSError as error:
        raise SpecError(f"{path}: cannot be read: {error.strerror}") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SpecError(f"{path}: not readable as TOML: {error}") from error


def with_template(path: Path, body: dict[str, Any]) -> dict[str, Any]:
    """A source's keys over those of the template it names; columns are replaced one by one, by name, or added.

    A template may name another one that it is made of.

    Raises:
        SpecError: there is no such template.
    """
    name = body.get("template")
    if name is None:
        return body
    template = TEMPLATES / str(name) / "source.toml"
    if not template.is_file():
        known = sorted(found.parent.relative_to(TEMPLATES).as_posix() for found in TEMPLATES.glob("*/*/source.toml"))
        raise SpecError(f"{path}: template: no template {name!r}; there are {', '.join(known)}")
    shipped = with_template(template, read_toml(template))
    columns = {column["name"]: column for column in shipped.get("column", ())}
    columns |= {column.get("name"): column for column in body.get("column", ())}
    ignore = {**shipped.get("ignore", {}), **body.get("ignore", {})}
    return {**shipped, **body, "column": tuple(columns.values()), "ignore": ignore}


def load_source(path: Path) -> Source:
    """Read one source file. Raises SpecError naming the file."""
    return _parse(Source, path, with_template(path, read_toml(path)))


def load_site(folder: Path) -> Site:
    """Read one site's folder. Raises SpecError naming the file."""
    sources = tuple(load_source(path) for path in sorted((folder / "sources").glob("*.toml")))
    body = read_toml(folder / "site.toml")
    return _parse(Site, folder / "site.toml", {**body, "folder": folder, "sources": sources})


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
        raise SpecError(f"{path}: {faults_of(error)}") from error


def faults_of(error: ValidationError) -> str:
    """The first fault of a file's keys, and the keys that there are not: what is missing is often only misspelt."""
    first, *others = error.errors()
    unknown = [one for one in others if one["type"] == "extra_forbidden"]
    return "; ".join(_fault(one["loc"], one["msg"]) for one in (first, *unknown))


def _fault(place: tuple[int | str, ...], words: str) -> str:
    return ": ".join((*([".".join(map(str, place))] if place else []), words.removeprefix("Value error, ")))
