"""What bronze's footers say of texts makes mapping less work and nothing else: tables are the same without it."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from pyspark.sql import functions as F
from small_site import (
    ENCOUNTER,
    KEY,
    PATIENT,
    VISIT_COLUMNS,
    VITALS,
    deliver,
    new_zone,
    resources,
    run,
    snapshot,
    write_region,
)

from contracts.feature_spec import Frozen
from contracts.region import Region, Source, load_region
from contracts.zone import SiteZone
from fhir_mapping import bronze
from fhir_mapping.mapping import compile_site, map_day
from fhir_mapping.silver import build_silver
from fhir_mapping.spec.compile import SourceMapping
from fhir_mapping.spec.conditions import Condition
from fhir_mapping.spec.facts import ONE_WORD, UNESCAPED, USUAL_DATE, facts_of_group, prepared, unmasked
from fhir_mapping.spec.text import fold
from lake.reader import read_arrow
from lake.tables import Table, read, write_arrow
from lake.texts import Texts, read_texts
from synthetic.hl7v2_cn import VENDORS, make_feed

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

EVERYTHING = """
source = "his__visit"
resource = "Observation"
identity = "his__visit.everything"
key = ["visit_no", { column = "dept", normalise = "department" }]
order_by = "updated_at"
skip_when = { any = [{ column = "cancelled", in = ["1", "是"] }, { column = "cancelled", matches = "[xX]+" }] }
skip_rule = "cancelled_visit"
when = { any = [
  { all = [{ column = "visit_type", in = ["门诊", "Ｅ"] }, { not = { column = "sex", not_in = ["男", "2"] } }] },
  { column = "dept", matches = "\\\\P{L}{2}|\\\\x{5185}科" },
  { not = { any = [{ present = "phone" }, { absent = "name" }] } },
] }

[[check]]
rule = "range"
column = "temp"
max = 43
when = { not = { column = "visit_type", in = ["E"] } }
[[check]]
rule = "one_of"
column = "sex"
values = ["男", "女", "2", "1"]
[[check]]
rule = "matches"
column = "phone"
pattern = "[0-9]+"
[[check]]
rule = "required"
columns = ["patient_no"]
when = { column = "dept", not_in = ["内科", "-"] }

[elements]
"status" = { column = "visit_type", on_error = { default = "final" } }
"code.coding[0].code" = { first_of = [
  { column = "visit_type", when = { column = "visit_type", in = ["E", "门诊"] } },
  { column = "dept", when = { all = [{ present = "dept" }, { not = { column = "dept", in = ["内科"] } }] } },
  { const = "x" },
] }
"code.coding[0].system" = { column = "complaint", on_error = "null" }
"code.coding[1]" = { lookup = "department", column = "dept", null_values = ["外科"], on_missing = "null" }
"code.text" = { column = "complaint", null_values = ["-"] }
"category[0]" = { lookup = "department", column = "dept", on_missing = "keep_local", local_system = "urn:l" }
"category[1]" = { lookup = "department", column = "name", split = "|", on_missing = "null", when = { present = "sex" } }
"category[2].coding[0].code" = { column = "dept", normalise = "department" }
"category[2].text" = { concat = ["dept", "complaint"], when = { absent = "cancelled" } }
"subject" = { reference = "Patient", key = [{ column = "patient_no", extract = "^P(.+)$" }], on_error = "null" }
"encounter" = { reference = "Encounter", key = ["visit_no"], null_values = ["a|b"] }
"effectiveDateTime" = { datetime = "visit_time", on_error = "null" }
"issued" = { datetime = "updated_at", formats = ["iso", "yyyyMMdd"], on_error = "null" }
"valueQuantity" = { quantity = "pulse", unit = "temp", on_missing = "keep_local", on_error = "null" }
"note[0].text" = { column = "complaint", extract = "^(.)(?:.*)$", on_error = "null" }
"component[0].code.text" = { column = "name", mask = false }
"component[0].valueInteger" = { column = "temp", on_error = "null" }
"component[1].code.coding[0].code" = { column = "id_card", normalise = "id_card", null_values = ["ｘ y"] }
"component[1].valueBoolean" = { column = "cancelled", on_error = "null" }
"component[2].code.text" = { const = "g" }

