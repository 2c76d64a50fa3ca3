"""A file of messages: batches, frames, encodings; each byte belongs to one item."""

import pytest

from fhir_mapping.hl7v2 import parse, split_messages

A01 = "MSH|^~\\&|HIS|H1|||20240301||ADT^A01|1|P|2.4\rPID|1||7^^^H1\r"
ORU = "MSH|^~\\&|LIS|H1|||20240301||ORU^R01|2|P|2.4\rPID|1||8^^^H1\r"


@pytest.mark.parametrize("line_end", ["\r", "\n", "\r\n"])
def test_messages_are_told_apart_with_all_line_ends(line_end):
    data = (A01 + ORU).replace("\r", line_end).encode()
    assert [(i.error, parse(i.text).value("MSH-10")) for i in split_messages(data)] == [(None, "1"), (None, "2")]


def test_batch_marks_and_frames_are_not_part_of_a_message():
    data = f"FHS|^~\\&|\rBHS|^~\\&|\r\x0b{A01}\x1c\r\x0b{ORU}\x1c\rBTS|2\rFTS|1\r".encode()
    items = list(split_messages(data))
    assert [item.text for item in items] == [A01.strip(), ORU.strip()]
    assert sum(item.size for item in items) == len(data)


def test_text_without_a_header_is_an_item_with_an_error():
    items = list(split_messages(f"PID|1||9\r{A01}".encode()))
    assert [item.error for item in items] == ["missing_msh", None]


def test_a_trailer_that_counts_other_than_its_messages_is_reported():
    items = list(split_messages(f"BHS|^~\\&|\r{A01}BTS|3\r".encode()))
    assert [item.error for item in items] == [None, "batch_count"]


def test_nothing_is_nothing_and_blank_is_an_item():
    assert list(split_messages(b"")) == []
    assert [item.error for item in split_messages(b"\r\n \r\n")] == ["missing_msh"]


@pytest.mark.parametrize("codec", ["utf-8", "gb18030", "utf-16", "utf-8-sig"])
def test_chinese_text_is_read_whatever_the_encoding(codec):
    data = A01.replace("7^^^H1", "7^^^H1||张三丰^^^^^^L||19900101|M|||北京市朝阳区").encode(codec)
    (item,) = split_messages(data)
    assert item.error is None
    assert parse(item.text).value("PID-5.1") == "张三丰"


def test_msh_18_names_the_encoding_of_a_short_message():
    # "联通" in GBK is valid UTF-8 of two other characters.
    text = "MSH|^~\\&|联通|||||||1|P|2.4||||||GB 18030-2000\r"
    (item,) = split_messages(text.encode("gbk"))
    assert parse(item.text).value("MSH-3") == "联通"


@pytest.mark.parametrize("delimiter", list("|^~\\"))
def test_trail_bytes_that_look_like_delimiters_do_not_split(delimiter):
    wide = [chr(c) for c in range(0x4E00, 0xA000) if chr(c).encode("gbk", "ignore")[1:] == delimiter.encode()]
    assert len(wide) == 116
    name = "".join(wide)
    (item,) = split_messages(f"MSH|^~\\&|H|||||||1|P|2.4\rPID|1||7||{name}^x\r".encode("gb18030"))
    assert parse(item.text).value("PID-5.1") == name


def test_a_message_in_another_encoding_than_its_file_is_read_in_its_own():
    utf8 = A01.replace("HIS", "医院信息系统与临床数据").encode() * 6
    (*_, last) = split_messages(utf8 + ORU.replace("LIS", "检验科室").encode("gb18030"))
    assert (last.error, last.encoding, parse(last.text).value("MSH-3")) == (None, "gb18030", "检验科室")


def test_bytes_that_are_no_text_are_shown_and_reported():
    (item,) = split_messages(A01.encode() + b"NTE|1||\xff\xfe\x00 \\ \r", "utf-8")
    assert item.error == "bad_encoding"
    assert "\\xff\\xfe\\x00 \\\\" in item.text


@pytest.mark.parametrize(("declared", "codec"), [("UNICODE UTF-8", "utf-8"), ("", "utf-8"), ("GBK", "gb18030")])
def test_a_broken_character_does_not_make_the_others_wrong(declared, codec):
    text = f"MSH|^~\\&|HIS|H1|||20240301||ADT^A01|1|P|2.4||||||{declared}\rPID|1||7||张三|||||北京市海淀区中关村大街\r"
    whole = "关".encode(codec)
    broken = text.encode(codec).replace(whole, b"\xff" if codec == "gb18030" else whole[:2])
    (item,) = split_messages(broken)
    assert item.error == "bad_encoding" and "张三" in item.text and "\\xff" in item.text.replace("\\xe5\\x85", "\\xff")


@pytest.mark.parametrize("declared", ["", "UNICODE UTF-8", "8859/1"])
def test_latin_letters_are_read_whatever_the_header_says(declared):
    text = f"MSH|^~\\&|HIS|H1|||20240301||ADT^A01|1|P|2.4||||||{declared}\rPID|1||7||Müller^Jürgen|||||Straße 1\r"
    (item,) = split_messages(text.encode("latin-1"))
    assert item.error is None and "Müller^Jürgen" in item.text
