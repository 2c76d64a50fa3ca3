"""What footers of Parquet files say of texts: gathered from dictionaries, joined over groups, files and parts."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import write_deltalake
from pyspark.sql.types import StringType, StructField, StructType

from lake import texts as texts_module
from lake.maintenance import compact
from lake.reader import part_files, read_arrow
from lake.tables import Table, write_arrow
from lake.texts import FEW, FEW_BYTES, REPEATED, Texts, TextsOfFile, read_texts
from lake.texts import _of_file as of_file

CODED = pa.dictionary(pa.int32(), pa.string())


def shorter(columns: Mapping[str, pa.StringArray]) -> Mapping[str, Collection[str]]:
    """``shorter than n`` for every n that holds of all texts, up to 9; nothing of a column ``untold``."""
    lengths = {name: max(map(len, texts.to_pylist()), default=-1) for name, texts in columns.items()}
    return {name: below(length + 1) for name, length in lengths.items() if name != "untold"}


def below(number: int) -> frozenset[str]:
    return frozenset(f"shorter than {n}" for n in range(number, 10))


def coded(*places: int | None, of: Collection[str | None]) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array(places, pa.int32()), pa.array(of, pa.string()))


def told(*groups: pa.Table) -> Mapping[str, Texts]:
    """What a file of these row groups says."""
    found = TextsOfFile(shorter)
    for group in groups:
        found.see(group)
    file = pa.BufferOutputStream()
    with pq.ParquetWriter(file, pa.schema([])) as writer:
        writer.add_key_value_metadata(found.footer())
    return of_file(pa.BufferReader(file.getvalue()))


def told_of(*chunks: pa.Array) -> Texts:
    return told(pa.table({"a": pa.chunked_array(chunks)}))["a"]


def test_a_dictionary_says_which_texts_and_whether_nulls_occur() -> None:
    assert told_of(coded(0, 1, 1, of=["bb", "a"])) == Texts(below(3), False, ("a", "bb"))
    assert told_of(coded(0, None, of=["a"])) == Texts(below(2), True, ("a",))
    assert told_of(coded(0, 1, of=["a", None])) == Texts(below(2), True, ("a",))
    # What no row has may be told: no row has a text that is not.
    assert told_of(coded(0, of=["a", "long"])) == Texts(below(5), False, ("a", "long"))


def test_of_a_column_without_texts_everything_holds() -> None:
    for nothing in (coded(None, None, of=["unused"]), coded(None, of=[]), coded(0, 0, of=[None])):
        assert told_of(nothing) == Texts(below(0) | {REPEATED}, True, ())
    assert told_of(coded(of=["unused"])) == Texts(below(0) | {REPEATED}, False, ())
    assert told_of(coded(None, of=[]), coded(0, of=["a"])) == Texts(below(2), True, ("a",))


def test_texts_that_stand_in_eight_rows_each_are_repeated() -> None:
    often = [text for text in ("a", "b") for _ in range(8)]
    assert REPEATED in told_of(coded(*[0] * 8, *[1] * 8, of=["a", "b"])).facts
    assert REPEATED not in told_of(coded(*[0] * 8, *[1] * 7, of=["a", "b"])).facts
    assert REPEATED not in told_of(coded(*[0] * 8, *[1] * 7, None, of=["a", "b"])).facts
    assert REPEATED in told_of(pa.array(often).dictionary_encode(), coded(None, of=[])).facts
    assert REPEATED not in told_of(coded(*[0] * 8, of=["a"]), coded(*[0] * 7, of=["b"])).facts
    assert REPEATED in told_of(coded(*[0] * 8, of=["a"]), coded(*[0] * 4, of=["b"]), coded(*[0] * 4, of=["b"])).facts


def test_a_slice_says_what_its_own_rows_have() -> None:
    whole = coded(0, None, 1, None, None, of=["a", "bb"])
    assert told_of(whole.slice(0, 1)) == Texts(below(3), False, ("a", "bb"))
    assert told_of(whole.slice(1, 2)) == Texts(below(3), True, ("a", "bb"))
    assert told_of(whole.slice(3)) == Texts(below(0) | {REPEATED}, True, ())
    part = pa.DictionaryArray.from_arrays(pa.array([0], pa.int32()), pa.array(["long", "a", "bb"]).slice(1))
    assert told_of(part) == Texts(below(3), False, ("a", "bb"))


def test_chunks_and_groups_are_joined() -> None:
    one, other = coded(0, of=["a"]), coded(0, None, of=["ccc"])
    both = Texts(below(4), True, ("a", "ccc"))
    assert told_of(one, other) == both
    assert told(pa.table({"a": one}), pa.table({"a": other})) == {"a": both}


def test_the_columns_of_a_group_are_asked_of_together() -> None:
    asked: list[dict[str, list[str]]] = []

    def asked_of(columns: Mapping[str, pa.StringArray]) -> Mapping[str, Collection[str]]:
        asked.append({name: texts.to_pylist() for name, texts in columns.items()})
        return shorter(columns)

    chunks = pa.chunked_array([coded(0, None, of=["a"]), coded(0, of=["bb"])])
    columns = {
        "a": chunks,
        "untold": coded(0, 0, 0, of=["c"]),
        "none": coded(None, None, None, of=["d"]),
        "x": [1, 2, 3],
    }
    found = TextsOfFile(asked_of)
    found.see(pa.table(columns))
    found.see(pa.table({"a": coded(0, of=["e"]), "untold": coded(0, of=["c"])}))
    assert asked == [{"a": ["a", "bb"], "untold": ["c"], "none": []}, {"a": ["e"], "untold": ["c"]}]
    assert told(pa.table(columns))["untold"] == Texts(frozenset(), False, ("c",))


def test_a_column_that_is_no_dictionary_of_strings_everywhere_says_nothing() -> None:
    plain, large = pa.array(["a"]), pa.array(["a"], pa.large_string()).dictionary_encode()
    numbers = pa.array([1]).dictionary_encode()
    dictionary = coded(0, of=["a"])
    assert told(pa.table({"a": plain, "b": large, "c": numbers, "d": dictionary})).keys() == {"d"}
    for groups in ((dictionary, plain), (plain, dictionary)):
        assert told(*(pa.table({"a": group}) for group in groups)) == {}


@pytest.mark.parametrize(
    ("texts", "is_few"),
    [
        ([f"{n:02d}" for n in range(FEW)], True),
        ([f"{n:02d}" for n in range(FEW + 1)], False),
        (["x" * FEW_BYTES], True),
        (["x" * FEW_BYTES, "y"], False),
        (["阴" * (FEW_BYTES // 3)], True),
        (["阴" * (FEW_BYTES // 3), "yy"], False),
    ],
)
def test_texts_are_named_where_they_are_few_and_short(texts: list[str], is_few: bool) -> None:
    assert told_of(coded(0, of=texts)).few == (tuple(sorted(texts)) if is_few else None)
    # The same where they come together only as chunks are joined.
    assert told_of(coded(0, of=texts[:1]), coded(0, of=texts[1:] or texts)).few == told_of(coded(0, of=texts)).few


def test_more_texts_than_few_stay_unnamed_whatever_is_joined() -> None:
    many = coded(0, of=[str(n) for n in range(FEW + 1)])
    assert told_of(many, coded(0, of=["1"])).few is None
    assert told_of(coded(None, of=[]), many).few is None


@pytest.mark.parametrize("text", ['"', "\\", "\x00", "\n", "\x1f", "\u2028", "𠀀", "｜", ""])
def test_any_text_comes_back_from_a_footer(tmp_path: Path, text: str) -> None:
    table = _table(tmp_path)
    _write(table, "1", [text, text, text, None])
    assert read_texts(table.path, "day", ["1"])["a"] == Texts(below(len(text) + 1), True, (text,))


def _table(folder: Path) -> Table:
    columns = [StructField("day", StringType()), StructField("a", StringType()), StructField("b", StringType())]
    return Table(folder / "table", StructType(columns), ("day",))


def _write(table: Table, day: str, texts: Collection[str | None], *, is_told: bool = True) -> None:
    rows = pa.table({"day": [day] * len(texts), "a": pa.array(texts, pa.string()).cast(CODED), "b": texts})
    write_arrow(rows, table, {"day": [day]}, shorter if is_told else None)


def test_parts_are_joined_and_a_part_that_says_nothing_hides_all(tmp_path: Path) -> None:
    table = _table(tmp_path)
    _write(table, "1", ["a", "a"])
    _write(table, "2", ["bb", None])
    _write(table, "3", ["ccc"], is_told=False)
    assert read_texts(table.path, "day", ["1"]) == {"a": Texts(below(2), False, ("a",))}
    assert read_texts(table.path, "day", ["2", "1"]) == {"a": Texts(below(3), True, ("a", "bb"))}
    assert read_texts(table.path, "day", ["1", "4"]) == read_texts(table.path, "day", ["1"])
    assert read_texts(table.path, "day", ["1", "3"]) == read_texts(table.path, "day", []) == {}
    assert read_texts(tmp_path / "absent", "day", ["1"]) == {}
    assert read_arrow(table.path).num_rows == 5


def test_a_part_that_is_replaced_says_what_it_then_has(tmp_path: Path) -> None:
    table = _table(tmp_path)
    _write(table, "1", ["a", None])
    _write(table, "1", ["long"])
    assert read_texts(table.path, "day", ["1"]) == {"a": Texts(below(5), False, ("long",))}
    _write(table, "1", ["b"], is_told=False)
    assert read_texts(table.path, "day", ["1"]) == {}


def test_every_file_of_a_part_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lake.part_write.FILE_BYTES", 1)
    monkeypatch.setattr("lake.part_write.GROUP_ROWS", 2)
    table = _table(tmp_path)
    rows = [{"day": ["1"] * 2, "a": coded(0, 0, of=[text]), "b": [text] * 2} for text in ("a", "bb", "ccc")]
    write_arrow(pa.concat_tables(map(pa.table, rows)), table, {"day": ["1"]}, shorter)
    files = part_files(table.path, "day")["1"]
    assert {of_file(table.path / file)["a"].few for file in files} == {("a",), ("bb",), ("ccc",)}
    assert read_texts(table.path, "day", ["1"]) == {"a": Texts(below(4), False, ("a", "bb", "ccc"))}


def test_who_else_writes_files_leaves_no_word_of_other_files_in_them(tmp_path: Path) -> None:
    table = _table(tmp_path)
    _write(table, "1", ["a"])
    write_deltalake(str(table.path), pa.table({"day": ["1"], "a": ["long"], "b": ["x"]}), mode="append")
    assert read_texts(table.path, "day", ["1"]) == {}
    compact(table.path)
    assert len(part_files(table.path, "day")["1"]) == 1
    assert read_texts(table.path, "day", ["1"]) == {}


def test_a_footer_under_another_key_says_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = _table(tmp_path)
    _write(table, "1", ["a"])
    monkeypatch.setattr(texts_module, "_KEY", b"cloister.texts.next")
    assert read_texts(table.path, "day", ["1"]) == {}
