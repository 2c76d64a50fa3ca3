"""Cutting rows out of an xlsx sheet: the other rows and parts of the workbook stay as they are.

Shared texts that no cell uses any more are emptied in their place, so that the others keep their numbers.
"""

from __future__ import annotations

import io
import zipfile

from lxml import etree

from contracts.errors import DataError
from fhir_mapping.sources.workbook import BROKEN, local
from fhir_mapping.sources.xlsx import Sheet

_SHARED = "xl/sharedStrings.xml"
_SHEETS = "xl/worksheets/"


def cut_sheet(sheet: Sheet, content: bytes, gone: frozenset[int]) -> bytes:
    """The workbook without the records of these numbers.

    Raises:
        DataError: the sheet is damaged.
    """
    try:
        places = sheet.places(io.BytesIO(content))
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            parts = {info.filename: archive.read(info) for info in archive.infolist()}
            parts[sheet.book.sheet] = _without_rows(parts[sheet.book.sheet], {places[number] for number in gone})
            if _SHARED in parts:
                sheets = [body for name, body in parts.items() if name.startswith(_SHEETS) and name.endswith(".xml")]
                parts[_SHARED] = _without_texts(parts[_SHARED], set().union(*map(_used, sheets)))
            return _packed(archive.infolist(), parts)
    except (*BROKEN, IndexError, ValueError) as error:
        raise DataError("a damaged workbook cannot be cut: take it out of landing, then erase again") from error


def _without_rows(body: bytes, places: set[int]) -> bytes:
    root = _parse(body)
    rows = [element for element in root.iter() if local(element.tag) == "row"]
    for place in places:
        parent = rows[place].getparent()
        assert parent is not None
        parent.remove(rows[place])
    return _written(root)


def _without_texts(body: bytes, used: set[int]) -> bytes:
    root = _parse(body)
    for number, element in enumerate(e for e in root if local(e.tag) == "si"):
        if number not in used:
            for part in list(element):
                element.remove(part)
            etree.SubElement(element, element.tag.replace("}si", "}t"))
    return _written(root)


def _used(body: bytes) -> set[int]:
    """Numbers of the shared texts that a sheet's cells show."""
    cells = (element for element in _parse(body).iter() if local(element.tag) == "c" and element.get("t") == "s")
    shown = (next((part.text for part in cell if local(part.tag) == "v"), None) for cell in cells)
    return {int(number) for number in shown if number is not None and number.isdigit()}


def _packed(infos: list[zipfile.ZipInfo], parts: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for info in infos:
            archive.writestr(info, parts[info.filename], compress_type=info.compress_type)
    return stream.getvalue()


def _parse(body: bytes) -> etree._Element:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    return etree.fromstring(body, parser)


def _written(root: etree._Element) -> bytes:
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8", standalone=True)
