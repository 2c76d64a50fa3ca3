"""Data types: v2 text in, FHIR element out."""

import pytest

from fhir_mapping.hl7v2 import Tables, parse
from fhir_mapping.hl7v2.context import Context
from fhir_mapping.hl7v2.datatypes import codes, composites, contacts, identifiers, moments, numbers, people, places


def context(header: str = "MSH|^~\\&|HIS||||20240301||ADT^A01", zone: str | None = None) -> Context:
    return Context(parse(header), Tables.load(), zone)


@pytest.mark.parametrize(
    ("raw", "zone", "expected"),
    [
        ("2024", None, "2024"),
        ("202403", None, "2024-03"),
        ("20240301", None, "2024-03-01"),
        ("202403010830", None, "2024-03-01"),
        ("202403010830", "Asia/Shanghai", "2024-03-01T08:30:00+08:00"),
        ("198607010830", "Asia/Shanghai", "1986-07-01T08:30:00+09:00"),
        ("20240301083015.1234-0500", "Asia/Shanghai", "2024-03-01T08:30:15.1234-05:00"),
        ("2024-03-01 08:30:15", "Asia/Shanghai", "2024-03-01T08:30:15+08:00"),
        ("2024/03/01", None, "2024-03-01"),
        ("２０２４０３０１", None, "2024-03-01"),
        ("20240300", None, "2024-03"),
        ("00000000", None, None),
        ("20240230", None, None),
        ("yesterday", None, None),
    ],
)
def test_a_time_is_as_precise_as_it_was_written(raw, zone, expected):
    assert moments.moment(context(zone=zone), raw) == expected


def test_the_offset_of_the_header_holds_before_that_of_the_zone():
    found = context("MSH|^~\\&|HIS||||20240301120000+0100||ADT^A01", zone="Asia/Shanghai")
    assert moments.moment(found, "202403010830") == "2024-03-01T08:30:00+01:00"


def test_a_wrong_date_is_a_problem_of_its_field():
    found = context()
    found.where = "PID-7"
    moments.moment(found, "20241399")
    assert [(p.rule, p.path) for p in found.problems] == [("bad_date", "PID-7")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [("065.88", "65.88"), ("5.60", "5.60"), ("+7", 7), (".5", "0.5"), ("-0.50", "-0.50"), ("1e3", "1e3"), ("abc", None),
     ("", None), ("１２", 12), ("00", 0), ("5.", 5), (".", None), ("12345678901234567890", "12345678901234567890")],
)  # fmt: skip
def test_a_number_keeps_its_digits_but_not_its_leading_zeros(text, expected):
    assert numbers.decimal(text) == expected


def test_a_comparator_in_a_number_is_one_of_the_quantity():
    assert numbers.compared("< 0.01") == {"value": "0.01", "comparator": "<"}
    assert numbers.compared("≥5") == {"value": 5, "comparator": ">="}


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("mg/dL^milligram^UCUM", {"unit": "milligram", "system": "http://unitsofmeasure.org", "code": "mg/dL"}),
        ("mg/dL", {"unit": "mg/dL", "system": "http://unitsofmeasure.org", "code": "mg/dL"}),
        ("mmHg^^UCUM", {"unit": "mmHg", "system": "http://unitsofmeasure.org", "code": "mm[Hg]"}),
        ("beats/min^^ISO", {"unit": "beats/min", "system": "http://unitsofmeasure.org", "code": "/min"}),
        ("widgets^^UCUM", {"unit": "widgets"}),
        ("10^9/L", {"unit": "10^9/L", "system": "http://unitsofmeasure.org", "code": "10*9/L"}),
        ("EA", {"unit": "EA"}),
        ("ft", {"unit": "ft"}),
        ("43", {"unit": "43"}),
        ("^个", {"unit": "个"}),
    ],
)
def test_a_unit_has_a_code_only_with_its_system(raw, expected):
    assert numbers.unit(context(), raw) == expected


def test_a_coded_value_keeps_all_its_codings_and_the_words():
    found = codes.concept(context(), "GLU^血糖^L^2345-7^Glucose^LN^^^空腹血糖")
    assert found == {
        "coding": [
            {"code": "GLU", "display": "血糖"},
            {"code": "2345-7", "display": "Glucose", "system": "http://loinc.org"},
        ],
        "text": "空腹血糖",
    }