[elements."component[2].valueQuantity"]
quantity = "pulse"
unit_const = "g/L"
convert_to = "umol/L"
analyte = "14682-9"
on_error = "null"
"""

SPECS = {"encounter": ENCOUNTER, "patient": PATIENT, "vitals": VITALS, "everything": EVERYTHING}
MAPS = {"ward": "source,target_system,target_code,target_display\n03.04,urn:ward,W,\n"}
RESULTS = 'template = "hl7v2/oru_r01"\nsystem = "lis"\nentity = "result"\nfiles = ["oru*.hl7"]\nencoding = "gbk"\n'
EDGES = ("", *" \u3000\xa0\ufeff\t\n\x0b\x1c\x1f\x7f\x85\u2028\x00｜")
GENERAL = (
    *("a|b", "a\\b", "a＼b", "ａ｜ｂ", "-", "－", "NULL", "5.6", "<3", "１２", "0", "P1", "P2", "true", "F", "张三"),
    *("2024-03-01", "2024-02-30", "2024-02-29T08:00:00", "2024-03-01T08:05:06.7+08:00", "20240301", "２０２４-03-01"),
    *("http://loinc.org", "11010519491231002X", "内科|外科"),
    *("x y", "ｘ\u3000ｙ", "≤ 7.80", "张三 13812345678", "urn:oid:1 2"),
)
NARROW = """
source = "his__visit"
resource = "Observation"
key = ["visit_no"]

[elements]
"status" = { const = "final" }
"code" = { lookup = "department", column = "dept", on_missing = "null" }
"category[0]" = { lookup = "department", column = "dept", split = "|", on_missing = "null" }
"category[1]" = { lookup = "ward", column = "dept", normalise = "department", on_missing = "null" }
"issued" = { datetime = "dept", on_error = "null" }
"encounter" = { reference = "Encounter", key = ["dept"] }
"component[0].code.coding[0].code" = { column = "dept" }
"component[0].code.coding[0].system" = { column = "dept", on_error = "null" }
"component[0].valueString" = { const = "there", when = { present = "dept" } }
"component[1].code.text" = { column = "dept", when = { not = { column = "dept", not_in = ["内科"] } } }
"""
TEXTS_OF_DAYS: tuple[list[str | None], ...] = (
    ["内科", "外科"],
    ["内科"],
    [" 内科"],
    ["内科|外科", "外科"],
    ["3.4", "5"],
    ["-", "内科"],
    ["ＮＵＬＬ"],
    ["\u3000"],
    ["a b", "urn:x"],
    ["a\u3000b"],
    ["a\\b"],
    ["a＼b"],
    ["2024-03-01T08:00:00", None],
    ["2024-03-01T08:00:00", "2024-02-30T08:00:00"],
    [None],
    ["x", "-"],
)
"""What a column holds on a day, alone; on the last the footer is of other null values, as a site had them before."""


@pytest.fixture(scope="module", autouse=True)
def _light(spark: SparkSession) -> None:
    # Compiling these wide plans to Java takes Spark longer than so few rows are worth.
    spark.conf.set("spark.sql.codegen.wholeStage", "false")
    spark.conf.set("spark.sql.codegen.factoryMode", "NO_CODEGEN")


def _region(folder: Path, specs: Mapping[str, str]) -> Region:
    write_region(folder, specs, VISIT_COLUMNS, MAPS)
    sources = folder / "sites" / "north" / "sources"
    visit = (sources / "visit.toml").read_text(encoding="utf-8")
    for column, kind in (("name", "name"), ("phone", "number")):
        visit = visit.replace(f'name = "{column}"\n', f'name = "{column}"\nidentifying = "{kind}"\n')
    (sources / "visit.toml").write_text('null_values = ["-", "ＮＵＬＬ "]\n' + visit, encoding="utf-8")
    (sources / "result.toml").write_text('null_values = ["ＮＵＬＬ "]\n' + RESULTS, encoding="utf-8")
    return load_region(folder)


def _asked(value: Any) -> Iterator[tuple[str, str]]:
    """Column and text of every condition in a model."""
    if isinstance(value, Condition) and value.column is not None:
        yield from ((value.column, text) for text in (*(value.in_ or ()), *(value.not_in or ())))
    for part in (getattr(value, name) for name in type(value).model_fields) if isinstance(value, Frozen) else ():
        yield from _asked(part)
    if isinstance(value, dict | tuple):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _asked(part)


def _pools(mapping: SourceMapping, source: Source) -> dict[str, list[str]]:
    """Of each column texts that conditions and code maps know."""
    pools: dict[str, list[str]] = {column.name: [] for column in source.column}
    for emit in mapping.emits:
        for column, text in _asked(emit):
            pools[column].append(text)
    for key in mapping._plan._names:
        if isinstance(key, tuple) and key[0] == "join":
            pools[key[2][1]] += list(mapping._plan.maps[key[1]].rows)[:5]
    return pools


def _texts(random_: random.Random, pool: list[str]) -> list[str | None]:
    """What a column of a day may hold: nothing, few or many texts, usual or odd, with nulls or without."""
    kind = random_.choice(("none", "one", "few", "few", "few", "many", "odd"))
    usual = [fold(text) for text in pool] or [text for text in GENERAL if fold(text) == text and "|" not in text]
    if kind == "none":
        return [None]
    if kind == "odd":
        odd = [*GENERAL, *EDGES, *(random_.choice(EDGES) + text + random_.choice(EDGES) for text in usual[:6])]
        return [*random_.sample(odd, random_.randint(1, 12)), *random_.choice(([], [None]))]
    found: list[str | None] = [*random_.sample(usual, min(len(usual), {"one": 1, "few": 4, "many": 40}[kind]))]
    found += [f"t{n}" for n in range(30)] if kind == "many" else []
    found += random_.choices(([], ["-"], [None], [None]))[0]
    return found


def _write_days(random_: random.Random, source: Source, table: Table, pools: dict[str, list[str]]) -> list[str]:
    """Two days of bronze whose footers tell facts of texts."""
    days = ["2024-03-01", "2024-03-02"]
    coded = pa.dictionary(pa.int32(), pa.string())
    for day in days:
        rows = 40
        columns: dict[str, Any] = dict.fromkeys(table.schema.names)
        columns |= {"_delivery_date": [day] * rows, "_file_id": ["f"] * rows, "_file_name": ["f"] * rows}
        columns |= {"_record_no": list(range(rows)), "_raw": ["{}"] * rows, "_error": [None] * (rows - 1) + ["bad"]}
        for column in source.column:
            texts = _texts(random_, pools[column.name])
            held = list(dict.fromkeys(text for text in texts if text is not None))
            dictionary = pa.array([*held, "held by no row"][: len(held) + (random_.random() < 0.2)], pa.string())
            places = [None if text is None else held.index(text) for text in random_.choices(texts, k=rows)]
            columns[column.name] = pa.DictionaryArray.from_arrays(pa.array(places, pa.int32()), dictionary)
        data = pa.table({name: columns[name] for name in table.schema.names})
        data = data.set_column(0, "_delivery_date", data[0].cast(coded))
        write_arrow(
            data, table, {"_delivery_date": [day]}, partial(facts_of_group, source.null_values, source.identifying)
        )
    return days


def test_of_each_fact_alone_the_table_is_the_same(spark: SparkSession, tmp_path: Path) -> None:
    region = _region(tmp_path / "region", {"narrow": NARROW})
    source = region.sites[0].source("his__visit")
    mapping = compile_site(region, region.sites[0], KEY)["his__visit"]
    table = bronze.table(new_zone(tmp_path / "zone"), source)
    days = [f"2024-03-{number + 1:02d}" for number in range(len(TEXTS_OF_DAYS))]
    for day, texts in zip(days, TEXTS_OF_DAYS, strict=True):
        dept = pa.array(texts, pa.string()).dictionary_encode()
        one = pa.array(["V1"] * len(dept)).dictionary_encode()
        empty = pa.nulls(len(dept), pa.string())
        own = {"_delivery_date": pa.array([day] * len(dept)), "_record_no": pa.array(range(len(dept)))}
        own |= {"_file_id": one, "_file_name": one, "_raw": one, "dept": dept, "visit_no": one}
        data = pa.table({name: own.get(name, empty) for name in table.schema.names})
        null_values = ("y",) if day == days[-1] else source.null_values
        write_arrow(data, table, {"_delivery_date": [day]}, partial(facts_of_group, null_values, source.identifying))
    without = _mapped(spark, mapping, table, None)
    for day, texts in zip(days, TEXTS_OF_DAYS, strict=True):
        places = [place for place, other in enumerate(without["_delivery_date"]) if other == day]
        found = _mapped(spark, mapping, table, read_texts(table.path, "_delivery_date", [day]), day)
        assert found == {name: [values[place] for place in places] for name, values in without.items()}, texts


NOTES = """
source = "his__visit"
resource = "Observation"
key = ["visit_no"]

