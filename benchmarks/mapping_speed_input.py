"""What the mapping benchmark maps: visits as GB18030 CSV, and a FHIR bulk export multiplied from a public one.

Of the visits 1 % are corrected later the same day, 0.5 % cancelled, and 1 % cannot be mapped (a day that does not
exist, a department without a code, no patient). Of the FHIR lines 0.1 % are cut off, and a fifth carry a decimal whose
last digit is a zero.
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

FILE_ROWS = 200_000
PATIENT_SHARE = 0.2
"""Patients a visit."""
BULK_TYPES = ("Patient", "Encounter", "Condition", "Observation", "DiagnosticReport", "MedicationRequest")
BULK_ROWS = 17_931
"""Resources of these types in the public export."""
_COPIES_A_FILE = 6

REGION = Path(__file__).parent / "mapping_speed_region"
VISIT_HEADER = "就诊号,病人编号,就诊时间,就诊类型,就诊科室,主诉,体温,脉搏,诊断编码,诊断名称,状态,更新时间"
PATIENT_HEADER = "病人编号,性别,出生日期"

_COMPLAINTS = (
    *("咳嗽3天，加重1天", "发热伴咽痛2天", "腹痛、腹泻半天", "头晕1周", "胸闷气短，活动后加重", "皮疹伴瘙痒5天"),
    *("右膝关节疼痛2月", "复诊，取药", "鼻塞流涕4天", "腰痛，向左下肢放射", "视物模糊1月", "失眠、心悸半年"),
)
_DIAGNOSES = (
    *(("J06.900", "急性上呼吸道感染"), ("J20.900", "急性支气管炎"), ("K29.500", "慢性胃炎"), ("I10.x00", "高血压病")),
    *(("E11.900", "2型糖尿病"), ("M17.900", "膝关节病"), ("L30.900", "皮炎"), ("R42.x00", "头晕和眩晕")),
    *(("H81.400x003", "中枢性眩晕"), ("N39.000", "泌尿道感染"), ("G47.000", "失眠"), ("I25.101", "冠心病")),
)
_UUID = re.compile(rb"\b[0-9a-f]{4}(?=[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{8})")
_FRACTION = re.compile(rb'("value":-?[0-9]+\.[0-9]+)')


def write_patients(folder: Path, patients: int) -> None:
    """The patient index as one file."""
    numbers = np.arange(patients)
    days = np.datetime64("1940-01-01") + (numbers * 7919) % 30000
    columns = [_numbered("P", numbers, 9), _text(np.where(numbers % 2, "男", "女")), _text(days.astype(str))]
    _write(folder / "病人_001.csv", PATIENT_HEADER, columns)


def write_visits(folder: Path, first: int, rows: int, patients: int) -> int:
    """``rows`` visits from number ``first`` on, in files of ``FILE_ROWS``; gives the bytes written."""
    return sum(
        _write_visit_file(folder / f"门诊就诊_{number:04d}.csv", start, min(FILE_ROWS, first + rows - start), patients)
        for number, start in enumerate(range(first, first + rows, FILE_ROWS))
    )


def write_bulk(folder: Path, data: Path, copies: int) -> int:
    """``copies`` of the public export's resources, ids changed in each alike; gives the number of lines."""
    folder.mkdir(parents=True, exist_ok=True)
    total = 0
    for kind in BULK_TYPES:
        lines = gzip.decompress((data / f"{kind}.000.ndjson.gz").read_bytes()).splitlines()
        for number, first in enumerate(range(0, copies, _COPIES_A_FILE)):
            with (folder / f"{kind}.{number:03d}.ndjson").open("wb") as file:
                for copy in range(first, min(first + _COPIES_A_FILE, copies)):
                    total += sum(1 for line in _changed(lines, copy) if file.write(line))
    return total


def _changed(lines: list[bytes], copy: int) -> Iterator[bytes]:
    mark = b"%04x" % copy
    for number, line in enumerate(lines):
        changed = _UUID.sub(mark, line)
        if number % 5 == 0:
            changed = _FRACTION.sub(rb"\g<1>0", changed)
        yield (changed[: len(changed) // 2] if (number + copy) % 1000 == 999 else changed) + b"\n"


def _write_visit_file(path: Path, first: int, rows: int, patients: int) -> int:
    draw = np.random.default_rng(first)
    number = np.arange(first, first + rows)
    corrected = number % 100 == 99
    number = np.where(corrected, number - 50, number)
    departments = _departments()
    dept = np.where(number % 300 == 7, "木工科门诊", departments[draw.integers(0, len(departments), rows)])
    # Visits of a year, whatever their number.
    minutes = np.datetime64("2025-11-01T08:00") + (number * 37) % 500_000
    when = np.char.replace(minutes.astype(str), "T", " ")
    when = np.where(number % 300 == 107, "2026-02-30 08:15", when)
    updated = np.char.replace((minutes + 30 + corrected * 60).astype(str), "T", " ")
    diagnosis = draw.integers(0, len(_DIAGNOSES), rows)
    patient = _numbered("P", (number * 7919) % patients, 9)
    no_patient = pa.array(number % 300 == 207)
    columns = [
        _numbered("V", number, 9),
        pc.if_else(no_patient, "", patient),
        _text(when),
        _text(np.array(["门诊", "急诊", "门诊", "门诊"])[number % 4]),
        _text(dept),
        _text(np.array(_COMPLAINTS)[draw.integers(0, len(_COMPLAINTS), rows)]),
        _text((draw.integers(360, 392, rows) / 10).astype(str)),
        _text(draw.integers(55, 125, rows).astype(str)),
        _text(np.array([code for code, _ in _DIAGNOSES])[diagnosis]),
        _text(np.array([name for _, name in _DIAGNOSES])[diagnosis]),
        _text(np.where(number % 200 == 11, "退号", "完成")),
        _text(updated),
    ]
    quoted = pc.binary_join_element_wise('"', columns[5], '"', "")
    return _write(path, VISIT_HEADER, [*columns[:5], quoted, *columns[6:]])


def _departments() -> np.ndarray:
    lines = (REGION / "sites" / "visits" / "maps" / "department.csv").read_text(encoding="utf-8").splitlines()
    return np.array([line.split(",")[0] for line in lines[1:]])


def _write(path: Path, header: str, columns: list[pa.Array]) -> int:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = pc.binary_join_element_wise(*columns, ",")
    text = header + "\n" + "\n".join(lines.to_pylist()) + "\n"
    return path.write_bytes(text.encode("gb18030"))


def _numbered(letter: str, numbers: np.ndarray, digits: int) -> pa.Array:
    return _text(np.char.add(letter, np.char.zfill(numbers.astype(str), digits)))


def _text(values: np.ndarray) -> pa.Array:
    return pa.array(values.tolist(), pa.string())
