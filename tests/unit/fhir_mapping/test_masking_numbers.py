"""Free text hides a person's numbers and names however they are written, and leaves other numbers alone.

Each text is masked by the engine and in plain Python, which agree but for width: the engine shows a text in which it
found a known value in full width in half width.
"""

from __future__ import annotations

import random
import re

import pytest
from hidden_text import hidden
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from fhir_mapping.masking import Known, mask_text
from fhir_mapping.spec.text import (
    GROUPED_CARD,
    IDENTIFYING,
    SIX_DIGITS,
    half_width,
)

NAME, PHONE, CARD, RECORD = "Zhang San", "010-8234 5678", "11010119900307775x", "778812"
KNOWN = Known(frozenset({NAME}), frozenset({PHONE, CARD, RECORD}))

STRANGERS = [
    "电话138-0013-8000。",
    "电话 138 0013 8000 复诊",
    "1380 013 8000",
    "138－0013－8000",
    "１３８　００１３　８０００",
    "+86 138 0013 8000",
    "＋８６－１３８－００１３－８０００",
    "0086 13800138000",
    "+86 10 8234 5678",
    "+86(138)0013-8000",
    "（0571）8899-0011",
    "0571-8899 0011",
    "010-82345678",
    "身份证110101 1990 0307 7758",
    "身份证 110101 19900307 7758 复诊",
    "110101-19900307-775X",
    "110 101 1990 03 07 775x",
    "1101 0119 9003 0777 58",
    "１１０１０１　１９９０　０３０７　７７５Ｘ",
    "110101-900307-775",
    "11010119900307775x",
]
OWN = [
    "1101 01199 003077 75X 复诊",
    "110101 19900307 775Ｘ",
    "区号 0108234-5678 转 0",
    "01 08 23 45 67 8",
    "病案号 778-812",
    "77 88 12",
    "７７８　８１２",
    "ZHANG SAN来诊",
    "患者zhang san，",
    "zhang san zhang san",
    "ＺＨＡＮＧ　ＳＡＮ",
]
PLAIN = [
    "WBC 12.5，血红蛋白 138 g/L",
    "4.0-10.0",
    "血压 120/80-130/85",
    "2024-03-01 至 2024-03-15",
    "2024-03-01 08:30:00",
    "20240301083000",
    "２０２４年０３月０１日",
    "2024-03-01 2024-03-15 1200ml",
    "150 - 400 (10^9/L)",
    "4.1 4.2 4.3 4.4 4.5 4.6 4.7",
    "12 15 18 20 22 25 30",
    "尿量 800 1200 1500",
    "1-2-3-4-5",
    "-0.000012345678",
    "77881",
    "Zhangsan",
    "zhang sanitarium",
    "范围 3.9－6.1",
]


def masked(spark: SparkSession, texts: list[str]) -> list[str]:
    rows = spark.createDataFrame(
        [(n, text, NAME, PHONE, CARD, RECORD, None) for n, text in enumerate(texts)],
        "n int, t string, a string, b string, c string, d string, e string",
    )
    values = [F.col(name) for name in "abcde"]
    return [row[0] for row in rows.orderBy("n").select(hidden(F.col("t"), values)).collect()]


def test_numbers_of_persons_and_known_values_are_hidden_however_they_are_written(spark: SparkSession) -> None:
    texts = [*STRANGERS, *OWN]
    found = masked(spark, texts)
    pairs = list(zip(texts, found, strict=True))
    assert [text for text, shown in pairs if re.search("[0-9０-９]{2}|(?i:zhang)", shown)] == []
    assert [text for text, shown in pairs if "***" not in shown] == []
    assert list(map(half_width, found)) == [half_width(mask_text(text, KNOWN)) for text in texts]


def test_the_shortest_texts_that_have_a_value_are_looked_into(spark: SparkSession) -> None:
    texts = ["A-12", "A12", "a１２", "a 1", "李", "李四", "李 四", "Ｂ７", "b-7", "b·7", "A--12"]
    schema = "n int, t string, a string, b string, c string, d string"
    rows = spark.createDataFrame([(n, text, "A-12", "李四", "B 7", None) for n, text in enumerate(texts)], schema)
    made = hidden(F.col("t"), [F.col(name) for name in "abcd"])
    found = [row[0] for row in rows.orderBy("n").select(made).collect()]
    known = Known(frozenset({"李四"}), frozenset({"A-12", "B 7"}))
    assert list(map(half_width, found)) == [half_width(mask_text(text, known)) for text in texts]
    assert found[:2] == ["***", "A12"]
    assert found[8:10] == ["***", "***"]


def test_no_number_of_anybody_is_shorter_than_what_is_looked_through() -> None:
    draw = random.Random(3)
    drawn = ("".join(draw.choices("0011388962 -(+", k=12)) for _ in range(20_000))
    found = [found[0] for text in drawn if (found := re.search(f"{GROUPED_CARD}|{IDENTIFYING}", text))]
    assert min(len(re.sub("[^0-9]", "", number)) for number in found) == 10


def test_other_numbers_are_left_alone(spark: SparkSession) -> None:
    assert masked(spark, PLAIN) == PLAIN
    assert [mask_text(text, KNOWN) for text in PLAIN] == PLAIN


@pytest.mark.parametrize(
    ("text", "values", "shown"),
    [
        ("a--b -- c 12 -- d", ["--"], "a--b -- c 12 -- d"),
        ("床号12-3，血红蛋白 1203", ["12-3"], "床号***，血红蛋白 1203"),
        ("text (x) next", ["(x)"], "text *** next"),
        ("x|y 以及 xzy", ["x|y"], "*** 以及 xzy"),
        ("Li Na came, LI NA", ["Li", "Li Na"], "*** came, ***"),
        ("张三丰来诊", ["张三", "张三丰"], "***来诊"),
        ("李四（大）来", ["李四(大)"], "***来"),
        ("O'Neil, O’Neil", ["O'Neil"], "***, ***"),
        ("Zhang San, Zhang\nSan, ZHANG·SAN", ["Zhang San"], "***, ***, ***"),
        ("买买提•艾力来诊", ["买买提·艾力"], "***来诊"),
        ("自述 Zhang\nSan", ["Zhang San"], "自述 ***"),
        ("[a]^b\\c$ 以及 [a] b c", ["[a]^b\\c$"], "*** 以及 [a] b c"),
        ("Éric, éric", ["Éric"], "***, ***"),
    ],
)
def test_values_with_marks_hide_what_they_are_and_no_more(
    spark: SparkSession, text: str, values: list[str], shown: str
) -> None:
    columns = [F.lit(value) for value in values]
    frame = spark.createDataFrame([(text,)], "t string")
    assert frame.select(hidden(F.col("t"), columns)).collect()[0][0] == shown
    assert mask_text(text, Known(frozenset(values))) == shown


@pytest.mark.parametrize("text", STRANGERS)
def test_what_is_masked_passes_the_cheap_test_first(text: str) -> None:
    assert re.search(IDENTIFYING, text) or re.search(GROUPED_CARD, text)
    assert re.search(SIX_DIGITS, text)
