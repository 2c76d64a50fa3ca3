"""Whom a record is about, as far as its keys say: the business keys of people and of what is theirs in each source.

A person's records are found by the keys that the specs name: a Patient's own key and every reference to a Patient. A
record that names no person is the person's when it names something of theirs, such as a visit that another record gives
to them. Keys are prepared exactly as for pseudonymous ids, then compared by their hashes on the suppression list.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from contracts.region import Source
from fhir_mapping.spec.check import flatten
from fhir_mapping.spec.conditions import whole
from fhir_mapping.spec.expressions import KeyPart, Reference
from fhir_mapping.spec.model import SHARED_IDENTITY, Emit
from fhir_mapping.spec.normal_forms import normal_text
from fhir_mapping.spec.text import fold
from governance.suppression import LINK, PERSON, TOKEN, Suppression

PATIENT = "Patient"

NOBODYS = frozenset(
    {"Organization", "Practitioner", "PractitionerRole", "Location", "Medication", "Device", "Substance"}
)
"""Types that many people share: a record is nobody's because it names one."""

SHORTEST_TOKEN = 3
"""Characters of a key value that is looked for in unreadable text; shorter ones stand in any text by chance."""

_TOKEN = re.compile(r"[^\s,;|^~&\"'<>{}\[\]()=:\\，；：、。]+")


@dataclass(frozen=True)
class KeyUse:
    """A business key as a source writes it: of ``resource`` under ``identity``, from these columns.

    Attributes:
        item: the part of the key that is constant, as ids have it.
    """

    resource: str
    identity: str
    parts: tuple[KeyPart, ...]
    null_values: tuple[str, ...] = ()
    item: str | None = None

    @property
    def kind(self) -> str:
        return PERSON if self.resource == PATIENT else LINK

    def hash(self, suppression: Suppression, values: Sequence[str]) -> str:
        """The hash by which the list knows this key with these prepared values."""
        item = () if self.item is None else (self.item,)
        return suppression.hash(self.kind, (self.resource, self.identity, *values, *item))


