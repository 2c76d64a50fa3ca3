"""The usual way: read the CSV, build and check each resource with fhir.resources (R4B), write NDJSON; a process a core.

It makes the same four resources of a visit as the specs do, ids and references included, in plain Python without
detours: no ledger, no quarantine but a count, no deduplication.

python -m benchmarks.mapping_speed_rival CSV OUT ROWS PROCESSES
"""

from __future__ import annotations

import csv
import hashlib
import hmac
import json
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from datetime import datetime
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from benchmarks.mapping_speed_input import REGION
from benchmarks.mapping_speed_meter import Stopwatch

_KEY = bytes(range(32))
_CLASSES = {"门诊": ("AMB", "ambulatory"), "急诊": ("EMER", "emergency")}
_VITALS = (
    ("体温", "temperature", "8310-5", "Body temperature", "Cel"),
    ("脉搏", "pulse", "8867-4", "Heart rate", "/min"),
)


def main(arguments: list[str]) -> None:
    """Convert the first ROWS rows of a CSV file; the last line of output is a JSON object."""
    path, out, rows, processes = Path(arguments[0]), Path(arguments[1]), int(arguments[2]), int(arguments[3])
    out.mkdir(parents=True, exist_ok=True)
    watch = Stopwatch.start()
    with ProcessPoolExecutor(processes, initializer=_warm_up) as pool:
        list(pool.map(time.sleep, [0.5] * processes))
        watch.stage("start-up")
        share = -(-rows // processes)
        jobs = [(number * share, min(rows, (number + 1) * share)) for number in range(processes)]
        made = list(pool.map(partial(convert, path, out), jobs))
    watch.stage("rival")
    print(json.dumps({"wall": watch.wall, "cpu": watch.cpu, "records": rows, "resources": sum(made)}))


def convert(path: Path, out: Path, rows: tuple[int, int]) -> int:
    """Convert rows from-to of the file; gives the number of resources written."""
    departments = _departments()
    made = 0
    with path.open(encoding="gb18030", newline="") as stream, (out / f"{rows[0]}.ndjson").open("w") as written:
        for row in islice(csv.DictReader(stream), *rows):
            try:
                found = _resources(row, departments)
            except (KeyError, ValueError):
                continue
            for resource in found:
                written.write(resource.model_dump_json())
                written.write("\n")
            made += len(found)
    return made


def _resources(row: dict[str, str], departments: dict[str, tuple[str, str, str]]) -> list[Any]:
    """The visit's resources. Raises KeyError or ValueError (pydantic's errors too) for a row that cannot be mapped."""
    from fhir.resources.R4B.condition import Condition
    from fhir.resources.R4B.encounter import Encounter
    from fhir.resources.R4B.observation import Observation

    if row["状态"] == "退号":
        return []
    if not row["病人编号"]:
        raise ValueError("no patient")
    subject = {"reference": f"Patient/{_id('Patient', row['病人编号'])}"}
    visit = _id("Encounter", row["就诊号"])
    encounter = {"reference": f"Encounter/{visit}"}
    when = datetime.strptime(row["就诊时间"], "%Y-%m-%d %H:%M").strftime("%Y-%m-%dT%H:%M:00+08:00")
    code, display = _CLASSES[row["就诊类型"]]
    system, dept, name = departments[row["就诊科室"]]
    found: list[Any] = [
        Encounter(
            id=visit,
            status="finished",
            class_fhir={
                "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode",
                "code": code,
                "display": display,
            },
            serviceType={"coding": [{"system": system, "code": dept, "display": name}]},
            subject=subject,
            period={"start": when},
            reasonCode=[{"text": row["主诉"]}],
        ),
        Condition(
            id=_id("Condition", row["就诊号"]),
            verificationStatus=_concept("http://terminology.hl7.org/CodeSystem/condition-ver-status", "confirmed"),
            code={
                "coding": [
                    {
                        "system": "urn:oid:2.16.156.10011.2.3.3.11",
                        "code": row["诊断编码"],
                        "display": row["诊断名称"],
                    }
                ]
            },
            subject=subject,
            encounter=encounter,
            recordedDate=when,
        ),
    ]
    for column, item, loinc, title, unit in _VITALS:
        found.append(
            Observation(
                id=_id("Observation", row["就诊号"] + item),
                status="final",
                category=[_concept("http://terminology.hl7.org/CodeSystem/observation-category", "vital-signs")],
                code={"coding": [{"system": "http://loinc.org", "code": loinc, "display": title}]},
                subject=subject,
                encounter=encounter,
                effectiveDateTime=when,
                valueQuantity={
                    "value": row[column],
                    "unit": unit,
                    "system": "http://unitsofmeasure.org",
                    "code": unit,
                },
            )
        )
    return found


def _concept(system: str, code: str) -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code}]}


def _id(resource: str, key: str) -> str:
    return hmac.new(_KEY, f"{resource}|{key}".encode(), hashlib.sha256).hexdigest()[:32]


def _departments() -> dict[str, tuple[str, str, str]]:
    with (REGION / "sites" / "visits" / "maps" / "department.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return {row["source"]: (row["target_system"], row["target_code"], row["target_display"]) for row in rows}


def _warm_up() -> None:
    """Import and build the models, which takes seconds, before the clock starts."""
    row = dict(
        zip(
            ("就诊号", "病人编号", "就诊时间", "就诊类型", "就诊科室"),
            ("1", "1", "2026-01-01 08:00", "门诊", ""),
            strict=True,
        )
    )
    row |= {"主诉": "x", "体温": "37.0", "脉搏": "80", "诊断编码": "I10", "诊断名称": "x", "状态": ""}
    _resources(row, {"": ("urn:x", "1", "x")})


if __name__ == "__main__":
    main(sys.argv[1:])
