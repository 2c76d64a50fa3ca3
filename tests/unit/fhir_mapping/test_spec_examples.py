"""Examples that stand in specs: what passes, and how a difference is told."""

from __future__ import annotations

from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from small_site import ENCOUNTER, VITALS, write_region

from contracts.errors import SpecError, UsageError
from contracts.fhir.json_text import DecimalText
from fhir_mapping.spec.examples import differences, read_examples
from fhir_mapping.spec.examples_run import Result, run_examples
from fhir_mapping.spec.folder import open_sites
from fhir_mapping.spec.lines import key_lines, line_of
from fhir_mapping.spec.model import read_spec

VISIT = 'visit_no = "V1", patient_no = "P1", visit_type = "门诊", visit_time = "2024-03-01 08:05", updated_at = "2"'
ROOT = Path(__file__).resolve().parents[3]


def results(spark: SparkSession, folder: Path, *examples: str, spec: str = ENCOUNTER) -> list[Result]:
    region = write_region(folder, {"tried": spec + "\n" + "\n".join(f"[[example]]\n{text}\n" for text in examples)})
    return list(run_examples(spark, region, region.sites))


def test_all_examples_of_a_spec_run_in_one_query_and_say_what_differs(spark: SparkSession, tmp_path: Path) -> None:
    found = results(
        spark,
        tmp_path,
        f'row = {{ {VISIT} }}\nemits = 1\nresource = {{ status = "finished", class = {{ code = "AMB" }} }}',
        f'row = {{ {VISIT} }}\nresource = {{ subject = {{ reference = "Patient", key = ["P1"] }} }}',
        f'row = {{ {VISIT} }}\nresource = \'{{"period": {{"start": "2024-03-01T08:05:00+08:00"}}}}\'',
        f'row = {{ {VISIT}, cancelled = "1" }}\nskip = "cancelled_visit"\nemits = 0',
        f'row = {{ {VISIT}, dept = "新科" }}\nquarantine = "unmapped_code:department"',
        'text = "visit_no,visit_type\\nV1,门诊\\nV2,急诊\\n"\nemits = 2',
        f'row = {{ {VISIT} }}\nresource = {{ status = "planned", language = "zh" }}',
        f'row = {{ {VISIT} }}\nexact = true\nresource = {{ status = "finished" }}',
        f'row = {{ {VISIT}, dept = "新科" }}\nemits = 1',
        f"row = {{ {VISIT} }}\nemits = 3",
        f'row = {{ {VISIT} }}\nskip = "cancelled_visit"',
        f'row = {{ {VISIT} }}\nquarantine = "required"',
    )
    assert [len(one.failures) for one in found[:6]] == [0] * 6
    assert found[6].failures == (
        'status: expected "planned", found "finished"',
        'language: expected "zh", found nothing',
    )
    assert {words.split(":")[0] for words in found[7].failures} == {"class", "subject", "period"}
    assert found[8].failures == ("quarantine: expected none, found unmapped_code:department (Encounter.serviceType)",)
    assert found[9].failures == ("emits: expected 3 resources, found 1",)
    assert found[10].failures == ("skip: expected cancelled_visit, found none",)
    assert found[11].failures == ("quarantine: expected required, found none",)


def test_an_example_names_the_entry_of_a_repeat_and_decimals_keep_their_text(
    spark: SparkSession, tmp_path: Path
) -> None:
    row = f'row = {{ {VISIT}, temp = "36.50", pulse = "72" }}\nitem = "temperature"\n'
    right, wrong, other = results(
        spark,
        tmp_path,
        row + "emits = 2\nresource = { valueQuantity = { value = 36.50 } }",
        row + "resource = { valueQuantity = { value = 36.5 } }",
        f'row = {{ {VISIT}, pulse = "72" }}\nitem = "temperature"\nresource = {{ status = "final" }}',
        spec=VITALS,
    )
    assert right.failures == ()
    assert wrong.failures == ("valueQuantity.value: expected 36.5, found 36.50",)
    assert other.failures == ("resource: expected Observation, found none",)


