"""The records of one block of CSV lines as Arrow columns.

Three kinds of line, each by the fastest way that reads it exactly: without a quote (split by Arrow), with quotes that
pair up on the line (Arrow's CSV parser), and records the scanner had to read itself. They are laid together in file
order.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow_csv

from fhir_mapping.sources.csv_scanner import Record, Scan, count_fields
from fhir_mapping.sources.encoding import double_backslashes
from fhir_mapping.sources.lines import Lines
from fhir_mapping.sources.record import BAD_ENCODING, COLUMN_COUNT, RECORD_ERRORS, Block

_BOM = b"\xef\xbb\xbf"
_CODE = {name: code for code, name in enumerate(RECORD_ERRORS)}
_GOOD = -1


@dataclass(frozen=True)
class Part:
    """Some of a block's records: the line each begins on, and raw, error and columns in that order."""

    numbers: np.ndarray
    arrays: list[pa.StringArray]


@dataclass(frozen=True)
class Assembly:
    """One block's lines on the way to columns.

    Attributes:
        raw: text of each line.
        scan: what its quotes mean.
        bad: lines that held undecodable bytes (escaped by now).
        head: lines of the header in this block.
        delimiter, width: of the file.
        positions: field number of each column; None: absent from the file.
    """

    lines: Lines
    raw: pa.StringArray
    scan: Scan
    bad: frozenset[int]
    head: range
    delimiter: str
    width: int
    positions: dict[str, int | None]

    def block(self) -> Block:
        """All whole records of the lines."""
        consumed = self.scan.consumed
        is_free = np.ones(consumed, dtype=bool)
        is_free[self.head.start : self.head.stop] = False
        for record in self.scan.records:
            is_free[record.line : record.line + record.lines] = False
        is_blank = is_free & self.lines.is_blank[:consumed]
        is_simple = is_free & self.scan.simple[:consumed]
        plain = self._plain(np.flatnonzero(is_free & ~is_blank & ~is_simple))
        parts = [part for part in (plain, self._simple(is_simple), self._read()) if len(part.numbers)]
        arrays = _in_file_order(parts or [plain])
        values = dict(zip(self.positions, arrays[2:], strict=True))
        return Block(arrays[0], arrays[1], values, consumed, int(is_blank.sum()))

    def _plain(self, numbers: np.ndarray) -> Part:
        """Lines without a quote."""
        raw = self._raw(numbers)
        fields = pc.split_pattern(raw, self.delimiter)
        codes = self._codes(numbers, pc.list_value_length(fields).to_numpy())
        good = fields if (codes == _GOOD).all() else fields.filter(pa.array(codes == _GOOD))
        columns = [pc.list_element(good, p) if p is not None else None for p in self.positions.values()]
        return Part(numbers, [raw, *_spread(codes, columns)])

    def _simple(self, is_simple: np.ndarray) -> Part:
        """Lines whose quotes pair up on them."""
        numbers = np.flatnonzero(is_simple)
        raw = self._raw(numbers)
        codes = self._codes(numbers, count_fields(raw, self.delimiter))
        is_good = np.zeros(len(self.lines), dtype=bool)
        is_good[numbers[codes == _GOOD]] = True
        table = self._parse(self.lines.keep(is_good))
        columns = [table.get(position) for position in self.positions.values()]
        return Part(numbers, [raw, *_spread(codes, columns)])

    def _read(self) -> Part:
        """Records the scanner read."""
        raw, errors, rows = [], [], []
        nothing: list[str | None] = [None] * self.width
        for record in self.scan.records:
            is_bad = bool(self.bad) and not self.bad.isdisjoint(range(record.line, record.line + record.lines))
            raw.append(self._text(record, is_bad))
            errors.append(BAD_ENCODING if is_bad else record.error)
            rows.append(nothing if is_bad or record.fields is None else record.fields)
        columns = list(zip(*rows, strict=True)) or [()] * self.width
        absent = [None] * len(rows)
        chosen = [absent if p is None else columns[p] for p in self.positions.values()]
        numbers = np.array([record.line for record in self.scan.records], dtype=np.int64)
        return Part(numbers, [pa.array(column, pa.string()) for column in (raw, errors, *chosen)])

    def _parse(self, text: bytes) -> dict[int | None, pa.StringArray]:
        """The wanted fields of lines of the right width, by field number."""
        wanted = sorted({position for position in self.positions.values() if position is not None})
        if not text or not wanted:
            return {position: pa.array([], pa.string()) for position in wanted}
        table = arrow_csv.read_csv(
            # Arrow drops one byte-order mark at the start; the text may open with another that is content.
            pa.BufferReader(_BOM + text),
            read_options=arrow_csv.ReadOptions(
                column_names=[str(number) for number in range(self.width)], block_size=len(text) + len(_BOM) + 1
            ),
            parse_options=arrow_csv.ParseOptions(delimiter=self.delimiter, ignore_empty_lines=False),
            convert_options=arrow_csv.ConvertOptions(
                check_utf8=False,
                column_types={str(position): pa.string() for position in wanted},
                include_columns=[str(position) for position in wanted],
            ),
        )
        return {position: table.column(str(position)).combine_chunks() for position in wanted}

    def _raw(self, numbers: np.ndarray) -> pa.StringArray:
        return self.raw if len(numbers) == len(self.raw) else self.raw.take(pa.array(numbers))

    def _codes(self, numbers: np.ndarray, widths: np.ndarray) -> np.ndarray:
        """Error code of each line; undecodable bytes say more than a wrong field count."""
        codes = np.where(widths == self.width, _GOOD, _CODE[COLUMN_COUNT])
        if self.bad:
            codes[np.isin(numbers, list(self.bad))] = _CODE[BAD_ENCODING]
        return codes

    def _text(self, record: Record, is_bad: bool) -> str:
        """Exact text of a record; where one of its lines holds bad bytes, all are escaped alike."""
        end = record.line + record.lines
        if not is_bad or record.lines == 1:
            return self.lines.text(record.line, end)
        parts = []
        for number in range(record.line, end):
            line = self.lines.text(number, number + 1)
            parts += [line if number in self.bad else double_backslashes(line), self.lines.line_end(number)]
        return "".join(parts[:-1])


def _spread(codes: np.ndarray, columns: list[pa.StringArray | None]) -> list[pa.StringArray]:
    """The error column, then columns of the good records only as columns of all records, null for the others."""
    is_good = codes == _GOOD
    errors = pa.DictionaryArray.from_arrays(pa.array(codes, mask=is_good), pa.array(RECORD_ERRORS)).cast(pa.string())
    if is_good.all():
        return [errors, *(pa.nulls(len(codes), pa.string()) if column is None else column for column in columns)]
    row = pa.array(np.cumsum(is_good) - 1, mask=~is_good)
    return [errors, *(pa.nulls(len(codes), pa.string()) if column is None else column.take(row) for column in columns)]


def _in_file_order(parts: list[Part]) -> list[pa.StringArray]:
    if len(parts) == 1:
        return parts[0].arrays
    order = pa.array(np.argsort(np.concatenate([part.numbers for part in parts]), kind="stable"))
    return [pa.concat_arrays(arrays).take(order) for arrays in zip(*(part.arrays for part in parts), strict=True)]