[elements]
"status" = { const = "final" }
"code.text" = { column = "complaint" }
"note[0].text" = { column = "complaint", mask_names = ["dept"] }
"component[0].code.text" = { column = "complaint", mask = false }
"component[1].code.text" = { concat = ["complaint", "sex"] }
"""
TEXTS_WITH_NAMES: tuple[tuple[list[str | None], list[str | None], str], ...] = (
    (["咳嗽", "热"], ["张三", "李四"], "内科"),
    (["张三咳嗽", "咳嗽"], ["张三", "李四"], "内科"),
    (["咳嗽", "热"], ["李四", "嗽"], "内科"),
    (["内科 咳嗽"], ["张三"], "内科"),
    (["咳嗽，13812345678"], ["张三"], "内科"),
    ([" 咳嗽"], [None], "内科"),
    (["-", None], ["张三"], "内科"),
)
"""Complaints, names of patients and a department of a day, each complaint beside each name."""


def test_what_is_known_of_names_hides_the_same_in_texts(spark: SparkSession, tmp_path: Path) -> None:
    region = _region(tmp_path / "region", {"notes": NOTES})
    source = region.sites[0].source("his__visit")
    mapping = compile_site(region, region.sites[0], KEY)["his__visit"]
    table = bronze.table(new_zone(tmp_path / "zone"), source)
    days = [f"2024-03-{number + 1:02d}" for number in range(len(TEXTS_WITH_NAMES))]
    for day, (texts, names, dept) in zip(days, TEXTS_WITH_NAMES, strict=True):
        pairs = [(text, name) for text in texts for name in names]
        own = dict.fromkeys(table.schema.names, pa.nulls(len(pairs), pa.string()).dictionary_encode())
        own |= {"_delivery_date": pa.array([day] * len(pairs)), "_record_no": pa.array(range(len(pairs)))}
        own |= {name: pa.array(["1"] * len(pairs)).dictionary_encode() for name in ("_file_id", "_raw", "visit_no")}
        told = {
            "complaint": [text for text, _ in pairs],
            "name": [name for _, name in pairs],
            "dept": [dept] * len(pairs),
        }
        own |= {name: pa.array(values, pa.string()).dictionary_encode() for name, values in told.items()}
        facts = partial(facts_of_group, source.null_values, source.identifying)
        write_arrow(pa.table(own), table, {"_delivery_date": [day]}, facts)
    without = _mapped(spark, mapping, table, None)
    shown = []
    for day, of_day in zip(days, TEXTS_WITH_NAMES, strict=True):
        places = [place for place, other in enumerate(without["_delivery_date"]) if other == day]
        known = read_texts(table.path, "_delivery_date", [day])
        found = _mapped(spark, mapping, table, known, day)
        assert found == {name: [values[place] for place in places] for name, values in without.items()}, of_day
        shown.append(unmasked(source.identifying) in known["complaint"].facts)
    assert shown == [True, False, True, True, False, True, True]
    every = {text for values in without.values() for text in values if isinstance(text, str)}
    assert {"***咳嗽", "*** 咳嗽", "咳嗽，***", "咳嗽", "热"} <= every


def _mapped(
    spark: SparkSession, mapping: SourceMapping, table: Table, known: Mapping[str, Texts] | None, day: str | None = None
) -> dict[str, Any]:
    rows = read(spark, table)
    rows = rows if day is None else rows.where(F.col("_delivery_date") == day)
    made, columns = mapping.store(spark, rows) if known is None else mapping.store(spark, rows, known)
    found = made.select(*[column.alias(name) for name, column in columns.items()]).toArrow()
    found = found.sort_by([("_delivery_date", "ascending"), ("_record_no", "ascending")])
    return {name: found.column(name).to_pylist() for name in found.column_names}


@pytest.mark.parametrize("name", ["his__visit", "lis__result"])
def test_tables_are_the_same_with_what_is_known_of_texts(spark: SparkSession, tmp_path: Path, name: str) -> None:
    random_ = random.Random(name)
    region = _region(tmp_path / "region", SPECS)
    site = region.sites[0]
    source = site.source(name)
    mapping = compile_site(region, site, KEY)[name]
    table = bronze.table(new_zone(tmp_path / "zone"), source)
    days = _write_days(random_, source, table, _pools(mapping, source))
    known = read_texts(table.path, "_delivery_date", days)
    assert {column.name for column in source.column} <= set(known)
    with_known, without = (_mapped(spark, mapping, table, one) for one in (known, None))
    assert [name for name in without if with_known[name] != without[name]] == []


def _deliver(zone: SiteZone) -> list[str]:
    days = ["2024-03-01", "2024-03-02"]
    feed = make_feed(11, VENDORS[0], patients=4)
    for day, part in zip(days, (feed.oru[::2], feed.oru[1::2]), strict=True):
        deliver(zone, day, "oru.hl7", feed.data(part))
    return days


def test_footers_of_a_feed_are_used_and_change_nothing(spark: SparkSession, tmp_path: Path) -> None:
    region, zone = _region(tmp_path / "region", {}), new_zone(tmp_path / "zone")
    source = region.sites[0].source("lis__result")
    days, table = _deliver(zone), bronze.table(zone, source)
    run(spark, zone, region, days)
    known = read_texts(table.path, "_delivery_date", days)
    assert {column.name for column in source.column} <= set(known)
    assert known["value_type"].few == ("NM",)
    assert {prepared(source.null_values), ONE_WORD, UNESCAPED} <= known["item_code"].facts
    assert USUAL_DATE in known["reported_at"].facts
    mapped = snapshot(zone)
    for day in days:
        rows = read_arrow(table.path, where={"_delivery_date": [day]})
        write_arrow(rows, table, {"_delivery_date": [day]})
    assert read_texts(table.path, "_delivery_date", days) == {}
    map_day(spark, zone, region, region.sites[0], days)
    build_silver(spark, zone, region, region.sites[0])
    assert resources(zone, "Observation")
    assert snapshot(zone) == mapped
