"""Columns of a source mapping in stages, each computed once however often it is used.

A stage is one projection; a column refers to columns of earlier stages by name. So the engines neither repeat a parsed
date for each of the ten resources that carry it, nor see expressions of unbounded depth. Code maps are joined between
two stages: literal maps as expressions are ruinous on one of the engines, joins are not.

What only some records need is computed for these alone: a column that is asked for under conditions (``when`` of an
emit or element) is null where none of them holds, and costs nothing there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import IntEnum
from functools import partial
from operator import or_

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import BooleanType, DataType, StringType, StructField

from fhir_mapping.spec import facts
from fhir_mapping.spec.conditions import Condition, columns_of, matched_columns
from fhir_mapping.spec.facts import Known
from fhir_mapping.spec.satisfy import Context
from fhir_mapping.spec.text import bare, bare_value, fold, mask_values, prepared_column, trim_column
from fhir_mapping.terminology.code_map import CodeMap, Target
from lake.texts import Texts

PLAUSIBLE_YEARS = (1850, 2100)
"""Years outside are implausible in a record of a patient, unless the region says otherwise."""

CASE_BRANCHES, CASE_BRANCHES_OF_SOME = 20, 70
"""A map that takes at most so many branches (asked for every record, for some) is a CASE expression, another a
broadcast join: a branch costs a tenth of a join at most, which takes every column of the record along. A text that is
in no map, or is its own code, comes to none of the branches."""


_TEXT = StringType()
_NAME = re.compile("_[xm][0-9_a-z]+")


class Stage(IntEnum):
    """In order; a column may use columns of smaller stages only. Maps are joined after ASKED."""

    TESTED = 0
    TESTS = 1
    JOINT = 2
    TEXT = 3
    KNOWN = 4
    KEYED = 5
    SPLIT = 6
    ASKED = 7
    PARSED = 8
    CHECKED = 9
    JUDGED = 10
    PLACED = 11
    SETTLED = 12
    RULES = 13
    VERDICT = 14


def fold_balanced(operation: Callable[[Column, Column], Column], columns: Sequence[Column]) -> Column:
    """Combine columns pairwise: a chain of a hundred would be too deep a message for a Spark Connect server."""
    level = list(columns)
    while len(level) > 1:
        pairs = [operation(a, b) for a, b in zip(level[::2], level[1::2], strict=False)]
        level = pairs + level[len(pairs) * 2 :]
    return level[0]


_ANY = Texts()


@dataclass(frozen=True)
class Simpler:
    """A column that gives what another does where facts hold of all texts of some source columns."""

    facts: tuple[str, ...]
    names: tuple[str, ...]
    column: Column

    def fits(self, known: Known) -> bool:
        """Whether the facts are known of every one of the columns."""
        return all(known.get(name, _ANY).facts.issuperset(self.facts) for name in self.names)


@dataclass(frozen=True)
class Setting:
    """What specs are compiled for: site, key of pseudonyms, zone of local times.

    Attributes:
        identifying: elements that silver has no column for are kept and nothing is masked, as a converter must.
        free_text: paths that may hold free text, without indices; None: every one that a spec maps.
        years: first and last year that a date may have.
    """

    site: str
    key: bytes
    zone: str
    identifying: bool = False
    free_text: frozenset[str] | None = None
    years: tuple[int, int] = PLAUSIBLE_YEARS


@dataclass(frozen=True)
class OfFew:
    """A column that is made for the prepared texts that a source column is known to have, or for any (None)."""

    source: str
    make: Callable[[Collection[str] | None], Column]


@dataclass(frozen=True)
class _Decided:
    """Tests that hold for no record, and for every one: what is asked for where none can hold need not be made."""

    never: frozenset[str]
    always: frozenset[str]

    def left_of(self, asked: Iterable[frozenset[str]]) -> set[frozenset[str]]:
        """Under which of these sets of tests records may be, without what holds anyway; only the widest.

        Where some tests hold, fewer of them hold too.
        """
        left = {tests - self.always for tests in asked if not tests & self.never}
        return {tests for tests in left if not any(other < tests for other in left)}


@dataclass
class Plan:
    """What a source mapping will compute.

    Attributes:
        null_values: the source's texts that mean no value.
        maps: code maps by name, as far as the specs use them.
        masked: columns whose values are masked in the free text of their record; None: nothing is masked.
        years: first and last year that a date may have.
        tested: source columns that conditions read; their texts come first and are there for every record.
    """

    null_values: tuple[str, ...]
    maps: dict[str, CodeMap]
    masked: tuple[str, ...] | None = ()
    years: tuple[int, int] = PLAUSIBLE_YEARS
    tested: frozenset[str] = frozenset()
    _names: dict[Hashable, str] = field(default_factory=dict)
    _kinds: dict[str, DataType] = field(default_factory=dict)
    _stages: dict[Stage, list[tuple[str, Column | OfFew]]] = field(default_factory=dict)
    _joins: list[tuple[str, str, str, str]] = field(default_factory=list)
    _under: frozenset[str] = frozenset()
    _asked: dict[str, set[frozenset[str]]] = field(default_factory=dict)
    _simpler: dict[str, tuple[Simpler, ...]] = field(default_factory=dict)
    _tests: dict[str, Condition] = field(default_factory=dict)
    _prepared: dict[str, tuple[Column, tuple[Simpler, ...]]] = field(default_factory=dict)

    @contextmanager
    def only_where(self, tests: Iterable[str]) -> Iterator[None]:
        """What is asked for inside is needed only where these boolean columns, and those of the outer ones, hold."""
        outer = self._under
        self._under = outer | frozenset(tests)
        try:
            yield
        finally:
            self._under = outer

    @contextmanager
    def everywhere(self) -> Iterator[None]:
        """What is asked for inside is needed for every record."""
        outer, self._under = self._under, frozenset()
        try:
            yield
        finally:
            self._under = outer

    def define(
        self,
        stage: Stage,
        key: Hashable,
        column: Column | OfFew,
        kind: DataType = _TEXT,
        simpler: Sequence[Simpler] = (),
    ) -> Column:
        """The column of this key: the one that was defined first, or this one, computed at this stage.

        Args:
            simpler: what gives the same where facts are known of all values of source columns; the first counts.
        """
        return F.col(self.name(stage, key, column, kind, simpler))

    def name(
        self,
        stage: Stage,
        key: Hashable,
        column: Column | OfFew,
        kind: DataType = _TEXT,
        simpler: Sequence[Simpler] = (),
    ) -> str:
        """Name of the column that ``define`` gives."""
        known = (stage, key)
        if known not in self._names:
            self._names[known] = f"_x{stage.value}_{len(self._names)}"
            self._kinds[self._names[known]] = kind
            self._stages.setdefault(stage, []).append((self._names[known], column))
            self._simpler[self._names[known]] = tuple(simpler)
        self._asked.setdefault(self._names[known], set()).add(self._under)
        return self._names[known]

    def test(self, condition: Condition, column: Column) -> str:
        """Name of the column of a condition, which is made for every record."""
        with self.everywhere():
            name = self.name(Stage.TESTS, ("test", condition), column, BooleanType())
        self._tests[name] = condition
        return name

    def text(self, name: str) -> Column:
        """A source column prepared for parsing: half-width, trimmed, null values gone."""
        if name not in self._prepared:
            source = F.col(f"`{name}`").cast("string")
            simpler = (
                Simpler((facts.EMPTY,), (name,), F.lit(None).cast("string")),
                Simpler((facts.prepared(self.null_values),), (name,), source),
            )
            self._prepared[name] = prepared_column(source, self.null_values), simpler
        column, ways = self._prepared[name]
        if name not in self.tested:
            return self.define(Stage.TEXT, ("text", name), column, simpler=ways)
        with self.everywhere():
            return self.define(Stage.TESTED, ("text", name), column, simpler=ways)

    def free_text(self, name: str, mask: bool, names: tuple[str, ...] = ()) -> Column:
        """A source column as written but trimmed, null where ``text`` is, masked (see ``masked_text``)."""
        self.text(name)
        written = trim_column(F.col(f"`{name}`"))
        shown = written
        if mask:
            simpler = [Simpler((facts.prepared(self.null_values),), (name,), F.col(f"`{name}`"))]
            stored = self.define(Stage.TEXT, ("written", name), written, simpler=simpler)
            shown = self.masked_text(stored, Stage.KNOWN, names, name)
        free = F.when(self.text(name).isNotNull(), shown)
        return self.define(Stage.KEYED, ("free", name, mask, names), free, simpler=self._as_it_is(name, mask, names))

    def _as_it_is(self, name: str, mask: bool, names: tuple[str, ...]) -> tuple[Simpler, ...]:
        """The source column itself, where nothing in it would be prepared or masked."""
        told = [facts.prepared(self.null_values)]
        if mask and self.masked is not None:
            if not {*self.masked, name}.issuperset(names):
                return ()
            told.append(facts.unmasked(self.masked))
        return (Simpler(tuple(told), (name,), F.col(f"`{name}`")),)

    def masked_text(self, text: Column, behind: Stage, names: tuple[str, ...], own: str | None = None) -> Column:
        """Free text with the record's own names and numbers, and what looks like a number of a person, as ``***``.

        Args:
            text: a stored column.
            behind: a stage after that of the text, before that of the result.
            names: columns whose values go too, besides those that the source marks.
            own: the column that the text is of.
        """
        if self.masked is None:
            return text
        known = tuple(column for column in dict.fromkeys((*self.masked, *names)) if column != own)
        values = [self.text(column) for column in known]
        bare_values = [self.define(Stage.KNOWN, ("bare", one), bare_value(self.text(one))) for one in known]
        return mask_values(text, self.define(behind, ("bare", str(text)), bare(text)), values, bare_values)

    def lookup(
        self, map_name: str, key: Hashable, text: Column, source: str = ""
    ) -> tuple[Column, Column, Column, Column]:
        """The text that is looked up, and the system, code and display it maps to (null where unmapped).

        Args:
            text: of stage SPLIT or before; the results are of stage PARSED or before.
            source: the source column that it is the prepared text of, or null; "" where it is not.
        """
        code_map = self.maps[map_name]
        known = ("join", map_name, key)
        limit = CASE_BRANCHES_OF_SOME if self._under else CASE_BRANCHES
        is_case = known not in self._names and len(_sources(code_map.rows, "code")) <= limit
        is_case = is_case or (Stage.PARSED, (known, _PARTS[0])) in self._names
        asked = text if is_case and _is_stored(text) else self.define(Stage.ASKED, ("asked", key), text)
        if is_case:
            parts = [
                self.define(Stage.PARSED, (known, part), OfFew(source, partial(_as_case, code_map, asked, part)))
                for part in _PARTS
            ]
        else:
            if known not in self._names:
                self._names[known] = f"_m{len(self._joins)}"
                self._kinds |= {f"{self._names[known]}_{part}": _TEXT for part in _PARTS}
                asked_name = self._names[(Stage.ASKED, ("asked", key))]
                self._joins.append((self._names[known], map_name, asked_name, source))
            parts = [F.col(f"{self._names[known]}_{part}") for part in _PARTS]
        return asked, parts[0], parts[1], parts[2]

    def ids_of(self, resource: str) -> list[str]:
        """Names of the columns that hold ids of a type."""
        keys = [(name, key[1]) for key, name in self._names.items() if isinstance(key, tuple) and len(key) > 1]
        return [name for name, key in keys if isinstance(key, tuple) and key[:2] == ("id", resource)]

    def used(self, columns: Iterable[Column]) -> list[StructField]:
        """The plan's own columns that some columns are made of, by name, in the order of definition."""
        words = {word for column in columns for word in _NAME.findall(str(column))}
        return [StructField(name, kind) for name, kind in self._kinds.items() if name in words]

    def meaning(self, fields: Iterable[StructField]) -> list[str]:
        """What each of these columns was defined as; equal texts, equal columns."""
        keys = {name: repr(key) for key, name in self._names.items()}
        named = [(f, keys.get(f.name) or keys[f.name.rpartition("_")[0]]) for f in fields]
        return [f"{f.name} {f.dataType.simpleString()} {key}" for f, key in named]

    def apply(self, spark: SparkSession, df: DataFrame, known: Known = facts.NOTHING) -> DataFrame:
        """``df`` with every column of the plan added.

        Args:
            known: what holds of all texts that source columns have in ``df``.
        """
        decided = self._decided(known)
        # Latest first: what is asked for together is defined on the way, at JOINT.
        stages = {
            stage: [
                self._made(name, column, known, decided).alias(name) for name, column in self._stages.get(stage, [])
            ]
            for stage in reversed(Stage)
        }
        for stage in Stage:
            if stage is Stage.PARSED:
                df = self._join(spark, df, known, decided)
            if stages[stage]:
                df = df.select("*", *stages[stage])
        return df

    def all_hold(self, tests: Iterable[str]) -> Column:
        """Whether all of some boolean columns of TESTS hold."""
        names = sorted(set(tests))
        if len(names) < 2:
            return F.col(names[0]) if names else F.lit(True)
        # Of numbers: of an AND whose first test seldom holds, one engine copies all columns of the rows where it does.
        bits = fold_balanced(Column.bitwiseAND, [F.col(name).cast("int") for name in names])
        with self.everywhere():
            return self.define(Stage.JOINT, ("all", *names), bits == 1, BooleanType())

    def _decided(self, known: Known) -> _Decided:
        """The tests of which it is known how they end."""
        never, always = set(), set()
        prepared, null_values = facts.prepared(self.null_values), frozenset(map(fold, self.null_values))
        for name, _ in self._stages.get(Stage.TESTS, []):
            condition = self._tests[name]
            # Python's patterns may take long where the engines' do not: no delivered text is matched here.
            asked = sorted(columns_of(condition) - matched_columns(condition))
            given = facts.conditions_of(known, asked, prepared)
            context = Context(null_values, tuple((one, True) for one in given))
            if not context.can_hold(condition):
                never.add(name)
            elif not context.given(condition, holds=False).can_hold():
                always.add(name)
        return _Decided(frozenset(never), frozenset(always))

    def _made(self, name: str, column: Column | OfFew, known: Known, decided: _Decided) -> Column:
        """A column, null where nothing asks for it, in its simplest form."""
        if name in decided.never | decided.always:
            return F.lit(name in decided.always)
        asked = decided.left_of(self._asked[name])
        if not asked:
            return F.lit(None).cast(self._kinds[name])
        if isinstance(column, OfFew):
            column = column.make(self._few(column.source, known))
        made = next((one.column for one in self._simpler[name] if one.fits(known)), column)
        if frozenset() in asked:
            return made
        return F.when(fold_balanced(or_, sorted((self.all_hold(tests) for tests in asked), key=str)), made)

    def _few(self, source: str, known: Known) -> tuple[str, ...] | None:
        """The prepared texts that a source column has, where they are few and known."""
        texts = known.get(source, _ANY)
        return texts.few if facts.prepared(self.null_values) in texts.facts else None

    def _join(self, spark: SparkSession, df: DataFrame, known: Known, decided: _Decided) -> DataFrame:
        frames: dict[str, DataFrame] = {}
        for prefix, map_name, asked, source in self._joins:
            code_map, few = self.maps[map_name], self._few(source, known)
            if few is not None or not decided.left_of(self._asked[asked]):
                parts = {part: _as_case(code_map, F.col(asked), part, few or ()) for part in _PARTS}
                df = df.select("*", *[column.alias(f"{prefix}_{part}") for part, column in parts.items()])
                continue
            if map_name not in frames:
                rows = [(s, t.system, t.code, t.display) for s, t in sorted(code_map.rows.items())]
                frames[map_name] = spark.createDataFrame(rows, "s string, system string, code string, display string")
            names = [F.col("s").alias(f"{prefix}_s"), *[F.col(part).alias(f"{prefix}_{part}") for part in _PARTS]]
            right = F.broadcast(frames[map_name].select(*names))
            df = df.join(right, F.col(asked) == F.col(f"{prefix}_s"), "left")
        return df


