"""What identifies a person: kept by a converter, in no table of a hospital but bronze and the quarantine's raw text."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_site import KEY, deliver, new_zone, resources, rules, run, write_region

from contracts.errors import SpecError
from contracts.region import load_region
from fhir_mapping.mapping import compile_site
from fhir_mapping.records import map_records
from lake.reader import read_arrow

COLUMNS = ("no", "name", "phone", "sex", "nation", "note")
PATIENT = """
source = "his__visit"
resource = "Patient"
key = ["no"]
[elements]
"identifier[0].system" = { const = "urn:oid:2.16.156.10011.1.12" }
"identifier[0].value" = { column = "no" }
"name[0].text" = { column = "name" }
"telecom[0].system" = { const = "phone" }
"telecom[0].value" = { column = "phone" }
"gender" = { lookup = "administrative_gender", column = "sex" }
"_gender.extension[0].url" = { const = "http://hl7.org.cn/fhir/connectathon/StructureDefinition/ext-person-gender" }
"_gender.extension[0].valueCoding.code" = { column = "sex" }
"""
VISIT = """
source = "his__visit"
resource = "Encounter"
key = ["no"]
[elements]
"status" = { const = "finished" }
"class" = { code = "AMB", system = "http://terminology.hl7.org/CodeSystem/v3-ActCode" }
"subject" = { reference = "Patient", key = ["no"] }
"subject.display" = { column = "name" }
"reasonCode[0].text" = { column = "note" }
"type[0].text" = { concat = ["note", "sex"], mask_names = ["nation"] }
"participant[0].individual.display" = { column = "name" }
"""
ROWS = "no,name,phone,sex,nation,note\nZY100,王小明,13812345678,1,汉族,王小明 0571-88990011 咳嗽三天 汉族\n"


@pytest.fixture
def region_folder(tmp_path: Path) -> Path:
    write_region(tmp_path / "region", {"patient": PATIENT, "visit": VISIT}, COLUMNS)
    source = tmp_path / "region" / "sites" / "north" / "sources" / "visit.toml"
    text = source.read_text(encoding="utf-8")
    source.write_text(text.replace('name = "name"', 'name = "name"\nidentifying = "name"'), encoding="utf-8")
    return tmp_path / "region"


def test_no_name_or_number_reaches_a_table_behind_bronze(spark, region_folder: Path, tmp_path: Path) -> None:
    zone, region = new_zone(tmp_path / "zone"), load_region(region_folder)
    deliver(zone, "2026-03-02", "visit.csv", ROWS)
    run(spark, zone, region)
    for path in zone.lake.iterdir():
        text = repr(read_arrow(path).to_pylist())
        found = [word for word in ("王小明", "13812345678", "88990011", "ZY100") if word in text]
        assert not found or path.name.startswith("bronze_"), (path.name, found)
    visit = resources(zone, "Encounter")[0]
    assert visit["reasonCode"] == [{"text": "*** *** 咳嗽三天 汉族"}]
    assert "participant" not in visit and set(visit["subject"]) == {"reference"}
    assert resources(zone, "Patient")[0]["_gender"]["extension"][0]["valueCoding"] == {"code": "1"}


def test_the_columns_named_by_mask_names_are_masked_instead(spark, region_folder: Path, tmp_path: Path) -> None:
    site = region_folder / "sites" / "north"
    (site / "sources" / "visit.toml").write_text(
        (site / "sources" / "visit.toml").read_text(encoding="utf-8").replace('identifying = "name"\n', ""),
        encoding="utf-8",
    )
    zone = new_zone(tmp_path / "zone")
    deliver(zone, "2026-03-02", "visit.csv", ROWS)
    run(spark, zone, load_region(region_folder))
    visit = resources(zone, "Encounter")[0]
    assert visit["type"][0]["text"] == "王小明 *** 咳嗽三天 *** 1"


def test_the_compiled_source_says_what_it_left_out(region_folder: Path) -> None:
    region = load_region(region_folder)
    dropped = compile_site(region, region.sites[0], KEY)["his__visit"].dropped
    assert dropped == (
        "Patient.identifier[0].system",
        "Patient.identifier[0].value",
        "Patient.name[0].text",
        "Patient.telecom[0].system",
        "Patient.telecom[0].value",
        "Encounter.subject.display",
        "Encounter.participant[0].individual.display",
    )
    assert compile_site(region, region.sites[0], KEY, identifying=True)["his__visit"].dropped == ()


def test_a_converter_keeps_names_and_masks_nothing(spark, region_folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "visit.csv"
    file.write_text(ROWS, encoding="utf-8")
    region = load_region(region_folder)
    site = region.sites[0]
    (made,) = map_records(spark, KEY, region, site, site.sources[0], file, identifying=True)
    assert not isinstance(made, str)
    patient, visit = made
    assert patient["name"] == [{"text": "王小明"}]
    assert patient["telecom"] == [{"system": "phone", "value": "13812345678"}]
    assert visit["subject"]["display"] == "王小明"
    assert visit["reasonCode"] == [{"text": "王小明 0571-88990011 咳嗽三天 汉族"}]


def test_free_text_is_kept_only_where_the_region_allows_it(spark, region_folder: Path, tmp_path: Path) -> None:
    head = 'name = "small"\ntitle = "Small"\nfree_text = ["Encounter.reasonCode.text"]\n'
    (region_folder / "region.toml").write_text(head, encoding="utf-8")
    zone, region = new_zone(tmp_path / "zone"), load_region(region_folder)
    deliver(zone, "2026-03-02", "visit.csv", ROWS)
    run(spark, zone, region)
    visit = resources(zone, "Encounter")[0]
    assert "type" not in visit and "reasonCode" in visit
    assert "Encounter.type[0].text" in compile_site(region, region.sites[0], KEY)["his__visit"].dropped


@pytest.mark.parametrize(
    ("elements", "says"),
    [
        ('"extension[0].valueString" = { column = "name" }', "give its url as a constant"),
        ('"extension[0].url" = { const = "http://e.org/x" }', "not on the allow-list of extensions of Patient"),
        (
            '"extension[0].url" = { const = "http://hl7.org.cn/fhir/StructureDefinition/ext-person-ethnicGroup" }\n'
            '"extension[0].valueString" = { column = "nation" }',
            "has a valueCoding",
        ),
    ],
)
def test_extensions_are_allow_listed(region_folder: Path, elements: str, says: str) -> None:
    spec = f'source = "his__visit"\nresource = "Patient"\nkey = ["no"]\n[elements]\n{elements}\n'
    (region_folder / "sites" / "north" / "specs" / "patient.toml").write_text(spec, encoding="utf-8")
    region = load_region(region_folder)
    with pytest.raises(SpecError, match=says):
        compile_site(region, region.sites[0], KEY)


def test_a_resource_with_a_modifier_extension_is_quarantined(spark, tmp_path: Path) -> None:
    spec = 'source = "his__visit"\nresource = "Patient"\nkey = ["no"]\n[elements]\n"active" = { const = true }\n'
    write_region(tmp_path / "region", {"patient": spec}, ("no",))
    source = tmp_path / "region" / "sites" / "north" / "sources" / "visit.toml"
    text = (
        source.read_text(encoding="utf-8").replace('format = "csv"', 'format = "ndjson"').replace("*.csv", "*.ndjson")
    )
    source.write_text(text, encoding="utf-8")
    zone = new_zone(tmp_path / "zone")
    lines = (
        '{"no":"1"}\n{"no":"2","modifierExtension":[{"url":"http://e.org/not"}]}\n{"no":"\\"modifierExtension\\""}\n'
    )
    deliver(zone, "2026-03-02", "visit.ndjson", lines)
    run(spark, zone, load_region(tmp_path / "region"))
    assert rules(zone) == {("visit.ndjson", 1): ["unknown_modifier_extension"]}
    assert len(resources(zone, "Patient")) == 2


def test_extensions_that_silver_does_not_take_are_counted_by_url(tmp_path: Path) -> None:
    from fhir_mapping.bronze import ingest_day
    from fhir_mapping.extension_counts import dropped_extensions

    spec = 'source = "his__visit"\nresource = "Patient"\nkey = ["no"]\n[elements]\n"active" = { const = true }\n'
    write_region(tmp_path / "region", {"patient": spec}, ("no",))
    source = tmp_path / "region" / "sites" / "north" / "sources" / "visit.toml"
    text = (
        source.read_text(encoding="utf-8").replace('format = "csv"', 'format = "ndjson"').replace("*.csv", "*.ndjson")
    )
    source.write_text(text, encoding="utf-8")
    zone, region = new_zone(tmp_path / "zone"), load_region(tmp_path / "region")
    kept = '{"url":"http://hl7.org.cn/fhir/StructureDefinition/ext-person-ethnicGroup","valueCoding":{"code":"HA"}}'
    lines = [
        f'{{"no":"1","resourceType":"Patient","extension":[{kept},{{"url":"http://e.org/a"}}]}}',
        '{"no":"2","resourceType":"Patient","_birthDate":{"extension":[{"url":"http://e.org/a"},{"url":"http://e.org/b"}]}}',
        '{"no":"3"}',
        "not JSON, extension",
    ]
    deliver(zone, "2026-03-02", "visit.ndjson", "\n".join(lines) + "\n")
    ingest_day(zone, region.site("north"), "2026-03-02")
    assert dropped_extensions(zone, region.site("north")) == {"http://e.org/a": 2, "http://e.org/b": 1}
