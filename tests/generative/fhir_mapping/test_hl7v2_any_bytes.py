"""Any bytes: nothing is lost, nothing raises; field splitting agrees with other parsers."""

import re

import hl7apy.parser
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.fhir.json_text import dumps
from fhir_mapping.document import RecordError
from fhir_mapping.hl7v2 import convert_message, parse, split_messages

_PIECES = [b"MSH|^~\\&|a\r", b"FHS|\r\n", b"BTS|3\r", b"\x0b", b"\x1c\r", b"PID|1||x\n", b"\xff", b"\x81\x30\x81\x30",
           "张三".encode("gbk"), "张三".encode(), b"\0", b"\xef\xbb\xbf", b"\n", b"\xff\xfe", b"M\0S\0H\0",
           b"BHS|\r"]  # fmt: skip
_FILES = st.one_of(st.binary(max_size=60), st.lists(st.sampled_from(_PIECES), max_size=9).map(b"".join))
_ORU = (
    "MSH|^~\\&|LIS|LAB|HIS|H|202403010830||ORU^R01|1|P|2.5\rPID|1||7^^^H^MR||A^B||19900101|F|||S^^C^^1^CHN||555^PRN^PH\r"
    "PV1|1|I|W^1^2|||||||||||||||||V1\rORC|RE|O1^P|F1^L\rOBR|1|O1^P|F1^L|CBC^Blood^L|||202403010800\r"
    "OBX|1|NM|718-7^Hb^LN||12.5|g/dL^^UCUM|11-15|N|||F|||20240301\rNTE|1||fine\rSPM|1|S1&P^S2&L||BLD^^HL70487\r"
)
_EDITS = st.lists(
    st.tuples(st.integers(0, len(_ORU) - 1), st.sampled_from([*'|^~&\\\r"', "ED", "张", "<5", "2024", "\x00", ""])),
    max_size=12,
)


@settings(max_examples=150, deadline=None)
@given(_FILES, st.sampled_from([None, "gb18030", "utf-16", "cp1252", "big5", "none such"]))
def test_every_byte_of_a_file_belongs_to_one_item(data, encoding):
    offset = 0
    for item in split_messages(data, encoding):
        assert item.offset == offset
        item.text.encode()
        offset += item.size
    assert offset == len(data)


@settings(max_examples=120, deadline=None)
@given(_EDITS)
def test_a_damaged_message_is_converted_or_refused(edits):
    text = list(_ORU)
    for position, new in edits:
        text[position] = new
    try:
        found = convert_message("".join(text))
    except RecordError:
        return
    dumps(list(found.resources))
    ids = [(r["resourceType"], r["id"]) for r in found.resources]
    assert len(ids) == len(set(ids))


def test_fields_are_cut_as_another_parser_cuts_them():
    ours, theirs = parse(_ORU), hl7apy.parser.parse_message(_ORU, find_groups=False, force_validation=False)
    by_name = {segment.name: segment for segment in theirs.children}
    for segment in ours.segments[1:]:
        for number in range(1, len(segment.fields)):
            raw = "~".join(
                field.to_er7() for field in getattr(by_name[segment.name], f"{segment.name}_{number}".lower())
            )
            assert re.sub(r"[\^&]+$", "", segment.raw(number)) == re.sub(r"[\^&]+$", "", raw), (segment.name, number)
