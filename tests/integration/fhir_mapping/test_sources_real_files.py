"""Real exports, byte for byte: what the readers make of them, and of them re-encoded, cut and damaged."""

from __future__ import annotations

import csv
import gzip
import io
import os
from pathlib import Path

import pytest
from source_files import assert_conserved, blocks_of, csv_source, ndjson_source

from contracts.region import Column, Source
from fhir_mapping.sources.reader import SourceFile, inspect, read_records

ROOT = Path(__file__).resolve().parents[3]
DATA = Path(os.environ.get("CLOISTER_DATA", ROOT.parent / "shared" / "data"))

pytestmark = pytest.mark.skipif(
    not DATA.is_dir(), reason="needs the public data sets: put them beside the checkout or set CLOISTER_DATA"
)

TOYHOM = csv_source("department", "title", "ask", "answer", encoding="gb18030")
TONGJI = csv_source("x", encoding="gb18030").model_copy(update={"column": (Column(name="age", header="年龄"),)})
KTAS = csv_source("x", delimiter=";").model_copy(
    update={"column": (Column(name="complaint", header="Chief_complain"),)}
)
HEART = csv_source(*(f"c{number}" for number in range(14)), header=False)
MIDMED = ndjson_source(complaint="complaint", department="departments[0]")
DIABETES = csv_source("encounter_id", "patient_nbr", "diag_1", null_values=("", "?"))
OBSERVATION = ndjson_source(code="code.coding[0].code", value="valueQuantity.value")


def _bytes(name: str) -> bytes:
    data = (DATA / name).read_bytes()
    return gzip.decompress(data) if name.endswith(".gz") else data


def _inspect(source: Source, data: bytes) -> SourceFile:
    file = inspect(source, io.BytesIO(data))
    assert isinstance(file, SourceFile)
    return file


@pytest.mark.parametrize(
    ("name", "source", "encoding", "records", "bad"),
    [
        ("toyhom-internal-medicine/sample200.gb18030.csv", TOYHOM, "gb18030", 200, 0),
        ("toyhom-internal-medicine/questions.csv.gz", TOYHOM, "utf-8", 6129, 0),
        ("tongji-covid19-labs/time_series_375_zh.gb18030.csv.gz", TONGJI, "gb18030", 6120, 0),
        # Windows-1254, which no source can declare: each record with such a byte is flagged, the others are read
        ("ktas-emergency-triage/data.csv", KTAS, "utf-8", 1014, 444),
        ("uci-diabetes-130-hospitals/diabetic_data.csv.gz", DIABETES, "utf-8", 81484, 0),
        ("uci-heart-4-hospitals/processed.va.data", HEART, "utf-8", 160, 0),
        ("midmed-departments/complaints.jsonl.gz", MIDMED, "utf-8", 2096, 0),
        ("synthea-fhir-r4/bulk/Observation.000.ndjson.gz", OBSERVATION, "utf-8", 13246, 0),
    ],
)
def test_a_real_file_is_read_whole(name: str, source: Source, encoding: str, records: int, bad: int) -> None:
    data = _bytes(name)
    file = _inspect(source, data)
    blocks = blocks_of(file, data)
    assert_conserved(data, file, blocks)
    assert file.encoding.label == encoding
    assert sum(len(block) for block in blocks) == records
    assert sum(len(block) - block.error.null_count for block in blocks) == bad


def test_values_are_those_the_csv_module_reads() -> None:
    data = _bytes("toyhom-internal-medicine/questions.csv.gz")
    expected = list(csv.DictReader(io.StringIO(data.decode(), newline="")))
    assert [record.values for record in read_records(TOYHOM, data)] == expected


def test_the_same_consultations_in_either_encoding_are_the_same_records() -> None:
    data = _bytes("toyhom-internal-medicine/questions.csv.gz")
    assert list(read_records(TOYHOM, data)) == list(read_records(TOYHOM, data.decode().encode("gb18030")))


def test_damage_to_some_consultations_costs_only_those() -> None:
    """Every 500th line gets a quote that opens a field, a bad byte or both."""
    lines = _bytes("toyhom-internal-medicine/questions.csv.gz").decode().encode("gb18030").split(b"\n")
    damage = [b'"', b"\xff", b'"\xff']
    for turn, number in enumerate(range(100, len(lines), 500)):
        first, comma, rest = lines[number].partition(b",")
        lines[number] = first + comma + damage[turn % 3] + rest
    data = b"\n".join(lines)
    file = _inspect(TOYHOM, data)
    blocks = blocks_of(file, data, 1 << 16)
    assert_conserved(data, file, blocks)
    errors = [error for block in blocks for error in block.error.to_pylist() if error]
    assert 10 <= len(errors) <= 20
    assert abs(sum(len(block) for block in blocks) - 6129) <= 5
