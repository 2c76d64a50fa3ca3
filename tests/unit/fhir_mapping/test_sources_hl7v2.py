"""HL7 v2 files as rows: which segment gives a row, what belongs to it, and what is no message."""

from __future__ import annotations

import io

import pytest
from source_files import blocks_of, hl7v2_source

from contracts.errors import SpecError
from fhir_mapping.sources.hl7v2_path import iso_time, order_time, parse_value
from fhir_mapping.sources.reader import inspect, read_records
from fhir_mapping.sources.record import RawRecord, Refusal

ORU = r"""MSH|^~\&|LIS|LAB|HIS|H|20240301080500||ORU^R01|M1|P|2.4
PID|1||P1^^^H^MR~110101199003070133^^^PSN^PI||张^三||19900307|F
PV1|1|O|||||||||||||||||V1
ORC|RE|O1
OBR|1|O1|F1|GLU^血糖|||20240301070000|||||||||||||||20240301080000|||F
OBX|1|NM|GLU^血糖^L||5.60|mmol/L|3.9-6.1||||F
NTE|1||空腹
NTE|2||复查
OBX|2|ST|TXT^说明^L||第一行~第二行
SPM|1|S1^X||SER^血清
OBR|2|O2|F2|CRP^C反应蛋白
OBX|1|NM|CRP||""|mg/L
PID|2||P2
OBR|1|O3|F3|K^钾
OBX|1|SN|K^钾^L||>^5\S\2
"""
ADT = "MSH|^~\\&|HIS|H|X|H|20240301||ADT^A01|A1|P|2.4\rEVN|A01|20240301\rPID|1||P9\r"


def _read(data: str | bytes, rows: str | None = None, **paths: str) -> list[RawRecord]:
    text = data.encode() if isinstance(data, str) else data
    return list(read_records(hl7v2_source(rows, **paths), text))


def _column(data: str | bytes, path: str, rows: str | None = "OBX") -> list[str | None]:
    return [record.values["c"] for record in _read(data, rows, c=path)]


@pytest.mark.parametrize(
    ("path", "values"),
    [
        ("MSH-10", ["M1", "M1", "M1", "M1"]),
        ("PID-3.1", ["P1", "P1", "P1", "P2"]),
        ("PID-3[2].1", ["110101199003070133", "110101199003070133", "110101199003070133", None]),
        ("PID-3[CX.5=PI].1", ["110101199003070133", "110101199003070133", "110101199003070133", None]),
        ("PID-3[5=XX,MR].4", ["H", "H", "H", None]),
        ("PV1-19", ["V1", "V1", "V1", None]),
        ("ORC-2", ["O1", "O1", None, None]),
        ("OBR-3", ["F1", "F1", "F2", "F3"]),
        ("SPM-4.2", ["血清", "血清", None, None]),
        ("OBX-3.2", ["血糖", "说明", None, "钾"]),
        ("OBX-3.1", ["GLU", "TXT", "CRP", "K"]),
        ("OBX-5", ["5.60", "第一行", None, ">^5^2"]),
        ("OBX-5[*]", ["5.60", "第一行\n第二行", None, ">^5^2"]),
        ("OBX-5.2", [None, None, None, "5^2"]),
        ("OBX-5[2]", [None, "第二行", None, None]),
        ("NTE-3", ["空腹\n复查", None, None, None]),
        ("OBR[2]-3", ["F2", "F2", "F2", "F2"]),
        ("OBX-14 | OBR-7", ["20240301070000", "20240301070000", None, None]),
        ("time(OBR-22 | MSH-7)", ["2024-03-01T08:00:00"] * 2 + ["2024-03-01T08:05:00"] * 2),
        ("order(OBR-22, MSH-7)", ["20240301080000/20240301080500"] * 2 + ["00000000000000/20240301080500"] * 2),
        ("first_in_message", ["true", "false", "false", "false"]),
        ("first_in_group", ["true", "false", "true", "true"]),
        ("group_no", ["1", "1", "2", "3"]),
        ("row_no", ["1", "2", "3", "4"]),
        ("set_id", ["1", "2", "1", "1"]),
        ("message_time", ["2024-03-01T08:05:00"] * 4),
        ("ZZZ-3", [None] * 4),
        ("OBX-4 | '-'", ["-"] * 4),
        ("join(OBX-5.1, OBX-5.2)", ["5.60", "第一行", None, ">5^2"]),
        ("system(OBX-3.3 | 'LN')", [None, None, "http://loinc.org", None]),
        ("unit(OBX-6)", ["mmol/L", None, "mg/L", None]),
        ("nth(OBX-2)", ["1", "1", "1", "1"]),
        ("nth(OBX-1, MSH-10)", ["1", "1", "1", "1"]),
        ("nth(MSH-10)", ["1", "2", "1", "1"]),
    ],
)
def test_a_row_takes_what_belongs_to_its_order_patient_and_message(path: str, values: list[str | None]) -> None:
    assert _column(ORU.replace("\n", "\r"), path) == values


