"""The short ways for usual values give what the whole rules say: texts, dates, numbers and masks at their edges."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import pytest
from hidden_text import hidden
from pyspark.sql import Column, SparkSession
from pyspark.sql import functions as F

from fhir_mapping.masking import Known, mask_text
from fhir_mapping.spec import dates, numbers
from fhir_mapping.spec.conditions import checked_regex
from fhir_mapping.spec.plan import Plan
from fhir_mapping.spec.reading import first_group
from fhir_mapping.spec.text import fold, prepared_column
from fhir_mapping.terminology.code_map import CodeMap, Target, load_map

YEARS = (1850, 2100)


def column_of(spark: SparkSession, texts: Sequence[str | None], made: Column) -> list[Any]:
    """``made`` of a column ``t`` that holds the texts."""
    rows = spark.createDataFrame([(n, text) for n, text in enumerate(texts)], "n int, t string")
    return [row[0] for row in rows.orderBy("n").select(made).collect()]


def test_texts_are_prepared_as_fold_does(spark: SparkSession) -> None:
    nulls = ("NULL", "无", " N/A")
    cores = ["", "a", "NULL", "N/A", "无", "ＮＵＬＬ", "３．５ｍｇ", "血 红", "a b", "!", "~", "\x01", "𠮷", "－"]
    spaces = ["", " ", "\t", "\r", "\n", "\f", "\v", "\u00a0", "\u3000", "\ufeff", " \u3000 "]
    texts: list[str | None] = [before + core + after for core in cores for before in spaces for after in spaces]
    absent = {"", *map(fold, nulls)}
    expected = [None if fold(text or "") in absent else fold(text or "") for text in texts]
    found = column_of(spark, [*texts, None], prepared_column(F.col("t"), nulls))
    assert found == [*expected, None]


def days() -> list[str]:
    """Every day of a month as months might have, in years with and without a leap day and at the ends."""
    years = ("0000", "0001", "1849", "1850", "1900", "2000", "2023", "2024", "2100", "2101", "9999")
    return [
        f"{year}-{month:02d}-{day:02d}"
        for year in years
        for month in (0, 1, 2, 4, 6, 9, 11, 12, 13)
        for day in (0, 1, 28, 29, 30, 31, 32)
    ]


def rule_of(form: str, *, instant: bool = False) -> str | None:
    """What is wrong with a canonical form, told by Python's calendar."""
    year, month, day = (int(part) for part in (form[:10] + "-01-01").split("-")[:3])
    clock = re.fullmatch(r"T([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d+)?(Z|[+-](0\d|1[0-4]):\d\d)?", form[10:])
    try:
        # Year 0 is a leap year of the calendar carried back, which Python does not have.
        date(year or 2000, month, day)
    except ValueError:
        return "impossible_date"
    if form[10:] and clock is None:
        return "impossible_date"
    if not YEARS[0] <= year <= YEARS[1]:
        return "implausible_date"
    return "bad_date" if instant and len(form) <= 10 else None


@pytest.mark.parametrize("instant", [False, True])
def test_dates_are_judged_as_the_calendar_does(spark: SparkSession, instant: bool) -> None:
    clocks = ["T00:00:00", "T23:59:59.25", "T24:00:00", "T10:60:00", "T10:00:60", "T10:00:00Z", "T10:00:00+14:59"]
    clocks += ["T10:00:00-15:00", "T10:00:00.5+08:00", "T10:00:00+99:00"]
    texts = [*days(), *("2024-02-29" + clock for clock in clocks), *("2023-02-29" + clock for clock in clocks)]
    texts += ["2024", "2024-13", "2024-12", "2101", "1849-12", "2100-12-31T23:59:59"]
    expected = [*(rule_of(text, instant=instant) for text in texts), None]
    for usual in (None, dates.is_usual(F.col("t"))):
        made = dates.judge(F.col("t"), F.col("t"), YEARS, instant=instant, usual=usual)
        assert column_of(spark, [*texts, None], made) == expected


def test_what_is_no_date_at_all_is_told(spark: SparkSession) -> None:
    made = dates.judge(F.col("t"), F.lit(None).cast("string"), YEARS)
    assert column_of(spark, ["later", None], made) == ["bad_date", None]


def test_full_forms_are_read_as_they_are_and_others_as_before(spark: SparkSession) -> None:
    expected = {
        "2024-02-30": "2024-02-30",
        "2024-03-01T08:05:07": "2024-03-01T08:05:07",
        "2024-03-01T08:05": "2024-03-01T08:05:00",
        "2024-03-01T08:05Z": "2024-03-01T08:05:00Z",
        "2024-03-01 08:05:07": "2024-03-01T08:05:07",
        "2024-03-01T08:05:07.5+08:00": "2024-03-01T08:05:07.5+08:00",
        "2024-03-01T08:05:07-05:00": "2024-03-01T08:05:07-05:00",
        "2024-03-01T08:05:07.Z": None,
        "2024-03-01T08:05:07+0800": None,
        "2024/3/1 8:05": "2024-03-01T08:05:00",
        "2024-03": "2024-03",
        "2024-03-01T08": None,
        "20240301": "2024-03-01",
        "soon": None,
    }
    of_iso = {"2024-03-01T08:05:07": "2024-03-01T08:05:07", "2024-03-01T08:05": "2024-03-01T08:05:00", "2024/3/1": None}
    for usual in (None, dates.is_usual(F.col("t"))):
        made = dates.canonical(F.col("t"), ("any",), usual)
        assert column_of(spark, list(expected), made) == list(expected.values())
        made = dates.canonical(F.col("t"), ("iso",), usual)
        assert column_of(spark, list(of_iso), made) == list(of_iso.values())