@dataclass(frozen=True)
class SourceLinks:
    """The keys a source names.

    Attributes:
        people: of Patients.
        others: of all else that belongs to one person.
        same: pairs of ``people`` that name one person where a record has both: a merge of numbers (Patient.link).
    """

    source: Source
    people: tuple[KeyUse, ...]
    others: tuple[KeyUse, ...]
    same: tuple[tuple[KeyUse, KeyUse], ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """Bronze columns that the keys are read from."""
        return tuple(dict.fromkeys(part.column for use in (*self.people, *self.others) for part in use.parts))


@dataclass(frozen=True)
class Named:
    """One key in some records.

    Attributes:
        values: the prepared parts, each an array of texts; null where absent.
        hashes: of the whole key; null where a part is absent.
    """

    use: KeyUse
    values: tuple[pa.Array, ...]
    hashes: pa.Array


@dataclass(frozen=True)
class Found:
    """What the list says of some records; arrays and ``Named`` are of one length.

    Attributes:
        is_listed: the record is that of a person on the list.
    """

    is_listed: np.ndarray
    people: tuple[Named, ...]
    others: tuple[Named, ...]
    same: tuple[tuple[KeyUse, KeyUse], ...] = ()

    def new_people(self, suppression: Suppression) -> dict[str, tuple[str, ...]]:
        """Hash and values of the other numbers, not on the list yet, that records give to people who are on it."""
        known = suppression.of(PERSON)
        wanted = pa.array(sorted(known), pa.string())
        by_use, found = {named.use: named for named in self.people}, dict[str, tuple[str, ...]]()
        for pair in self.same:
            for one, other in (pair, pair[::-1]):
                for row in np.flatnonzero(_is_in(by_use[one].hashes, wanted)).tolist():
                    value = by_use[other].hashes[row].as_py()
                    if value is not None and value not in known:
                        found[value] = tuple(part[row].as_py() for part in by_use[other].values)
        return found

    def new_links(self, suppression: Suppression) -> dict[str, tuple[str, ...]]:
        """Hash and values of what the listed records name that is not on the list yet."""
        known = suppression.of(LINK)
        found: dict[str, tuple[str, ...]] = {}
        listed = np.flatnonzero(self.is_listed)
        for named in self.others if len(listed) else ():
            hashes = named.hashes.take(pa.array(listed))
            for place, value in enumerate(hashes.to_pylist()):
                if value is not None and value not in known and value not in found:
                    found[value] = tuple(part[int(listed[place])].as_py() for part in named.values)
        return found

    def people_of(self, links: frozenset[str]) -> dict[str, set[str]]:
        """The people (hashes) whom records give these links to."""
        wanted = pa.array(sorted(links), pa.string())
        found: dict[str, set[str]] = {}
        for named in self.others:
            rows = pa.array(np.flatnonzero(_is_in(named.hashes, wanted)))
            if not len(rows):
                continue
            hashes = named.hashes.take(rows).to_pylist()
            for person in self.people:
                for link, who in zip(hashes, person.hashes.take(rows).to_pylist(), strict=True):
                    if who is not None:
                        found.setdefault(link, set()).add(who)
        return found


def source_links(source: Source, emits: Iterable[Emit]) -> SourceLinks:
    """The keys that the emits of a source name, each once."""
    uses: dict[KeyUse, None] = {}
    same: dict[tuple[KeyUse, KeyUse], None] = {}
    for emit in emits:
        if emit.source == source.name:
            own = KeyUse(emit.resource, emit.identity, emit.key, (), emit.item)
            uses[own] = None
            for path, use in _referred(emit):
                uses[use] = None
                if emit.resource == use.resource == PATIENT and path.startswith("link[") and use != own:
                    same[own, use] = None
    wanted = [use for use in uses if use.resource not in NOBODYS]
    return SourceLinks(
        source,
        tuple(use for use in wanted if use.resource == PATIENT),
        tuple(use for use in wanted if use.resource != PATIENT),
        tuple(same),
    )


def person_hashes(uses: Iterable[KeyUse], suppression: Suppression, values: Sequence[str]) -> set[tuple[str, str]]:
    """What goes on the list for a person of these key values, written in any of these ways."""
    prepared = [fold(value) for value in values]
    fitting = [use for use in uses if len(use.parts) == len(prepared)]
    found = {(PERSON, use.hash(suppression, _normal_values(use, prepared))) for use in fitting}
    return found | token_hashes(suppression, prepared) if found else found


def token_hashes(suppression: Suppression, values: Sequence[str]) -> set[tuple[str, str]]:
    """A key of one value as it is looked for where no columns can be read; none for one too short to tell anything."""
    if len(values) != 1 or len(values[0]) < SHORTEST_TOKEN:
        return set()
    return {(TOKEN, suppression.hash(TOKEN, values))}


def find_listed(links: SourceLinks, rows: pa.RecordBatch, suppression: Suppression) -> Found:
    """Which bronze rows are those of people on the list.

    Args:
        rows: of the source's bronze table, with at least ``_raw``, ``_error`` and the columns of the links.
    """
    count = rows.num_rows
    is_person, names_person, is_theirs = (np.zeros(count, dtype=bool) for _ in range(3))
    listed_people = pa.array(sorted(suppression.of(PERSON)), pa.string())
    listed_links = pa.array(sorted(suppression.of(LINK)), pa.string())
    people = tuple(_named(use, links.source, rows, suppression) for use in links.people)
    others = tuple(_named(use, links.source, rows, suppression) for use in links.others)
    for named in people:
        is_person |= _is_in(named.hashes, listed_people)
        names_person |= pc.is_valid(named.hashes).to_numpy(zero_copy_only=False)
    for named in others:
        is_theirs |= _is_in(named.hashes, listed_links)
    unread = _unread(rows, suppression)
    return Found(is_person | (is_theirs & ~names_person) | unread, people, others, links.same)


def mentions(text: str, suppression: Suppression) -> bool:
    """Whether a text that no reader understands holds a key value of a person on the list, as a word of its own."""
    tokens = suppression.of(TOKEN)
    return any(suppression.hash(TOKEN, (word,)) in tokens for word in set(words(text)))


def words(text: str) -> Iterator[str]:
    """Runs of characters between separators, half-width, and the parts of a path: ``Patient/7`` gives ``7`` too."""
    for found in _TOKEN.finditer(fold(text)):
        word = fold(found.group())
        yield word
        if "/" in word:
            yield from word.split("/")


def _referred(emit: Emit) -> Iterator[tuple[str, KeyUse]]:
    """Every key that an emit refers to, with the path where."""
    for path, whole_expression in emit.elements.items():
        for expression in flatten([whole_expression]):
            if isinstance(expression, Reference):
                target = expression.reference
                identity = expression.identity or (target if target in SHARED_IDENTITY else "")
                yield path, KeyUse(target, identity, expression.parts, expression.null_values, expression.item)


def _named(use: KeyUse, source: Source, rows: pa.RecordBatch, suppression: Suppression) -> Named:
    absent = frozenset({"", *(fold(value) for value in (*source.null_values, *use.null_values))})
    parts = tuple(_prepared(rows.column(part.column), part, absent) for part in use.parts)
    if len(parts) == 1:
        return Named(use, parts, _mapped(parts[0], lambda value: use.hash(suppression, (value,))))
    known: dict[tuple[str, ...], str] = {}
    hashes: list[str | None] = []
    for values in zip(*(part.to_pylist() for part in parts), strict=True):
        if None in values:
            hashes.append(None)
            continue
        if values not in known:
            known[values] = use.hash(suppression, values)
        hashes.append(known[values])
    return Named(use, parts, pa.array(hashes, pa.string()))


def _normal_values(use: KeyUse, values: Sequence[str]) -> list[str]:
    return [
        value if part.normalise is None else normal_text(part.normalise, value)
        for part, value in zip(use.parts, values, strict=True)
    ]


def _prepared(column: pa.Array, part: KeyPart, absent: frozenset[str]) -> pa.Array:
    """Texts as ids are made of them: half-width, trimmed, null values gone, ``extract``'s group, in normal form."""
    form = part.normalise
    texts = _extracted(column, part.extract, absent)
    return texts if form is None else _mapped(texts, lambda text: None if text is None else normal_text(form, text))


def _extracted(column: pa.Array, extract: str | None, absent: frozenset[str]) -> pa.Array:
    texts = _mapped(column.cast(pa.string()), lambda value: None if fold(value) in absent else fold(value))
    if extract is None:
        return texts
    # Arrow's expressions are RE2, of the family that the specs' dialect is checked for; Python's know no `\p{L}`.
    pattern = whole(extract)
    groups = pc.replace_substring_regex(texts, pattern=pattern, replacement=r"\1")
    return pc.if_else(pc.match_substring_regex(texts, pattern=pattern), groups, pa.scalar(None, pa.string()))


def _mapped(column: pa.Array, function: Callable[[str], str | None]) -> pa.Array:
    """A function of texts, called once for each distinct one."""
    coded = column.dictionary_encode()
    values = pa.array([function(value) for value in coded.dictionary.to_pylist()], pa.string())
    return values.take(coded.indices)


def _is_in(hashes: pa.Array, wanted: pa.Array) -> np.ndarray:
    return pc.is_in(hashes, value_set=wanted, skip_nulls=True).to_numpy(zero_copy_only=False)


def _unread(rows: pa.RecordBatch, suppression: Suppression) -> np.ndarray:
    """Rows that the reader could not read whose text mentions a person on the list."""
    found = np.zeros(rows.num_rows, dtype=bool)
    errors = np.flatnonzero(pc.is_valid(rows.column("_error")).to_numpy(zero_copy_only=False))
    raw = rows.column("_raw")
    for number in errors.tolist():
        found[number] = mentions(raw[number].as_py() or "", suppression)
    return found
