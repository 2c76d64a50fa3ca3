"""What is told of all texts of a column is true of each, as Python reads it, and is told of usual texts."""

from __future__ import annotations

import hashlib
import random
import re

import pyarrow as pa
import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from fhir_mapping.identity.ids import ID_DIGITS, resource_id
from fhir_mapping.rules import conditions
from fhir_mapping.spec import text as text_module
from fhir_mapping.spec.conditions import Condition
from fhir_mapping.spec.dates import USUAL
from fhir_mapping.spec.facts import (
    EMPTY,
    ONE_WORD,
    UNESCAPED,
    USUAL_DATE,
    conditions_of,
    facts_of,
    facts_of_group,
    prepared,
    unmasked,
)
from fhir_mapping.spec.plan import Plan
from fhir_mapping.spec.satisfy import Context
from fhir_mapping.spec.text import bare, bare_value, fold, fold_column, mask_values
from lake import texts as texts_module
from lake.hashing import hmac_sha256
from lake.texts import Texts

NULL_VALUES = ("-", "ＮＵＬＬ", " 不详\u3000")
PREPARED = prepared(NULL_VALUES)
EDGES = [*map(chr, range(0x21)), *"\x7f\x85\xa0\u1680\u2028\u200b\u3000\ufeff｜＼～！｟\uff00|\\aZ9阴𠀀-"]
DATES = ["2024-02-28", "2024-02-29", "2024-01-31T23:59:59+08:00", "2024-01-01\n", "２０２４-01-01", "2024-1-1"]


def _prepared(text: str) -> str | None:
    found = fold(text)
    return None if found in {"", *map(fold, NULL_VALUES)} else found


def _is_escaped(text: str) -> bool:
    """Whether the id of a key of this text is not that of the text as it is."""
    return resource_id(b"k", "s", "R", "i", [text]) != hmac_sha256(b"k", f"s|R|i|{text}")[:ID_DIGITS]


def _true_of(texts: list[str]) -> set[str]:
    """Facts by their meaning, asked of each text."""
    values = [value for text in texts if (value := _prepared(text)) is not None]
    holds = {
        EMPTY: not texts,
        PREPARED: all(_prepared(text) == text for text in texts),
        ONE_WORD: all(re.fullmatch(r"[^ \t\r\n\f\v]+", value) for value in values),
        UNESCAPED: not any(map(_is_escaped, values)),
        USUAL_DATE: all(re.match(USUAL.replace("\\z", "\\Z"), text) for text in texts),
    }
    return {fact for fact, is_true in holds.items() if is_true}


def test_a_fact_that_is_told_is_true() -> None:
    random_ = random.Random(7)
    told_at_all: set[str] = set()
    for _ in range(600):
        texts = {random_.choice([*NULL_VALUES, *DATES, "x", "阳性", "Ｘ", " "]) for _ in range(random_.randint(1, 3))}
        if random_.random() < 0.8:
            texts.add("".join(random_.choices(EDGES if random_.random() < 0.4 else "ab1-", k=random_.randint(0, 4))))
        # A part of a longer array, as a slice of a dictionary is.
        array = pa.array(["|", *texts, " "]).slice(1, len(texts))
        told = set(facts_of(NULL_VALUES, array))
        assert told <= _true_of(list(texts)), texts
        told_at_all |= told
    assert told_at_all == {PREPARED, ONE_WORD, UNESCAPED, USUAL_DATE}


@pytest.mark.parametrize("edge", EDGES)
def test_one_character_in_any_place_counts(edge: str) -> None:
    for text in (edge, f"a{edge}", f"{edge}a", f"a{edge}b", f"阴{edge}性"):
        told = set(facts_of(NULL_VALUES, pa.array(["usual", text])))
        assert told <= _true_of([text]), text


@pytest.mark.parametrize(
    "texts",
    [["NM"], ["a", "b.c"], ["阴性", "x"], ["a b", "c"], ["阴 性"], ["a|b"], ["阴\\性"], ["-x"], ["不详1"], DATES[:1]],
)
def test_what_is_true_of_clean_texts_is_told(texts: list[str]) -> None:
    assert set(facts_of(NULL_VALUES, pa.array(texts))) == _true_of(texts)


def test_of_no_text_everything_holds() -> None:
    assert set(facts_of(NULL_VALUES, pa.array([], pa.string()))) == {EMPTY, PREPARED, ONE_WORD, UNESCAPED, USUAL_DATE}


