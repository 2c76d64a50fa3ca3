"""The check that a text file's records are the file, byte for byte: nothing lost, nothing made up."""

from __future__ import annotations

from fhir_mapping.sources.encoding import restore
from fhir_mapping.sources.reader import SourceFile
from fhir_mapping.sources.record import BAD_ENCODING, Block
from fhir_mapping.sources.utf16 import UTF_16, to_utf8


def assert_conserved(data: bytes, file: SourceFile, blocks: list[Block]) -> None:
    """The byte-order mark, header, records and blank lines, each with its line end, are ``data`` and nothing else.

    UTF-16 is compared as the UTF-8 it is read as; that this gives every byte back is a test of its own.
    """
    codec = file.encoding.codec
    if codec in UTF_16:
        data, codec = file.encoding.bom + to_utf8(data[len(file.encoding.bom) :], codec)[0], "utf-8"
    newline = file.newline.encode()
    position, blank, records = len(file.encoding.bom), 0, 0

    def line_end() -> int:
        ends = (b"\r\n", b"\n") if newline == b"\n" else (b"\r",)
        return next((len(end) for end in ends if data.startswith(end, position)), 0)

    def skip_blank() -> None:
        nonlocal position, blank
        while length := line_end():
            position += length
            blank += 1

    skip_blank()
    for _ in range(file.header_lines):
        position = (data.find(newline, position) + 1) or len(data)
    for block in blocks:
        for raw, error in zip(block.raw.to_pylist(), block.error.to_pylist(), strict=True):
            skip_blank()
            original = restore(raw, codec, is_escaped=error == BAD_ENCODING)
            assert data.startswith(original, position)
            position += len(original)
            length = line_end()
            assert length or position == len(data)
            position += length
            records += 1
    skip_blank()
    assert position == len(data)
    assert sum(block.blank_lines for block in blocks) == blank
    body = data[len(file.encoding.bom) :]
    assert sum(block.lines for block in blocks) == body.count(newline) + (body != b"" and not body.endswith(newline))
    assert sum(len(block) for block in blocks) == records
