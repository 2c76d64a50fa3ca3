"""Codes and units as Chinese records write them: normal forms, editions, conversion, ID cards."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from small_site import deliver, new_zone, resources, rules, run, write_region

from fhir_mapping.identity.id_card import to_long
from fhir_mapping.spec.normal_forms import normal_text

ICD = {
    "h81.400X003": "H81.400x003",
    "H81400x003": "H81.400x003",
    "Ｃ６４．Ｘ００Ｘ００１": "C64.x00x001",
    " i10 ": "I10",
    "A18.003+": "A18.003+",
    "M80000/3": "M80000/3",
    "X60.x00": "X60.x00",
}
DEPARTMENTS = {"03.4": "03.04", "3.4": "03.04", "3": "03", "03.10": "03.10", "内科": "内科"}
CARDS = {"110101900307451": "110101199003074514", "11010519491231002x": "11010519491231002X", "ZY1": "ZY1"}


@pytest.fixture
def made(spark, tmp_path: Path) -> Any:
    def of(elements: str, rows: list[tuple[str, ...]], key: str = '"no"') -> list[dict[str, Any]]:
        head = 'source = "his__visit"\nresource = "Observation"\n'
        fixed = '"status" = { const = "final" }\n"code" = { code = "1", system = "urn:l" }\n'
        spec = f"{head}key = [{key}]\n[elements]\n{fixed}{elements}\n"
        region = write_region(tmp_path / "region", {"subject": spec}, ("no", "x", "y", "z"))
        zone = new_zone(tmp_path / "zone")
        lines = [",".join((f"n{number}", *row)) for number, row in enumerate(rows)]
        deliver(zone, "2026-03-02", "visit.csv", "\n".join(["no,x,y,z", *lines]) + "\n")
        run(spark, zone, region)
        return resources(zone, "Observation")

    return of


def test_codes_take_their_normal_form_natively_as_in_plain_python(made: Any) -> None:
    texts = [(old, "", "") for old in (*ICD, *DEPARTMENTS, *CARDS)]
    elements = "\n".join(
        f'"component[{n}].code" = {{ code = "{n}", system = "urn:l" }}\n'
        f'"component[{n}].valueCodeableConcept.coding[0].code" = {{ column = "x", normalise = "{form}" }}'
        for n, form in enumerate(("icd10_cn", "department", "id_card"))
    )
    found = {}
    for row in made(elements + '\n"note[0].text" = { column = "x", mask = false }', texts):
        codes = tuple(part["valueCodeableConcept"]["coding"][0]["code"] for part in row["component"])
        found[row["note"][0]["text"].strip()] = codes
    for place, (form, wanted) in enumerate((("icd10_cn", ICD), ("department", DEPARTMENTS), ("id_card", CARDS))):
        for old, new in wanted.items():
            assert found[old.strip()][place] == new, (form, old)
            assert normal_text(form, old.strip().translate(HALF)) == new, (form, old)  # type: ignore[arg-type]


HALF = str.maketrans("ＣＸ０１４６．", "CX0146.")


def test_both_numbers_of_one_card_are_one_person(made: Any) -> None:
    rows = [("110101900307451", "", ""), ("110101199003074514", "", "")]
    assert to_long("110101900307451") == "110101199003074514"
    assert len(made('"valueInteger" = { const = 1 }', rows, '{ column = "x", normalise = "id_card" }')) == 1


def test_a_value_is_converted_exactly_to_the_unit_asked_for(made: Any) -> None:
    elements = (
        '"valueQuantity" = { quantity = "x", unit = "y", on_missing = "keep_local", '
        'convert_to = "mmol/L", analyte = "14749-6" }'
    )
    rows = [("<100", "mg/dL", ""), ("5.60", "mmol/L", ""), ("7", "furlong", ""), ("0.99", "g/L", "")]
    found = sorted((row["valueQuantity"] for row in made(elements, rows)), key=lambda one: one["value"])
    assert [(one["value"], one.get("comparator"), one.get("code"), one["unit"]) for one in found] == [
        (5.495237, None, "mmol/L", "mmol/L"),
        (5.550745, "<", "mmol/L", "mmol/L"),
        (5.6, None, "mmol/L", "mmol/L"),
        (7, None, None, "furlong"),
    ]


def test_the_analyte_of_each_row_decides_its_canonical_unit(made: Any) -> None:
    elements = (
        '"valueQuantity" = { quantity = "x", unit = "y", convert_to = "canonical", '
        'analyte = { lookup = "lab_item", column = "z" } }\n"note[0].text" = { column = "z" }'
    )
    rows = [
        ("100", "mg/dL", "血糖"),
        ("1.0", "mg/dL", "肌酐"),
        ("12", "g/dL", "HGB"),
        ("88", "umol/L", "肌酐"),
        ("4", "%", "EOS%"),
    ]
    found = sorted(
        (row["note"][0]["text"], row["valueQuantity"]["value"], row["valueQuantity"]["code"])
        for row in made(elements, rows)
    )
    assert found == [
        ("EOS%", 4, "%"),
        ("HGB", 120, "g/L"),
        ("肌酐", 88, "umol/L"),
        ("肌酐", 88.401697, "umol/L"),
        ("血糖", 5.550745, "mmol/L"),
    ]


def test_an_id_card_agrees_with_birth_date_and_sex(spark, tmp_path: Path) -> None:
    checks = "".join(
        f'[[check]]\nrule = "{rule}"\ncolumn = "x"\nother = "{other}"\n'
        for rule, other in (("id_card_birth", "y"), ("id_card_sex", "z"))
    )
    head = 'source = "his__visit"\nresource = "Patient"\nkey = ["no"]\n'
    spec = f'{head}{checks}[elements]\n"active" = {{ const = true }}\n'
    region = write_region(tmp_path / "region", {"subject": spec}, ("no", "x", "y", "z"))
    rows = [
        ("110101199003074514", "1990年3月7日", "男"),
        ("110101900307451", "1990-03", "1"),
        ("110101199003074514", "1990-03-08", "男"),
        ("110101199003074514", "1990", "女"),
        ("110101900307451", "1991", "F"),
        ("", "1990-03-07", "女"),
        ("110101199003074514", "", "未知"),
    ]
    zone = new_zone(tmp_path / "zone")
    lines = [",".join((f"n{number}", *row)) for number, row in enumerate(rows)]
    deliver(zone, "2026-03-02", "visit.csv", "\n".join(["no,x,y,z", *lines]) + "\n")
    run(spark, zone, region)
    assert rules(zone) == {
        ("visit.csv", 2): ["id_card_birth"],
        ("visit.csv", 3): ["id_card_sex"],
        ("visit.csv", 4): ["id_card_birth", "id_card_sex"],
    }