@pytest.mark.parametrize(
    ("path", "values"),
    [
        ("PID-3.1", ["P1", "P1", "P1", "P1", "P2"]),
        ("PV1-19", ["V1"] * 4 + [None]),
        ("DG1-3.1", [None, "I10", "J18", None, None]),
        ("AL1-3.2", [None, None, None, "青霉素", None]),
        ("DG1[2]-3.1", ["J18"] * 5),
        ("set_id", ["1", "1", "2", "1", "2"]),
        ("segment", ["PID", "DG1", "DG1", "AL1", "PID"]),
        ("row_no", ["1", "2", "3", "4", "5"]),
    ],
)
def test_of_several_segments_each_is_a_row_that_sees_itself_and_the_first_one_named(
    path: str, values: list[str | None]
) -> None:
    own = "PV1||O|||||||||||||||||V1\rDG1|1||I10\rDG1|2||J18\rAL1|1||^青霉素\rPID|2||P2\r"
    text = ADT.replace("P9", "P1") + own
    assert _column(text, path, "PID | DG1 | AL1") == values
    assert [record.raw for record in _read(text, "PID | DG1 | AL1", c="MSH-10")][1:3] == ["DG1|1||I10", "DG1|2||J18"]


@pytest.mark.parametrize(
    ("field", "unit"),
    [("10^9/L", "10^9/L"), (r"10\S\9/L", "10^9/L"), ("mg/L^milligram^UCUM", "mg/L"), ("^个", "个"), ("10^tens", "10")],
)
def test_a_unit_is_read_whole_where_its_sender_did_not_escape_the_power_of_ten(field: str, unit: str) -> None:
    message = f"MSH|^~\\&|LIS|H|X|H|20240301||ORU^R01|M1|P|2.4\rOBX|1|NM|WBC||5.6|{field}\r"
    assert _column(message, "unit(OBX-6)") == [unit]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r\r\n"])
def test_line_ends_make_no_difference(end: str) -> None:
    assert _column(ORU.replace("\n", end), "OBX-5[*]") == _column(ORU.replace("\n", "\r"), "OBX-5[*]")


def test_a_message_without_the_segment_gives_one_row() -> None:
    found = _read(ADT + ORU.replace("\n", "\r") + ADT, "OBX", pid="PID-3.1", filler="OBR-3", no="message_no")
    assert [tuple(record.values.values()) for record in found] == [
        ("P9", None, "1"),
        *[("P1", "F1", "2"), ("P1", "F1", "2"), ("P1", "F2", "2"), ("P2", "F3", "2")],
        ("P9", None, "3"),
    ]


def test_without_rows_a_message_is_a_row() -> None:
    assert _column(ADT * 2 + ORU.replace("\n", "\r"), "PID-3.1", None) == ["P9", "P9", "P1"]


def test_the_first_row_keeps_the_message_whole_and_the_others_their_segment() -> None:
    text = ORU.replace("\n", "\r")
    raws = [record.raw for record in _read(ADT + text, "OBX", c="OBX-3")]
    assert raws[:2] == [ADT.strip(), text.strip()]
    assert raws[2:] == ["OBX|2|ST|TXT^说明^L||第一行~第二行", 'OBX|1|NM|CRP||""|mg/L', r"OBX|1|SN|K^钾^L||>^5\S\2"]


def test_a_line_that_opens_no_segment_continues_its_field() -> None:
    text = "MSH|^~\\&|||||||ORU^R01|1|P|2.4\rOBX|1|TX|A||第一行\r\n第二行|x\rOBX|2|TX|B||y\r"
    assert _column(text, "OBX-5") == ["第一行\n第二行", "y"]
    assert _column(text, "OBX-6") == ["x", None]


@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_a_feed_is_decoded_before_it_is_cut(codec: str) -> None:
    # the second bytes of these characters in GBK are | ^ ~ \
    text = ORU.replace("血糖", "億乗僞丱").replace("\n", "\r")
    assert _column(text.encode(codec), "OBX-3.2")[0] == "億乗僞丱"


def test_other_delimiters_are_read_as_the_header_says() -> None:
    text = "MSH$*%!@$A$B$$$20240301$$ORU*R01$1$P$2.4\rOBX$1$ST$A*甲|乙^丙$$!F!!S!~!T!&!E!\r"
    found = _read(ADT + text, "OBX", code="OBX-3.1", name="OBX-3.2", value="OBX-5", event="MSH-9.2")
    assert list(found[1].values.values()) == ["A", "甲|乙^丙", "$*~@&!", "R01"]
    assert found[1].raw == text.strip()


