"""The message tree: delimiters, paths, escapes."""

import pytest

from fhir_mapping.document import RecordError
from fhir_mapping.hl7v2 import convert_message, parse, parse_path

MESSAGE = parse(
    "MSH|^~\\&|HIS||||20240301||ADT^A01\r"
    'PID|1||7^^^A&1.2.3&ISO~8^^^B||A\\T\\B^C\\S\\D||""\r'
    "OBX|1|ST|x||one\\.br\\two \\X41C3A9\\ \\H\\bold\\N\\ \\Zlocal\\\r"
    "OBX|2|ST|y||second\r"
)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("MSH-1", "|"),
        ("MSH-2", "^~\\&"),
        ("MSH-3", "HIS"),
        ("PID-3.1", "7"),
        ("PID-3[2].1", "8"),
        ("PID-3[1].4.2", "1.2.3"),
        ("PID-5.1", "A&B"),
        ("PID-5.2", "C^D"),
        ("PID-7", None),
        ("PID-99", None),
        ("OBX[2]-5", "second"),
        ("OBX-5", "one\ntwo Aé bold \\Zlocal\\"),
        ("ZZZ-1", None),
    ],
)
def test_a_path_gives_the_text_at_it(path, value):
    assert MESSAGE.value(path) == value


def test_values_keep_the_repetitions_apart():
    assert MESSAGE.values("PID-3.1") == ["7", "8"]


def test_a_wrong_path_is_refused():
    with pytest.raises(ValueError, match="no HL7 v2 path"):
        parse_path("PID.3")


def test_other_delimiters_are_obeyed():
    message = parse("MSH$%*!@$HIS\rPID$1$$7%%%A@B*8$$x!F!y")
    assert message.values("PID-3.1") == ["7", "8"]
    assert message.value("PID-3.4.2") == "B"
    assert message.value("PID-5") == "x$y"


def test_a_line_that_opens_no_segment_continues_the_one_before():
    message = parse("MSH|^~\\&|HIS\nOBX|1|TX|x||first line\nsecond line\nNTE|1||end")
    assert [segment.name for segment in message.segments] == ["MSH", "OBX", "NTE"]
    assert message.value("OBX-5") == "first line\nsecond line"


@pytest.mark.parametrize(
    ("text", "rule"),
    [("", "missing_msh"), ("PID|1", "missing_msh"), ("MSHABC|", "bad_delimiters"), ("MSH|^^\\&|", "bad_delimiters")],
)
def test_a_message_without_a_readable_header_is_refused(text, rule):
    with pytest.raises(RecordError) as error:
        parse(text)
    assert error.value.rule == rule


def test_a_delimiter_whose_character_has_another_use_is_none():
    text = "MSH&^~\\&HIS&&&&20240301&&ADT^A01&1&P&2.4\rPID&1&&7^^^A#B&&LI^SI\r"
    message = parse(text)
    assert (message.value("PID-3.1"), message.value("PID-3.4"), message.value("PID-3.4.1")) == ("7", "A#B", "A#B")
    assert {resource["resourceType"] for resource in convert_message(text).resources} >= {"Patient"}