_PARTS = ("system", "code", "display")


def _is_stored(column: Column) -> bool:
    """Whether a column is one of the plan's own, with nothing done to it."""
    return re.fullmatch(rf"Column<'{_NAME.pattern}'>", str(column)) is not None


def _as_case(code_map: CodeMap, asked: Column, part: str, few: Collection[str] | None = None) -> Column:
    """A small map as CASE: texts that it lacks first, then those that mean themselves, then a branch a meaning.

    Args:
        few: texts besides which none is asked for; None: any may be.
    """
    rows = {text: target for text, target in code_map.rows.items() if few is None or text in few}
    meanings = _sources(rows, part)
    same = sorted(text for text, target in rows.items() if getattr(target, part) == text)
    nothing = F.lit(None).cast("string")
    if not rows:
        return nothing
    if few is not None and len(few) in (len(same), *(len(texts) for texts in meanings.values())):
        # All of them have one meaning, or each is its own.
        return asked if len(few) == len(same) else F.when(asked.isNotNull(), F.lit(next(iter(meanings))))
    lacked = asked.isNull() if few is not None else asked.isNull() | ~asked.isin(sorted(rows))
    case = F.when(lacked, nothing)
    if same:
        case = case.when(asked.isin(same), asked)
    for meaning, texts in meanings.items():
        case = case.when(asked.isin(texts), F.lit(meaning))
    return case


def _sources(rows: Mapping[str, Target], part: str) -> dict[str, list[str]]:
    """Of each meaning the texts that have it, but the one that it is itself."""
    found: dict[str, list[str]] = {}
    for source, target in sorted(rows.items()):
        if (meaning := getattr(target, part)) != source:
            found.setdefault(meaning, []).append(source)
    return found