def test_frames_and_batches_are_no_records() -> None:
    framed = f"\x0b{ADT}\x1c\r\x0b{ADT}\x1c\r"
    batch = f"FHS|^~\\&|x\rBHS|^~\\&|y\r{ADT}{ADT}BTS|2\rFTS|1\r"
    assert _column(framed, "MSH-10", None) == _column(batch, "MSH-10", None) == ["A1", "A1"]


def test_what_is_no_message_is_a_record_with_an_error_where_it_stands() -> None:
    data = "rubbish\r" + ADT + "MSH|aa^|x\rPID|1\r" + ADT + f"BHS|^~\\&\r{ADT}BTS|7\r"
    found = _read(data, None, pid="PID-3")
    assert [(record.error, record.values["pid"]) for record in found] == [
        ("missing_msh", None),
        (None, "P9"),
        ("bad_delimiters", None),
        (None, "P9"),
        (None, "P9"),
        ("batch_count", None),
    ]
    assert [record.record_no for record in found] == list(range(6))
    assert found[0].raw == "rubbish"


def test_undecodable_bytes_cost_their_own_message_only() -> None:
    good = ADT.replace("P9", "P九").encode()
    found = _read(good + good.replace("九".encode(), b"\xff9") + good, None, pid="PID-3")
    assert [record.error for record in found] == [None, "bad_encoding", None]
    assert "P\\xff9" in found[1].raw


@pytest.mark.parametrize("size", [1, 50, 300, 1 << 20])
def test_rows_do_not_depend_on_the_size_of_blocks(size: int) -> None:
    data = (ADT + ORU.replace("\n", "\r")).encode() * 5
    source = hl7v2_source("OBX", no="message_no", row="row_no", filler="OBR-3", pid="PID-3")
    file = inspect(source, io.BytesIO(data))
    assert not isinstance(file, Refusal)
    found = [record for block in blocks_of(file, data, size) for record in block.records(0)]
    assert [(r.raw, r.values) for r in found] == [(r.raw, r.values) for r in read_records(source, data)]


def test_a_message_of_a_type_that_the_source_does_not_take_is_one_record_that_says_so() -> None:
    source = hl7v2_source("OBX", number="MSH-10", code="OBX-3.1").model_copy(update={"messages": ("ORU",)})
    other = ORU.replace("ORU^R01", "OUL^R22")
    untyped = ADT.replace("ADT^A01", "").replace("A1", "U1")
    found = list(read_records(source, (other + ADT + ORU + untyped).replace("\n", "\r").encode()))
    assert [(record.error, record.values["number"]) for record in found] == [
        *[("other_message_type", None)] * 2, *[(None, "M1")] * 4, (None, "U1"),
    ]  # fmt: skip
    assert found[0].raw.split("\r")[0] == other.split("\n")[0] and found[0].raw.count("OBX") == 4
    assert [record.error for record in read_records(hl7v2_source(None, n="MSH-10"), ADT.encode())] == [None]


def test_an_empty_file_is_refused() -> None:
    found = inspect(hl7v2_source(None, a="MSH-10"), io.BytesIO(b"\x0b\x1c\r\n"))
    assert isinstance(found, Refusal)
    assert found.reason == "empty_file"


@pytest.mark.parametrize(
    ("hl7", "iso"),
    [
        ("2024", "2024"),
        ("202403", "2024-03"),
        ("20240301", "2024-03-01"),
        ("2024030108", "2024-03-01T08:00:00"),
        ("202403010805", "2024-03-01T08:05:00"),
        ("20240301080500.123+0800", "2024-03-01T08:05:00.123+08:00"),
        ("2024年3月", "2024年3月"),
    ],
)
def test_times_get_the_form_of_fhir(hl7: str, iso: str) -> None:
    assert iso_time(hl7) == iso


def test_times_of_any_precision_sort() -> None:
    texts = ["20240301", "202403010805", "20240301080500.5", "20240302", "bad", None]
    assert sorted(texts, key=order_time)[:2] == ["bad", None]
    assert sorted(texts[:4], key=order_time, reverse=True) == texts[:4][::-1]


@pytest.mark.parametrize(
    "path",
    [
        "PID3",
        "pid-3",
        "PID-0",
        "MSH-2",
        "time(PID-7",
        "PID-3[].1",
        "PID-3 ||",
        "",
        "sum(OBX-5)",
        "time(A)",
        "time(PID-7, PID-8)",
    ],
)
def test_what_is_no_path_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match=r"path|delimiters|place"):
        parse_value(path)


def test_a_source_with_a_wrong_path_says_so() -> None:
    with pytest.raises(SpecError, match="column 'a': 'PID3' is no path"):
        _read(ADT, None, a="PID3")


@pytest.mark.parametrize("rows", ["PID-3", "PID | ", "pid"])
def test_rows_are_segments(rows: str) -> None:
    with pytest.raises(SpecError, match=r"rows: .* is no segment's name"):
        _read(ADT, rows, a="PID-3")
