"""What fuzzing starts from: public messages and documents where they are at hand, the project's own writers always."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
from functools import cache
from itertools import islice
from pathlib import Path

from openpyxl import Workbook

from synthetic.cda_cn import DEVIATIONS, KINDS, write_document
from synthetic.hl7v2_cn import VENDORS, framed, make_feed

DATA = Path(os.environ.get("CLOISTER_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
HEADER = ("就诊号", "病人编号", "就诊时间", "科室", "主诉", "体温(℃)", "白细胞(10^9/L)", "更新时间")
COLUMNS = ("visit_no", "patient_no", "visit_time", "dept", "complaint", "temp", "wbc", "updated_at")
_CELLS = (
    ("V1", "P1", "2024-03-01 08:05", "呼吸内科", "咳嗽3天，加重1天", "38.50", "12.3", "2024-03-01 09:00"),
    ("V2", "", "2024年3月1日 8时5分", "儿科億僞乗", '"高热"伴咽痛\n第2天', "３７．２", "<0.5", "20240301090000"),
    ("V3", "P2", "2024/3/2", "无", "复诊,取药", "-", "↑ 15.0", "NULL"),
)
_R5 = (
    '{"resourceType":"Encounter","id":"e5","status":"completed","class":[{"coding":[{"system":'
    '"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"AMB"}]}],"actualPeriod":{"start":"2024-03-01T08:00:00Z"},'
    '"reason":[{"value":[{"concept":{"text":"cough"}}]}],"subject":{"reference":"Patient/p1"}}',
    '{"resourceType":"MedicationRequest","id":"m5","status":"active","intent":"order","medication":{"concept":{"text":'
    '"aspirin"}},"subject":{"reference":"Patient/p1"},"_status":{"extension":[{"url":"http://x/y","valueString":"z"}]}}',
    '{"resourceType":"Observation","id":"o5","status":"final","code":{"text":"Hb"},"instantiatesCanonical":"http://x/q",'
    '"valueQuantity":{"value":5.60,"unit":"g/dL"},"triggeredBy":[{"observation":{"reference":"Observation/o4"},"type":"reflex"}]}',
)
_LONGEST = {".hl7": 2_500, ".xml": 12_000, ".cda": 12_000}
"""Bytes of a public file that is taken: the more inputs a second, the more is tried."""


@cache
def seeds(form: str) -> tuple[bytes, ...]:
    """Files of a format; the same on every run on the same data."""
    if form == "hl7v2":
        return (*_own_messages(), *_public("hl7v2-to-fhir-pairs", ".hl7"))
    if form == "cda":
        return (*_own_documents(), *_public("ccda-to-fhir-pairs", ".xml", ".cda"))
    if form == "fhir":
        return _resources()
    if form == "xlsx":
        return (_workbook(),)
    return _tables("\t" if form == "tsv" else ",")


def _own_messages() -> list[bytes]:
    found = []
    for number, vendor in enumerate(VENDORS):
        feed = make_feed(number, vendor, 6)
        found += [framed(vendor, message) for message in (*feed.adt, *feed.oru)]
        found.append(b"FHS|^~\\&\rBHS|^~\\&\r" + feed.data(feed.oru[:2]) + b"BTS|2\rFTS|1\r")
    return found


def _own_documents() -> list[bytes]:
    plain = [write_document(kind, seed).data for kind in KINDS for seed in range(2)]
    return plain + [write_document(kind, 5, deviation=name).data for kind in ("C0002", "C0007") for name in DEVIATIONS]


def _public(folder: str, *endings: str) -> list[bytes]:
    paths = sorted(path for path in (DATA / folder).rglob("*") if path.suffix in endings)
    return [path.read_bytes() for path in paths if path.stat().st_size <= _LONGEST[path.suffix]]


def _resources() -> tuple[bytes, ...]:
    lines = [line.encode() for line in _R5]
    for path in sorted((DATA / "synthea-fhir-r4" / "bulk-export-10-patients").glob("*.ndjson.gz")):
        with gzip.open(path) as stream:
            lines += [line.strip() for line in islice(stream, 12) if len(line) < 4_000]
    bundles = []
    for start in range(0, len(lines), 5):
        entries = [
            {"fullUrl": f"urn:uuid:{start}-{n}", "resource": json.loads(line)}
            for n, line in enumerate(lines[start : start + 3])
        ]
        bundle = {"resourceType": "Bundle", "type": "collection", "entry": entries}
        bundles.append(json.dumps(bundle, ensure_ascii=False).encode())
    groups = [b"\n".join(lines[start : start + 3]) + b"\n" for start in range(0, len(lines), 3)]
    return (*lines, *groups, *bundles)


def _tables(delimiter: str) -> tuple[bytes, ...]:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, lineterminator="\n")
    writer.writerows([HEADER, *_CELLS, *_CELLS])
    plain = text.getvalue()
    codecs = ("utf-8", "utf-8-sig", "gb18030", "utf-16")
    return tuple(text.encode(codec) for codec in codecs for text in (plain, plain.replace("\n", "\r\n")))


def _workbook() -> bytes:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    for row in (HEADER, *_CELLS, *_CELLS):
        sheet.append(row)
    sheet.append([1, 2.5, None, True, "=1+1", 1e300, -0.1, "x"])
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()