def test_prepared_is_told_by_the_null_values_whatever_their_order_and_width() -> None:
    assert prepared(("-", "NULL")) == prepared((" ＮＵＬＬ", "－", "-"))
    assert prepared(("-",)) != prepared(()) == prepared(("\u3000",))
    for text in NULL_VALUES:
        assert PREPARED not in facts_of(NULL_VALUES, pa.array(["x", fold(text)]))


def _can_hold(texts: Texts, condition: dict[str, object], holds: bool = True) -> bool:
    """Whether a condition may hold (or fail) for a record of a column ``a`` of which this is known."""
    given = conditions_of({"a": texts}, ["a", "b"], PREPARED)
    context = Context(frozenset(map(fold, NULL_VALUES)), tuple((one, True) for one in given))
    return context.given(Condition.model_validate(condition), holds).can_hold()


def test_conditions_are_decided_by_few_texts_that_are_prepared() -> None:
    few = Texts(frozenset([PREPARED]), False, ("NM", "内科"))
    assert not _can_hold(few, {"column": "a", "in": ["ST"]})
    assert not _can_hold(few, {"column": "a", "in": ["ＮＭ", "内科"]}, holds=False)
    assert not _can_hold(few, {"absent": "a"})
    assert not _can_hold(few, {"column": "a", "matches": "[0-9]+"})
    assert _can_hold(few, {"column": "a", "matches": "[A-Z]+"})
    nulls = Texts(frozenset([PREPARED]), True, ("NM",))
    assert _can_hold(nulls, {"column": "a", "in": ["NM"]}, holds=False)
    assert _can_hold(nulls, {"column": "a", "not_in": ["NM"]})
    assert not _can_hold(Texts(frozenset([PREPARED]), False), {"absent": "a"})
    assert not _can_hold(Texts(frozenset([PREPARED, EMPTY]), True, ()), {"present": "a"})


def test_of_texts_that_are_not_prepared_no_condition_is_decided() -> None:
    for texts in (Texts(frozenset([ONE_WORD]), False, ("ST ",)), Texts(frozenset([prepared(("x",))]), False, ("ST",))):
        assert _can_hold(texts, {"absent": "a"})
        assert _can_hold(texts, {"column": "a", "in": ["NM"]})
        assert _can_hold(texts, {"column": "a", "in": ["ST"]}, holds=False)


@pytest.mark.parametrize(
    ("pattern", "text"),
    [(r"\P{L}\P{N}", "1a"), (r"\p{L}+", "内科"), (r"\x{5185}科", "内科"), (r"a\\z", r"a\z"), (r"[|][a||b]", "|b")],
)
def test_a_pattern_that_python_reads_otherwise_may_match(pattern: str, text: str) -> None:
    few = Texts(frozenset([PREPARED]), False, (text,))
    assert _can_hold(few, {"column": "a", "matches": pattern})


def test_no_pattern_is_tried_on_delivered_texts(spark: SparkSession) -> None:
    plan = Plan(NULL_VALUES, {}, tested=frozenset(["a", "b"]))
    slow = Condition.model_validate({"any": [{"column": "a", "matches": "(?:(?:a+)+)+b"}, {"absent": "b"}]})
    conditions.tests_of(plan, slow)
    rows = spark.createDataFrame([("a" * 100, "x")], "a string, b string")
    few = {"a": Texts(frozenset([PREPARED]), False, ("a" * 100,)), "b": Texts(frozenset([PREPARED]), False, ("x",))}
    assert [row[-1] for row in plan.apply(spark, rows, few).collect()] == [False]


def test_a_condition_of_very_many_alternatives_is_left_undecided() -> None:
    pairs = [{"all": [{"present": "b"}, {"column": f"c{n}", "in": ["x"]}]} for n in range(200)]
    assert _can_hold(Texts(frozenset([PREPARED]), True, ()), {"any": pairs}, holds=False)


def test_what_facts_mean_stands_still_for_the_footers_that_were_written() -> None:
    """Where this fails, facts have come to mean something else: then ``lake.texts`` needs another key too."""
    meant = "\n".join([USUAL, text_module.SPACE, text_module._FULL, text_module._HALF, ONE_WORD, UNESCAPED, EMPTY])
    assert (texts_module._KEY, hashlib.sha256(meant.encode()).hexdigest()[:12]) == (b"cloister.texts.1", "8f32720d42f1")


