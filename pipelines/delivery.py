"""Public data sets as hospitals' deliveries: each source's file is put into its site's landing folder.

A source says by ``delivery`` which file of the data folder stands for its export. One file may serve several sites:
``part = [k, n]`` delivers every n-th record, counted by the source's own reader (a quoted line break ends no record),
each with its exact bytes, under the file's own header. Hospitals export by query: ``join`` adds columns of other tables
of the same database behind each record, such as the name of a code or the person of a stay.
"""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Iterator
from pathlib import Path

from contracts.errors import SourceContractError, UsageError
from contracts.region import Delivery, Join, Region, Source
from contracts.zone import WorkArea
from fhir_mapping.sources.encoding import restore
from fhir_mapping.sources.reader import Refusal, SourceFile, inspect
from fhir_mapping.sources.record import BAD_ENCODING


def require_data(region: Region, data: Path | None) -> None:
    """Raise UsageError, in one line, unless every file that the region's sources are delivered from is there."""
    wanted = sorted({name for _, _, one in _deliveries(region) for name in (one.data, *(j.data for j in one.join))})
    if not wanted:
        return
    if data is None:
        raise UsageError(
            f"region '{region.name}' stands on public data: give --data PATH, a folder that holds {wanted[0]}"
        )
    for name in wanted:
        if not (data / name).is_file():
            raise UsageError(
                f"no file {name} in {data}: give --data PATH, the folder of public data sets that holds it"
            )


def deliver_public_data(region: Region, data: Path, work: WorkArea) -> int:
    """Put every source's public file into its site's landing folder, ``.gz`` unpacked, cut to the source's part.

    Repeating it changes nothing: a file that is there with the same bytes is left alone.

    Returns:
        How many files the sites' landing folders now hold of the region's deliveries.

    Raises:
        UsageError: a data file is not there.
        SourceContractError: a file that has to be cut cannot be read as records of its source.
    """
    require_data(region, data)
    count = 0
    for site, source, delivery in _deliveries(region):
        target = work.site(site).landing / delivery.day / landing_name(delivery)
        write_if_changed(target, delivered_bytes(source, delivery, data))
        count += 1
    return count


def delivered_bytes(source: Source, delivery: Delivery, data: Path) -> bytes:
    """What a delivery puts into landing: the public file, joined, then cut to its part."""
    content = _read(data / delivery.data)
    for join in delivery.join:
        content = joined(source, content, join, _read(data / join.data))
    return part_of(source, delivery, content)


def landing_name(delivery: Delivery) -> str:
    """The file's name in landing: as in the data folder, without ``.gz``."""
    return Path(delivery.data).name.removesuffix(".gz")


def part_of(source: Source, delivery: Delivery, content: bytes) -> bytes:
    """The records of one part, bytes unchanged: byte-order mark, header, chosen records with their line ends."""
    part, parts = delivery.part
    if parts == 1:
        return content
    file = inspect(source, io.BytesIO(content))
    if isinstance(file, Refusal):
        raise SourceContractError(f"{delivery.data} cannot be cut into parts as source '{source.name}': {file.reason}")
    if not isinstance(file, SourceFile) or file.encoding.codec.startswith("utf-16"):
        raise SourceContractError(
            f"{delivery.data} cannot be cut into parts: only lines of UTF-8, GB18030 and single-byte text can. "
            "Leave 'part' out."
        )
    header, records = _cut(file, content)
    return header + b"".join(record for number, record in enumerate(records) if number % parts == part)


def joined(source: Source, content: bytes, join: Join, other: bytes) -> bytes:
    """The records, written again as CSV, with the columns of another table behind them.

    Raises:
        SourceContractError: a column to join on or to take is not in its table.
    """
    rows = csv.DictReader(io.StringIO(other.decode("utf-8-sig"), newline=""))
    missing = [name for name in (*join.on.values(), *join.take.values()) if name not in (rows.fieldnames or ())]
    known = {tuple(row[name] for name in join.on.values()): [row[name] for name in join.take.values()] for row in rows}
    reader = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), delimiter=source.delimiter)
    header = next(reader, [])
    missing += [name for name in join.on if name not in header]
    if missing:
        raise SourceContractError(f"{join.data} cannot be joined to source '{source.name}': no column {missing}")
    places = [header.index(name) for name in join.on]
    nothing = [""] * len(join.take)
    lines = io.StringIO(newline="")
    writer = csv.writer(lines, delimiter=source.delimiter, lineterminator="\n")
    writer.writerow([*header, *join.take])
    for record in reader:
        if len(record) == len(header):
            writer.writerow([*record, *known.get(tuple(record[place] for place in places), nothing)])
        elif record:
            writer.writerow(record)
    return lines.getvalue().encode()


def write_if_changed(path: Path, content: bytes) -> None:
    """Write a file unless it already holds these bytes, so that a sensor sees no new delivery where none is."""
    if path.is_file() and path.read_bytes() == content:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def _deliveries(region: Region) -> Iterator[tuple[str, Source, Delivery]]:
    for site in region.sites:
        for source in site.sources:
            if source.delivery:
                yield site.name, source, source.delivery


def _read(path: Path) -> bytes:
    content = path.read_bytes()
    return gzip.decompress(content) if path.suffix == ".gz" else content


def _cut(file: SourceFile, content: bytes) -> tuple[bytes, list[bytes]]:
    """The bytes before the first record, and each record with the line end that follows it."""
    start = position = _after_lines(content, len(file.encoding.bom), file.header_lines, file.newline.encode())
    records = []
    for block in file.blocks(io.BytesIO(content)):
        for record in block.records(0):
            raw = restore(record.raw, file.encoding.codec, is_escaped=record.error == BAD_ENCODING)
            begin = content.index(raw, position)
            position = _after_lines(content, begin + len(raw), 1, file.newline.encode())
            records.append(content[begin:position])
    return content[:start], records


def _after_lines(content: bytes, position: int, lines: int, newline: bytes) -> int:
    """The position after so many line ends from ``position`` on; the end of the content where there are fewer."""
    for _ in range(lines):
        found = content.find(newline, position)
        if found < 0:
            return len(content)
        position = found + 1
    return position