def test_only_what_is_its_own_form_is_usual(spark: SparkSession) -> None:
    texts = [*days(), "2024-03-01T08:05:07", "2024-03-01T08:05", "2024-03-01T08:05:07.5Z", "2024-03", "2024/03/01", "x"]
    usual = column_of(spark, texts, dates.is_usual(F.col("t")))
    for formats in (("any",), ("iso", "dd.MM.yyyy")):
        assert dates.knows_usual(formats)
        forms = column_of(spark, texts, dates.canonical(F.col("t"), formats))
        assert all(form == text for text, form, is_usual in zip(texts, forms, usual, strict=True) if is_usual)
    # Of a format of its own order, a text that looks usual is another day.
    assert not dates.knows_usual(("yyyy-dd-MM", "iso"))


def test_local_times_get_the_offset_of_their_year(spark: SparkSession) -> None:
    expected = {
        "2024-03-01T08:05:07": "2024-03-01T08:05:07+08:00",
        "1993-01-01T00:00:00": "1993-01-01T00:00:00+08:00",
        "1988-07-01T10:00:00": "1988-07-01T10:00:00+09:00",
        "2024-03-01T08:05:07.25": "2024-03-01T08:05:07.25+08:00",
        "2024-03-01T08:05:07Z": "2024-03-01T08:05:07Z",
        "2024-03-01T08:05:07-05:00": "2024-03-01T08:05:07-05:00",
        "2024-03-01": "2024-03-01",
        "2024": "2024",
    }
    assert column_of(spark, list(expected), dates.with_offset(F.col("t"), "Asia/Shanghai")) == list(expected.values())
    summer = {"2024-07-01T08:00:00": "2024-07-01T08:00:00+02:00", "2024-01-01T08:00:00": "2024-01-01T08:00:00+01:00"}
    assert column_of(spark, list(summer), dates.with_offset(F.col("t"), "Europe/Berlin")) == list(summer.values())


def test_numbers_come_in_fhirs_form(spark: SparkSession) -> None:
    expected = {"0": "0", "-0.50": "-0.50", "5.60": "5.60", "065.80": "65.80", ".5": "0.5", "-.5": "-0.5", "5.": "5"}
    expected |= {"+3": "3", "1e3": "1e3", "00": "0", "1234567890": "1234567890", "12345678901.1": "12345678901.1"}
    expected |= {"0.1234567890": "0.1234567890", "9" * 24: "9" * 24}
    nothing = ["", "-", ".", "1,2", "5 ", "0x1", "1.2.3", "9" * 25, "５"]
    found = column_of(spark, [*expected, *nothing], numbers.number_text(F.col("t")))
    assert found == [*expected.values(), *[None] * len(nothing)]


def test_short_numbers_by_a_double_are_the_decimals_they_say(spark: SparkSession) -> None:
    draw = random.Random(4)
    texts = ["0", "-0", "0.000001", "-0.00001", "9.999999", "99999999", "-9999999", "0.123456", "0.1234567", "1e-6"]
    texts += ["123456789.1234565", "0.0000005", "1e3", "1.5e2", "9" * 20]
    for _ in range(2_000):
        digits = "".join(draw.choice("0123456789") for _ in range(draw.randint(1, 11)))
        point = draw.randint(1, len(digits))
        whole = str(int(digits[:point]))
        texts.append(draw.choice(["", "-"]) + whole + ("." + digits[point:] if point < len(digits) else ""))
    expected = [Decimal(text).quantize(Decimal("0.000001"), ROUND_HALF_UP) for text in texts]
    assert column_of(spark, texts, numbers.number_value(F.col("t"))) == expected


def test_comparators_are_told_from_what_begins_otherwise(spark: SparkSession) -> None:
    expected: dict[str, tuple[str | None, str]] = {
        "<5": ("<", "5"),
        "<= 5": ("<=", "5"),
        "≤5": ("<=", "5"),
        "≦5": ("<=", "5"),
        "≥ 5": (">=", "5"),
        "≧5": (">=", "5"),
        ">5": (">", "5"),
        "＜5": (None, "＜5"),
        "<": ("<", ""),
        "=5": (None, "=5"),
        "5<": (None, "5<"),
        "-5": (None, "-5"),
        "阳性": (None, "阳性"),
    }
    made = F.struct(numbers.comparator(F.col("t")), numbers.without_comparator(F.col("t")))
    found = [tuple(row) for row in column_of(spark, [*expected, None], made)]
    assert found == [*expected.values(), (None, None)]


