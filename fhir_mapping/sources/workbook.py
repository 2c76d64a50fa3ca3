"""An xlsx file's parts that a sheet needs: its place in the archive, shared texts, which styles are dates.

Read from the XML itself: the usual libraries turn a number into a float before anyone sees how the file wrote it.
Safe XML only: no entities, no document type, no network; parts that unpack to more than ``MAX_PART`` are refused.
Source: ECMA-376 part 1, 18.2 (workbook), 18.4 (shared strings), 18.8 (styles).
"""

from __future__ import annotations

import lzma
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO

from lxml import etree
from openpyxl.styles.numbers import BUILTIN_FORMATS, is_date_format, is_timedelta_format
from openpyxl.utils.datetime import CALENDAR_MAC_1904, CALENDAR_WINDOWS_1900

MAX_PART = 1 << 30
"""Bytes of an unpacked part other than a sheet: shared texts are held in memory."""

MAX_SHEET = 1 << 33
"""Bytes of an unpacked sheet (a million rows of 100 cells take 4 GB); sheets stream, so this bounds time only."""

MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_STRICT_MAIN = "{http://purl.oclc.org/ooxml/spreadsheetml/main}"
_RELATION = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
_STRICT_RELATION = "{http://purl.oclc.org/ooxml/officeDocument/relationships}id"

_LITERAL = re.compile(r'"[^"]*"|\\.|\[[^\]]*\]')

BROKEN = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, etree.XMLSyntaxError),
    # a member that begins before the file does, or that the directory does not have
    *(EOFError, OSError, NotImplementedError, RuntimeError, ValueError, KeyError),
)
"""What a damaged, encrypted or hostile archive raises while it is read."""


class BadWorkbookError(Exception):
    """The archive is no readable workbook."""


class MissingSheetError(Exception):
    """The workbook has no sheet of the wanted name."""


@dataclass(frozen=True)
class Workbook:
    """What the cells of one sheet refer to.

    Attributes:
        sheet: path of the sheet in the archive.
        texts: shared texts by number.
        kinds: for each cell style ``date``, ``datetime`` (its format shows a time of day), ``duration`` or None.
        epoch: day 0 of dates.
    """

    sheet: str
    texts: tuple[str, ...]
    kinds: tuple[str | None, ...]
    epoch: datetime


def open_workbook(stream: BinaryIO, sheet: str | None) -> Workbook:
    """Read all but the cells; ``sheet`` None: the first one.

    Raises:
        BadWorkbookError, MissingSheetError.
    """
    try:
        with zipfile.ZipFile(stream) as archive:
            book = _parse(archive, "xl/workbook.xml")
            path = _sheet_path(archive, book, sheet)
            if archive.getinfo(path).file_size > MAX_SHEET:
                raise BadWorkbookError
            properties = next((e for e in book if local(e.tag) == "workbookPr"), None)
            is_1904 = properties is not None and properties.get("date1904") in ("1", "true")
            epoch = CALENDAR_MAC_1904 if is_1904 else CALENDAR_WINDOWS_1900
            return Workbook(path, tuple(_texts(archive)), tuple(_kinds(archive)), epoch)
    except BROKEN as error:
        raise BadWorkbookError from error


def local(tag: object) -> str:
    """The name of an element without its namespace; empty for comments."""
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


def text_of(element: etree._Element) -> str:
    """The text of a shared or inline string: its runs joined, phonetic guides left out."""
    parts = []
    for child in element:
        name = local(child.tag)
        if name == "t":
            parts.append(child.text or "")
        elif name == "r":
            parts += [t.text or "" for t in child if local(t.tag) == "t"]
    return "".join(parts)


def _parse(archive: zipfile.ZipFile, path: str) -> etree._Element:
    if archive.getinfo(path).file_size > MAX_PART:
        raise BadWorkbookError
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    with archive.open(path) as part:
        return etree.parse(part, parser).getroot()


def _sheet_path(archive: zipfile.ZipFile, book: etree._Element, wanted: str | None) -> str:
    sheets = [e for e in book.iter() if local(e.tag) == "sheet"]
    chosen = next((e for e in sheets if wanted is None or e.get("name") == wanted), None)
    if chosen is None:
        raise MissingSheetError
    relation = chosen.get(_RELATION) or chosen.get(_STRICT_RELATION)
    for found in _parse(archive, "xl/_rels/workbook.xml.rels"):
        if found.get("Id") == relation:
            target = found.get("Target") or ""
            return target.lstrip("/") if target.startswith("/") else f"xl/{target}"
    raise BadWorkbookError


def _texts(archive: zipfile.ZipFile) -> Iterator[str]:
    if "xl/sharedStrings.xml" not in archive.namelist():
        return
    for element in _parse(archive, "xl/sharedStrings.xml"):
        if local(element.tag) == "si":
            yield text_of(element)


def _kinds(archive: zipfile.ZipFile) -> Iterator[str | None]:
    if "xl/styles.xml" not in archive.namelist():
        return
    root = _parse(archive, "xl/styles.xml")
    formats = dict(BUILTIN_FORMATS)
    for element in root.iter():
        if local(element.tag) == "numFmt":
            formats[int(element.get("numFmtId") or 0)] = element.get("formatCode") or ""
    for group in root:
        if local(group.tag) == "cellXfs":
            for style in group:
                code = formats.get(int(style.get("numFmtId") or 0), "")
                yield _kind(code)


def _kind(code: str) -> str | None:
    if is_timedelta_format(code):
        return "duration"
    if not is_date_format(code):
        return None
    return "datetime" if re.search("[hs]", _LITERAL.sub("", code), re.IGNORECASE) else "date"