@pytest.mark.parametrize(
    ("example", "words"),
    [
        ("emits = 1", "give row"),
        ('row = { visit_no = "V1" }', "says nothing"),
        ("row = { visit_no = 1 }\nemits = 1", "valid string"),
        ('row = { visit_no = "V1" }\nemit = 1', "Extra inputs"),
    ],
)
def test_a_wrong_example_is_named_by_file_and_line(tmp_path: Path, example: str, words: str) -> None:
    path = tmp_path / "visit.toml"
    path.write_text(f"{ENCOUNTER}\n[[example]]\n{example}\n", encoding="utf-8")
    line = ENCOUNTER.count("\n") + 2
    with pytest.raises(SpecError, match=f"visit.toml:{line}: example.*{words}"):
        read_examples(path)


def test_a_column_that_the_source_lacks_is_named(spark: SparkSession, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"tried\.toml:17.*no column ward"):
        results(spark, tmp_path, 'row = { ward = "1" }\nemits = 0')


def test_examples_and_comments_do_not_change_what_a_spec_maps(tmp_path: Path) -> None:
    path = tmp_path / "visit.toml"
    path.write_text(ENCOUNTER, encoding="utf-8")
    before = read_spec(path)[0].digest
    path.write_text(f'# a visit\n{ENCOUNTER}[[example]]\nrow = {{ visit_no = "1" }}\nemits = 1\n', encoding="utf-8")
    assert read_spec(path)[0].digest == before
    path.write_text(ENCOUNTER.replace("finished", "planned"), encoding="utf-8")
    assert read_spec(path)[0].digest != before


def test_a_site_may_be_named_by_its_region_its_folder_or_stand_alone(tmp_path: Path) -> None:
    write_region(tmp_path, {"visit": ENCOUNTER})
    folder = tmp_path / "sites" / "north"
    for place, name in ((tmp_path, None), (tmp_path, "north"), (folder, None), (folder, "north")):
        region, sites = open_sites(place, name)
        assert (region.name, [site.name for site in sites]) == ("small", ["north"])
    (folder / "site.toml").unlink()
    region, (alone,) = open_sites(folder)
    assert region.folder == alone.folder == folder and alone.source("his__visit")
    for place, name in ((tmp_path / "nowhere", None), (folder, "south")):
        with pytest.raises(UsageError):
            open_sites(place, name)


def test_differences_are_told_by_path() -> None:
    found = {"a": [{"b": 1}, {"b": DecimalText("5.60")}], "c": True}
    assert list(differences({"a": [{"b": 1}, {"b": DecimalText("5.60")}]}, found)) == []
    assert list(differences({"a": [{"b": 1}]}, found)) == [f"a: expected 1 entries, found 2: {found['a']}"]
    assert list(differences({"c": "true"}, found)) == ['c: expected "true", found True']
    assert list(differences({"c": 1}, found)) == ["c: expected 1, found True"]


def test_keys_of_a_toml_file_have_lines() -> None:
    text = (
        'a = 1\nb = [\n  "=",\n]\n"x = y" = { c = 1 }\n[t]\n"p.q" = 2\n[[e]]\nr = 1\n[e.s]\nu = """\n[no]\n"""\n[[e]]\n'
    )
    lines = key_lines(text)
    assert {key: lines[key] for key in [("a",), ("b",), ("x = y",), ("t", "p.q")]} == {
        ("a",): 1, ("b",): 2, ("x = y",): 5, ("t", "p.q"): 7,
    }  # fmt: skip
    assert lines[("e", 0, "s", "u")] == 11 and lines[("e", 1)] == 14
    assert ("no",) not in lines
    assert line_of(lines, ("e", 0, "nowhere")) == 8 and line_of(lines, ("nowhere",)) == 1


@pytest.mark.parametrize(("region", "site"), [("demo", None), ("research", "eicu")])
def test_the_examples_of_the_regions_that_come_along_pass(spark: SparkSession, region: str, site: str | None) -> None:
    loaded, sites = open_sites(ROOT / "regions" / region, site)
    found = list(run_examples(spark, loaded, sites))
    assert len(found) >= 9
    assert [(one.example.place, one.failures) for one in found if one.failures] == []
