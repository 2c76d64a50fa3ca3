"""What stands around rows is read once a run of rows that share it; the rows are as if each had been read alone."""

from __future__ import annotations

import pyarrow as pa
import pytest
from source_files import hl7v2_source

from fhir_mapping.sources.reader import read_records
from fhir_mapping.sources.texts import without_empty

FEED = r"""MSH|^~\&|LIS|LAB|HIS|H|20240301080500||ORU^R01|M1|P|2.4
PID|1||P1^^^H^MR||A^B||19900307|F
PV1|1|O|||||||||||||||||V1
ORC|RE|O1
OBR|1|O1|F1|GLU|||20240301070000
OBX|1|NM|GLU||5.60|mmol/L
SPM|1|S1||SER
OBX|2|NM|CRP||""|mg/L||||||||20240301
NTE|1||fasting
SPM|2|S2||URI
OBX|3|ST|TXT||said
OBR|2|O2|F2|K
OBX|1|NM|K||4.1|mmol/L
PID|2||P2
OBR|1|O3|F3|NA
OBX|1|NM|NA||140|
MSH|^~\&|LIS|LAB|HIS|H|20240302080500||ORU^R01|M2|P|2.4
PID|1||P3
MSH|^~\&|LIS|LAB|HIS|H|20240303080500||ORU^R01|M3|P|2.4
OBX|1|NM|K||3.9|
"""
PATHS = {
    "message": "MSH-10",
    "sent": "time(MSH-7)",
    "patient": "PID-3.1",
    "born": "time(PID-7)",
    "visit": "PV1-19",
    "order": "ORC-2 | OBR-2",
    "specimen": "SPM-4",
    "second_specimen": "SPM[2]-4",
    "name": "join(PID-5.1, PID-5.2)",
    "sorts": "order(OBR-7 | MSH-7, MSH-7)",
    "observed": "time(OBX-14 | OBR-7)",
    "code": "OBX-3.1",
    "value": "OBX-5",
    "which": "nth(OBX-3.1)",
    "note": "NTE-3[*]",
    "system": "system('LN')",
}


@pytest.mark.parametrize("rows", ["OBX", "OBR", "SPM", "NTE", "ZZZ", None])
def test_columns_read_together_are_what_each_is_alone(rows: str | None) -> None:
    data = FEED.encode()
    together = list(read_records(hl7v2_source(rows, **PATHS), data))
    for name, path in PATHS.items():
        alone = list(read_records(hl7v2_source(rows, **{name: path}), data))
        assert [record.values[name] for record in together] == [record.values[name] for record in alone], name


def test_what_stands_around_changes_within_an_order() -> None:
    records = read_records(hl7v2_source("OBX", **PATHS), FEED.encode())
    told = [[record.values[name] for name in ("patient", "specimen", "code", "value")] for record in records]
    assert told == [
        ["P1", "SER", "GLU", "5.60"],
        ["P1", "SER", "CRP", None],
        ["P1", "URI", "TXT", "said"],
        ["P1", None, "K", "4.1"],
        ["P2", None, "NA", "140"],
        ["P3", None, None, None],
        [None, None, "K", "3.9"],
    ]


@pytest.mark.parametrize(
    "texts",
    [["a", "", None, "bc", ""], ["", ""], [None, None], ["a", "b"], [], ["x" * 40, "", "值"]],
)
def test_empty_texts_become_null_and_others_stay(texts: list[str | None]) -> None:
    wanted = [text or None for text in texts]
    assert without_empty(pa.array(texts, pa.string())).to_pylist() == wanted
    padded = pa.array(["first", None, *texts, "", "last"], pa.string()).slice(2, len(texts))
    assert without_empty(padded).to_pylist() == wanted
