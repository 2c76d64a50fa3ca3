"""CSV as hospitals write it: headers, quotes, line ends, bad bytes; what a bad record costs."""

from __future__ import annotations

import io
import time

import pytest
from source_files import csv_source

from contracts.errors import SourceContractError
from contracts.region import Column, Source
from fhir_mapping.sources.csv_scanner import MAX_RECORD_LINES
from fhir_mapping.sources.reader import Refusal, inspect, read_records

PAIR = csv_source("a", "b", header=False)


def _read(text: str, source: Source = PAIR) -> list[tuple[str, str | None, tuple]]:
    """(raw, error, values) of each record."""
    records = list(read_records(source, text.encode()))
    assert [record.record_no for record in records] == list(range(len(records)))
    return [(record.raw, record.error, tuple(record.values.values())) for record in records]


def _errors(text: str, source: Source = PAIR) -> list[str | None]:
    return [error for _, error, _ in _read(text, source)]


def test_values_are_kept_as_written() -> None:
    assert _read("１２ , 无\n,\n") == [("１２ , 无", None, ("１２ ", " 无")), (",", None, ("", ""))]


def test_quoted_fields_hold_delimiters_quotes_and_line_breaks() -> None:
    assert _read('"肺,炎","说""痛"""\r\n"一\r\n二",x\r\n') == [
        ('"肺,炎","说""痛"""', None, ("肺,炎", '说"痛"')),
        ('"一\r\n二",x', None, ("一\r\n二", "x")),
    ]


def test_a_quote_inside_an_unquoted_field_is_a_character() -> None:
    assert _read('5"4,x\n') == [('5"4,x', None, ('5"4', "x"))]


def test_an_unclosed_quote_costs_its_own_record_only() -> None:
    assert _errors('1,"咳嗽\n2,x\n3,"y"\n4,z\n') == ["unclosed_quote", None, None, None]


def test_an_unclosed_quote_in_the_last_record_or_without_any_other_quote() -> None:
    assert _errors('1,x\n2,"y') == [None, "unclosed_quote"]
    assert _errors('1,"x\n' + "2,y\n" * (MAX_RECORD_LINES + 10)).count("unclosed_quote") == 1


def test_a_record_of_several_lines_with_a_wrong_field_count_is_not_believed() -> None:
    assert _errors('1,"x\n2,y",q\n3,z\n') == ["unclosed_quote", "column_count", None]


def test_text_after_a_closing_quote_is_a_stray_quote() -> None:
    assert _read('1,"说"痛"了"\n2,x\n') == [('1,"说"痛"了"', "stray_quote", (None, None)), ("2,x", None, ("2", "x"))]


def test_a_field_may_be_as_long_as_the_record_limit_allows() -> None:
    inside = "\n".join("行" for _ in range(MAX_RECORD_LINES))
    assert _read(f'1,"{inside}"\n') == [(f'1,"{inside}"', None, ("1", inside))]
    assert _errors(f'1,"{inside}\n"\n')[0] == "unclosed_quote"


def test_too_few_and_too_many_fields_are_named() -> None:
    assert _errors("1\n1,2\n1,2,3\n") == ["column_count", None, "column_count"]


def test_blank_lines_and_a_missing_last_line_end_are_no_records() -> None:
    assert [raw for raw, _, _ in _read("\n1,2\n\r\n\n3,4")] == ["1,2", "3,4"]


def test_lines_end_at_cr_where_there_is_no_lf() -> None:
    assert [raw for raw, _, _ in _read("1,2\r3,4\r")] == ["1,2", "3,4"]


def test_a_lone_cr_and_other_separators_of_unicode_are_text() -> None:
    assert _read('1\r,2\n"3\r",\x0b4\u2028\n') == [
        ("1\r,2", None, ("1\r", "2")),
        ('"3\r",\x0b4\u2028', None, ("3\r", "\x0b4\u2028")),
    ]


def test_bad_bytes_flag_their_record_alone() -> None:
    source = csv_source("a", "b", header=False, encoding="gb18030")
    data = "张三,肺炎\n".encode("gb18030") * 3
    records = list(read_records(source, data + b"x\xff,y\n" + data))
    assert [record.error for record in records] == [None] * 3 + ["bad_encoding"] + [None] * 3
    assert records[3].raw == r"x\xff,y"
    assert set(records[3].values.values()) == {None}


def test_a_delimiter_that_is_half_of_a_gbk_character_stays_in_it() -> None:
    characters = [chr(code) for code in range(0x4E00, 0x9FA6) if chr(code).encode("gb18030")[-1:] == b"|"]
    assert len(characters) == 116
    source = csv_source("a", "b", header=False, delimiter="|", encoding="gb18030")
    data = "".join(f"{character}|x\n" for character in characters).encode("gb18030")
    assert [record.values["a"] for record in read_records(source, data)] == characters


def test_columns_are_found_by_header_alias_and_full_width_form() -> None:
    columns = (
        Column(name="visit_no", header="就诊号"),
        Column(name="crp", header="CRP(mg/L)", aliases=("C反应蛋白",)),
        Column(name="note", required=False),
    )
    source = csv_source("x").model_copy(update={"column": columns})
    assert _read('"就诊号",多余,CRP（mg/L） \n7,x,1.50\n', source) == [("7,x,1.50", None, ("7", "1.50", None))]
    assert _read("C反应蛋白,就诊号\n2,8\n", source)[0][2] == ("8", "2", None)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty_file"),
        (b"\xef\xbb\xbf", "empty_file"),
        (b"\n\r\n\n", "empty_file"),
        (b"a,c\n1,2\n", "missing_column:b"),
        ("a,b\n1,2\n".encode("utf-32"), "unknown_encoding"),
    ],
)
def test_a_file_that_breaks_its_contract_is_refused_with_the_reason(data: bytes, reason: str) -> None:
    found = inspect(csv_source("a", "b"), io.BytesIO(data))
    assert isinstance(found, Refusal)
    assert found.reason == reason
    with pytest.raises(SourceContractError, match=reason):
        read_records(csv_source("a", "b"), data)


def test_a_file_with_only_a_header_is_empty_but_fine() -> None:
    assert _read("a,b\n", csv_source("a", "b")) == []


def test_hostile_quotes_cost_no_more_than_the_lines_they_stand_on() -> None:
    # each line closes the quote of the line before and opens another: rescanning 1000 lines a line took minutes
    started = time.monotonic()
    assert set(_errors('x","y\n' * 20_000)) == {"unclosed_quote"}
    assert time.monotonic() - started < 20


def test_a_headerless_file_may_lack_last_columns_that_are_not_required() -> None:
    columns = (Column(name="a"), Column(name="b"), Column(name="label", required=False))
    source = PAIR.model_copy(update={"column": columns})
    assert _read("1,2\n3,4\n", source) == [("1,2", None, ("1", "2", None)), ("3,4", None, ("3", "4", None))]
    assert _errors("1,2\n3,4,5\n", source) == ["column_count", None]
    assert _errors("1\n", source) == ["column_count"]