def test_a_code_without_an_equal_keeps_its_own_coding_and_is_counted():
    found = context()
    assert codes.concept(found, "Q9^half^99LOC", "MaritalStatus") == {
        "coding": [{"code": "Q9", "display": "half", "system": "urn:id:99LOC"}]
    }
    assert [p.rule for p in found.problems] == ["unmapped_code:MaritalStatus"]


@pytest.mark.parametrize(
    ("name", "uri"),
    [("LN", "http://loinc.org"), ("HL70002", "http://terminology.hl7.org/CodeSystem/v2-0002"),
     ("HL72", "http://terminology.hl7.org/CodeSystem/v2-0002"), ("L", None), ("1.2.840.1", "urn:oid:1.2.840.1"),
     ("99 LAB", "urn:id:99%20LAB"), ("http://x.org/cs", "http://x.org/cs")],
)  # fmt: skip
def test_a_code_system_is_known_by_its_name(name, uri):
    assert codes.system_uri(context(), name) == uri


def test_an_identifier_carries_type_system_and_assigner():
    found = identifiers.extended(context(), "7^^^HIS&2.16.840.1.113883.19&ISO^MR")
    assert found is not None
    assert (found["value"], found["system"]) == ("7", "urn:oid:2.16.840.1.113883.19")
    assert found["type"]["coding"][0]["code"] == "MR"
    assert found["assigner"]["name"] == "HIS"


@pytest.mark.parametrize("raw", ["110101199003078830^^^^身份证", "110101199003078830^^^GA^NNCHN"])
def test_a_chinese_identity_card_has_the_systems_oid(raw):
    found = identifiers.extended(context(), raw)
    assert found is not None and found["system"] == "urn:oid:2.16.156.10011.1.3"


def test_a_national_number_is_told_by_its_form():
    assert composites.national(context(), "110101199003078830")["system"] == "urn:oid:2.16.156.10011.1.3"
    assert composites.national(context(), "123-45-6789")["system"] == "http://hl7.org/fhir/sid/us-ssn"


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("DOE^JANE^Q^JR^DR^MD^L", {"use": "official", "family": "DOE", "given": ["JANE", "Q"],
                                   "suffix": ["JR", "MD"], "prefix": ["DR"]}),
        ("张三丰", {"text": "张三丰"}),
        ("张^三丰", {"text": "张三丰", "family": "张", "given": ["三丰"]}),
        ("^JANE", {"given": ["JANE"]}),
        ("^^^^^^L", None),
    ],
)  # fmt: skip
def test_a_name_is_parted_where_it_says_so(raw, expected):
    assert people.human_name(context(), raw) == expected


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("(555)555-1234^PRN^PH", [("phone", "(555)555-1234", "home")]),
        ("^NET^Internet^a@b.org", [("email", "a@b.org", None)]),
        ("^WPN^PH^^1^608^2719001^12", [("phone", "+1 608 2719001 ext. 12", "work")]),
        ("^WPN^PH^x@y.org^^^^^^^^(608)271-9001", [("email", "x@y.org", "work"), ("phone", "(608)271-9001", "work")]),
        ("13800138000", [("phone", "13800138000", "mobile")]),
        ("^PRN", []),
    ],
)
def test_a_contact_has_each_number_and_address_once(raw, expected):
    found = contacts.contact_points(context(), raw)
    assert [(p["system"], p["value"], p.get("use")) for p in found] == expected


def test_an_address_has_its_parts():
    assert contacts.address(context(), "1 Main&Main&1^Apt 2^Ann Arbor^MI^48104^USA^H^^Washtenaw") == {
        "line": ["1 Main", "Apt 2"], "city": "Ann Arbor", "state": "MI", "postalCode": "48104",
        "country": "USA", "district": "Washtenaw", "use": "home",
    }  # fmt: skip


def test_a_place_is_nested_from_the_bed_to_the_house():
    bed = places.location(context(), "内科^301^02^某医院")
    names = []
    while bed:
        names.append(bed["name"])
        bed = bed.get("partOf")
    assert names == ["02", "301", "内科", "某医院"]