def test_what_follows_a_start_is_what_the_pattern_extracts(spark: SparkSession) -> None:
    ends = ["", "a", "甲", "a/b", "a b", " ", "a\nb", "\n", "a\r", "\u0085", "\u2028a", "Patient/"]
    texts = [*("Patient/" + end for end in ends), "patient/a", "xPatient/a", "Patient", "", "Patientäa"]
    extract = checked_regex("^Patient/(.+)$")
    assert extract is not None
    matches = [re.fullmatch(extract, text) for text in texts]
    expected = [match and match[1] for match in matches]
    assert len(set(expected)) > 7
    assert column_of(spark, [*texts, None], first_group(F.col("t"), extract)) == [*expected, None]
    assert column_of(spark, [*texts, None], first_group(F.col("t"), f"(?:{extract})")) == [*expected, None]


def test_masks_leave_nothing_that_the_whole_rule_hides(spark: SparkSession) -> None:
    names = ["张三", "Li", "A", None]
    texts = [
        "",
        "a",
        "患者张三 自述",
        "Liver",
        "A+",
        "13812345678",
        "1381234567",
        "１３８１２３４５６７８ 李",
        "138-1234-5678",
    ]
    texts += ["010-2345678", "0102 234567", "010-234567", "患者010-2345678", "ＡＢ"]
    texts += ["(010)82345678", "010 8234567", "1" * 14, "1" * 15, "11010519491231002X", "张三张三", "4.0-10.0", "张 三"]
    rows = spark.createDataFrame(
        [(n, text, name, "82345678") for n, (text, name) in enumerate((t, m) for t in texts for m in names)],
        "n int, t string, name string, phone string",
    )
    values = [F.col("name"), F.col("phone")]
    masked = hidden(F.col("t"), values)
    found = [row[0] for row in rows.orderBy("n").select(masked).collect()]
    # In the order of the columns, as the values are looked for.
    once = [text.replace(name, "***") if name and len(name) > 1 else text for text in texts for name in names]
    assert found == [mask_text(text, Known(numbers=frozenset({"82345678"}))) for text in once]


def test_a_column_of_tests_that_hold_together_stands_once(spark: SparkSession) -> None:
    plan = Plan((), {})
    rows = spark.createDataFrame([(a, b) for a in (True, False) for b in (True, False)], "a boolean, b boolean")
    first, again = plan.all_hold(["a", "b"]), plan.all_hold(["b", "a", "b"])
    assert str(first) == str(again)
    assert [row[0] for row in plan.apply(spark, rows).select(first).collect()] == [True, False, False, False]
    assert str(plan.all_hold(["a"])) == str(F.col("a"))


def test_a_value_is_masked_where_the_text_has_it_in_full_width(spark) -> None:
    told = [
        ("ＺＨＡＮＧ　ＳＡＮ，来诊", "ZHANG SAN", None, "***,来诊"),
        ("ZHANG SAN和ＺＨＡＮＧ ＳＡＮ", "ZHANG SAN", "77881", "***和***"),
        ("床号７７８８１", None, "77881", "床号***"),
        ("张　三，３床", "张 三", None, "***,3床"),
        ("Ａ型，３床", "A", None, "Ａ型，３床"),
        ("Ａ型，３床", "ZHANG SAN", None, "Ａ型，３床"),
    ]
    rows = spark.createDataFrame(
        [(n, *row) for n, row in enumerate(told)], "n int, t string, a string, b string, w string"
    )
    values = [F.col("a"), F.col("b")]
    masked = hidden(F.col("t"), values)
    assert [row[0] for row in rows.orderBy("n").select(masked).collect()] == [row[3] for row in told]


@pytest.mark.parametrize("name", ["ucum", "observation_interpretation", "hl7v2_diagnostic_service", "none"])
def test_a_map_as_branches_gives_what_its_rows_say(spark: SparkSession, name: str) -> None:
    code_map = CodeMap("none", Path(), {}, "") if name == "none" else load_map(name, [])
    plan = Plan((), {name: code_map})
    with plan.only_where(["is_asked"]):
        _, *parts = plan.lookup(name, "t", F.col("t"))
    texts = [*code_map.rows, "", "not in it", "g/dL ", None]
    rows = spark.createDataFrame([(n, text, True) for n, text in enumerate(texts)], "n int, t string, is_asked boolean")
    made = plan.apply(spark, rows)
    # Branches throughout: no map was joined.
    assert not [column for column in made.columns if column.startswith("_m")]
    nothing = (None, None, None)
    found = [tuple(row) for row in made.orderBy("n").select(*parts).collect()]
    targets: list[Target | None] = [code_map.rows.get(text or "") for text in texts]
    assert found == [nothing if one is None else (one.system, one.code, one.display) for one in targets]