MASKED = ("name", "phone")
UNMASKED = unmasked(MASKED)
NAMES = [
    "张三",
    "李 四",
    "Ｏ'Neil",
    "ΑΣΒ",
    "ΑΣ",
    "LI",
    "Li Na",
    "x",
    "-",
    "()",
    "\ufeff王五",
    " 赵六 ",
    "J.R.",
    "İz",
    "白",
]
PHONES = ["13812345678", "(010) 6552-1234", "１３８", "42", "7", "+86 138 1234 5678", "110105194912310021"]
NOTES = [
    *(
        "张三丰",
        "李、四",
        "o neil",
        "ασβ",
        "ασ",
        "Lithium",
        "LI NA",
        "王五来诊",
        "赵",
        "jr",
        "i̇z",
        "白细胞 White cells",
    ),
    *("150-450", "4.2", "(3) 42", "20240301083000", "138 1234 5678", "010-65521234", "11010519491231002X", "ａ", "，"),
    *("a\x00b", "a\uffffb", "\x0042", "mmol/L", "血红蛋白", "Δ 1", "x"),
]


def _unmasked_in(columns: dict[str, list[str]]) -> set[str]:
    found = facts_of_group(NULL_VALUES, MASKED, {name: pa.array(texts, pa.string()) for name, texts in columns.items()})
    return {name for name, told in found.items() if UNMASKED in told}


def test_masking_changes_no_text_that_is_told_to_be_unmasked(spark: SparkSession) -> None:
    random_ = random.Random(3)
    told: set[tuple[str, str]] = set()
    others: set[tuple[str, str]] = set()
    groups = [{"name": [value], "phone": [], "note": [note]} for value in (*NAMES, *PHONES) for note in NOTES]
    pools = {"name": NAMES, "phone": PHONES, "note": NOTES}
    for _ in range(200):
        groups.append({name: random_.sample(pool, random_.randint(0, 3)) for name, pool in pools.items()})
    for columns in groups:
        pairs = {(note, value) for note in columns["note"] for value in (*columns["name"], *columns["phone"])}
        (told if "note" in _unmasked_in(columns) else others).update(pairs)
    # Of a pair that is not told nothing is said: another of its group may be the reason.
    others -= told
    rows = spark.createDataFrame([*told, *others], "text string, value string")
    rows = rows.select("text", "value", bare(F.col("text")).alias("bare"), fold_column(F.col("value")).alias("folded"))
    rows = rows.withColumn("short", bare_value(F.col("folded")))
    shown = mask_values(F.col("text"), F.col("bare"), [F.col("folded")], [F.col("short")])
    changed = {
        (row["text"], row["value"]) for row in rows.select("*", shown.alias("shown")).where("shown <> text").collect()
    }
    assert not changed & told
    assert len(told) > 150
    assert len(changed) > 40


def test_usual_texts_are_told_to_be_unmasked() -> None:
    usual = {
        "name": ["张三", "LI NA"],
        "phone": ["13812345678", "(010) 6552-1234"],
        "note": ["血红蛋白", "150-450", "LDL"],
    }
    assert "note" in _unmasked_in(usual)
    assert "note" in _unmasked_in(usual | {"name": [], "phone": [], "note": []})
    assert "name" not in _unmasked_in(usual), "nothing is told of the masked columns themselves"
    many = [f"王{chr(0x4E00 + number)}{chr(0x5000 + number // 7)}" for number in range(9000)]
    assert "note" in _unmasked_in(usual | {"name": many})
    assert "note" in _unmasked_in(usual | {"name": many[:1500]})
    assert "note" not in _unmasked_in(usual | {"name": [*many, "ldl"]})


def test_nothing_is_told_of_texts_that_are_not_looked_through() -> None:
    assert "note" not in _unmasked_in({"name": ["张三"], "note": ["a"]}), (
        "no word of the telephones: they are not known"
    )
    assert "note" not in _unmasked_in({"name": ["张三"], "phone": [], "note": [f"word {n:06d}" for n in range(9000)]})
    names = [chr(0x4E00 + number) + "一" for number in range(3000)]
    assert "note" not in _unmasked_in({"name": names, "phone": [], "note": ["血红蛋白"]})


def test_what_was_told_under_other_rules_of_masking_is_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    assert unmasked(("phone", "name")) == UNMASKED != unmasked(("name",))
    monkeypatch.setattr("fhir_mapping.spec.facts.RULES", (*text_module.RULES, "one more"))
    assert unmasked(MASKED) != UNMASKED
