"""What a source's text becomes at an element: rules that a clinician or data engineer can read and judge."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from small_site import DEPARTMENT, deliver, new_zone, resources, rules, run, write_region

Mapped = Callable[..., list[Any]]
"""A resource (dict) or the rules (list) for each text."""


@pytest.fixture
def mapped(spark, tmp_path: Path) -> Mapped:
    """``mapped(resource, elements, texts)``: for each text of column ``x``, the resource, or the rules it broke."""

    def of(resource: str, elements: str, texts: list[str], **maps: str) -> list[dict[str, Any] | list[str]]:
        spec = f'source = "his__visit"\nresource = "{resource}"\nkey = ["no"]\n[elements]\n{elements}\n'
        region = write_region(tmp_path / "region", {"subject": spec}, ("no", "x", "y"), maps)
        zone = new_zone(tmp_path / "zone")
        lines = [f'{number},"{text}",y{number}' for number, text in enumerate(texts)]
        deliver(zone, "2026-03-02", "visit.csv", "\n".join(["no,x,y", *lines]) + "\n")
        run(spark, zone, region)
        broken = rules(zone)
        made = {_number(zone, row["id"], resource): row for row in resources(zone, resource)}
        return [broken.get(("visit.csv", n)) or made[n] for n in range(len(texts))]

    def _number(zone: Any, made: str, resource: str) -> int:
        from lake.reader import read_arrow

        rows = read_arrow(zone.table(f"silver_fhir__{resource.lower()}"), ["id", "_record_no"]).to_pylist()
        return next(row["_record_no"] for row in rows if row["id"] == made)

    return of


PATIENT_BIRTH = '"active" = { const = true }\n"birthDate" = { date = "x" }'
OBSERVATION = '"status" = { const = "final" }\n"code" = { code = "8310-5", system = "http://loinc.org" }\n'
ENCOUNTER = '"status" = { const = "finished" }\n"class" = { code = "AMB", system = "urn:c" }\n'


def test_year_first_dates_are_read_and_keep_their_precision(mapped: Mapped) -> None:
    texts = [
        "2024-3-1",
        "2024/03/01",
        "2024.3.1",
        "2024年3月1日",
        "20240301",
        "２０２４－０３－０１",
        "2024年3月",
        "2024",
    ]
    assert [row["birthDate"] for row in mapped("Patient", PATIENT_BIRTH, texts)] == [
        *["2024-03-01"] * 6,
        "2024-03",
        "2024",
    ]


def test_dates_that_cannot_be_are_quarantined_by_name(mapped: Mapped) -> None:
    texts = ["2024-02-30", "2023年2月29日", "1799-01-01", "yesterday", "无", "2024-13-01"]
    assert mapped("Patient", PATIENT_BIRTH, texts) == [
        ["impossible_date"],
        ["impossible_date"],
        ["implausible_date"],
        ["bad_date"],
        {"resourceType": "Patient", "id": mapped("Patient", PATIENT_BIRTH, texts)[4]["id"], "active": True},
        ["impossible_date"],
    ]


def test_local_times_get_the_offset_of_their_zone_at_that_time(mapped: Mapped) -> None:
    elements = OBSERVATION + '"effectiveDateTime" = { datetime = "x" }'
    texts = ["2026-03-01 8:05", "1988-07-01 10:00:00", "2026-03-01T00:05:00Z", "2026-03-01", "20260301080501"]
    assert [row["effectiveDateTime"] for row in mapped("Observation", elements, texts)] == [
        "2026-03-01T08:05:00+08:00",
        "1988-07-01T10:00:00+09:00",  # China had daylight saving then
        "2026-03-01T00:05:00Z",
        "2026-03-01",
        "2026-03-01T08:05:01+08:00",
    ]


def test_a_format_decides_what_is_day_and_what_is_month(mapped: Mapped) -> None:
    elements = OBSERVATION + '"effectiveDateTime" = { datetime = "x", formats = ["dd/MM/yyyy HH:mm"], zone = "UTC" }'
    found = mapped("Observation", elements, ["03/04/2026 07:30", "2026-04-03"])
    assert found[0]["effectiveDateTime"] == "2026-04-03T07:30:00+00:00"
    assert found[1] == ["bad_date"]


def test_numbers_keep_their_own_text(mapped: Mapped, tmp_path: Path) -> None:
    from lake.reader import read_arrow

    elements = OBSERVATION + '"valueQuantity" = { quantity = "x", unit_const = "mg/L" }'
    mapped("Observation", elements, ["5.60", "065.80", ".5", "３６．５", "1e2"])
    rows = read_arrow(tmp_path / "zone" / "lake" / "silver_fhir__observation").to_pylist()
    values = {row["_record_no"]: row["valueQuantity"] for row in rows}
    assert [values[n]["value_text"] for n in range(5)] == ["5.60", "65.80", "0.5", "36.5", "1e2"]
    assert [float(values[n]["value"]) for n in range(5)] == [5.6, 65.8, 0.5, 36.5, 100.0]


def test_text_that_is_no_number_is_quarantined(mapped: Mapped) -> None:
    elements = OBSERVATION + '"valueQuantity" = { quantity = "x", unit_const = "mg/L" }'
    assert mapped("Observation", elements, ["positive", "1,234", "12..5"]) == [["not_a_number"]] * 3


def test_a_comparator_in_front_of_a_number_is_kept(mapped: Mapped) -> None:
    elements = OBSERVATION + '"valueQuantity" = { quantity = "x", unit_const = "mg/L" }'
    found = [row["valueQuantity"] for row in mapped("Observation", elements, ["<0.5", "≤ 3", "＞10", "7"])]
    assert [(q.get("comparator"), q["value"]) for q in found] == [("<", 0.5), ("<=", 3), (">", 10), (None, 7)]
    assert found[0] == {"value": 0.5, "comparator": "<", "unit": "milligram per liter"} | {
        "system": "http://unitsofmeasure.org",
        "code": "mg/L",
    }


def test_units_become_ucum_and_keep_their_text(mapped: Mapped) -> None:
    elements = OBSERVATION + '"valueQuantity" = { quantity = "y", unit = "x", null_values = [] }'.replace('"y"', '"no"')
    found = mapped("Observation", elements, ["℃", "10^9/L", "×１０^9/L", "μmol/L", "furlong"])
    assert [row["valueQuantity"]["code"] for row in found[:4]] == ["Cel", "10*9/L", "10*9/L", "umol/L"]
    assert found[1]["valueQuantity"]["unit"] == "10^9/L"
    assert found[4] == ["unmapped_code:ucum"]


def test_sex_is_read_in_every_way_it_is_written(mapped: Mapped) -> None:
    elements = '"gender" = { lookup = "administrative_gender", column = "x" }'
    texts = ["男", "女", "1", "2", "M", "f", "0", "9", "１", "雄"]
    found = mapped("Patient", elements, texts)
    wanted = ["male", "female", "male", "female", "male", "female", "unknown", "unknown", "male"]
    assert [row["gender"] for row in found[:9]] == wanted
    assert found[9] == ["unmapped_code:administrative_gender"]


def test_several_departments_in_one_cell_become_several_codings_without_repeats(mapped: Mapped) -> None:
    elements = ENCOUNTER + '"serviceType" = { lookup = "department", column = "x", split = "|" }'
    found = mapped(
        "Encounter", elements, ["内科|皮肤科", "外科", "内科 | 内科|外科", "内科|木工科"], department=DEPARTMENT
    )
    codes = [[coding["code"] for coding in row["serviceType"]["coding"]] for row in found[:3]]
    assert codes == [["03", "13"], ["04"], ["03", "04"]]
    assert found[3] == ["unmapped_code:department"]


def test_a_code_without_a_map_keeps_its_local_coding_when_the_spec_says_so(mapped: Mapped) -> None:
    option = 'on_missing = "keep_local", local_system = "urn:local", text = "x"'
    elements = ENCOUNTER + f'"serviceType" = {{ lookup = "department", column = "x", {option} }}'
    found = mapped("Encounter", elements, ["内科", "木工科"], department=DEPARTMENT)
    assert found[0]["serviceType"] == {
        "coding": [{"system": "urn:dept", "code": "03", "display": "Internal medicine"}],
        "text": "内科",
    }
    assert found[1]["serviceType"] == {"coding": [{"system": "urn:local", "code": "木工科"}], "text": "木工科"}


def test_on_error_null_and_default_stand_in_for_what_cannot_be_read(mapped: Mapped) -> None:
    elements = '"active" = { const = true }\n"birthDate" = { date = "x", on_error = "null" }'
    assert "birthDate" not in mapped("Patient", elements, ["never"])[0]


def test_a_default_takes_the_place_of_an_unreadable_value_only(mapped: Mapped) -> None:
    elements = OBSERVATION + '"effectiveDateTime" = { datetime = "x", on_error = { default = "1900-01-01" } }'
    found = mapped("Observation", elements, ["never", "2026-01-02", "无"])
    assert [row.get("effectiveDateTime") for row in found] == ["1900-01-01", "2026-01-02", None]


def test_the_first_expression_with_a_value_counts(mapped: Mapped) -> None:
    elements = OBSERVATION + '"valueString" = { first_of = [{ column = "x" }, { column = "y" }] }'
    found = mapped("Observation", elements, ["seen", "无"])
    assert [row["valueString"] for row in found] == ["seen", "y1"]


def test_constants_alone_do_not_make_an_element(mapped: Mapped) -> None:
    elements = ENCOUNTER + (
        '"reasonCode[0].coding[0].system" = { const = "urn:r" }\n"reasonCode[0].coding[0].code" = { column = "x" }'
    )
    found = mapped("Encounter", elements, ["R05", "无"])
    assert found[0]["reasonCode"] == [{"coding": [{"system": "urn:r", "code": "R05"}]}]
    assert "reasonCode" not in found[1]


def test_a_required_value_that_is_absent_is_quarantined(mapped: Mapped) -> None:
    elements = '"gender" = { lookup = "administrative_gender", column = "x", required = true }'
    assert mapped("Patient", elements, ["无"]) == [["required"]]


def test_codes_of_required_lists_are_checked(mapped: Mapped) -> None:
    elements = '"status" = { column = "x" }\n"code" = { code = "1", system = "urn:c" }'
    found = mapped("Observation", elements, ["final", "done"])
    assert found[0]["status"] == "final"
    assert found[1] == ["not_in_binding"]


def test_phone_and_id_card_numbers_in_free_text_are_hidden(mapped: Mapped) -> None:
    elements = ENCOUNTER + '"reasonCode[0].text" = { column = "x" }'
    found = mapped(
        "Encounter", elements, ["咳嗽3天，电话13812345678", "证号11010519491231002X，发热39.5", "１３９ 1234 5678"]
    )
    assert [row["reasonCode"][0]["text"] for row in found] == ["咳嗽3天，电话***", "证号***，发热39.5", "***"]


def test_a_period_that_ends_before_it_starts_is_quarantined(mapped: Mapped) -> None:
    elements = ENCOUNTER + '"period.start" = { datetime = "x" }\n"period.end" = { const = "2026-03-01" }'
    assert mapped("Encounter", elements, ["2026-03-02", "2026-02-28"])[0] == ["period_order"]
