"""``cloister map convert`` as its user sees it: what is written, what is told, what cannot happen."""

from __future__ import annotations

import gzip
import json
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from fhir_mapping.convert.inputs import pseudonym
from fhir_mapping.convert.reports import NAMES
from pipelines.cli.main import cli

MESSAGE = "\r".join(
    (
        "MSH|^~\\&|HIS|H|EMR|H|20240102030405+0800||ORU^R01|{id}|P|2.5.1",
        "PID|1||{mrn}^^^H^MR||Zhangsan^Wei||19800203|M|||1 Long Street^^Springfield||+8613800138000",
        "PV1|1|O|OPD^^^H|||||||||||||||V{id}",
        "OBR|1||{id}|GLU^Glucose^L|||20240102010203+0800|||||||||||||||||F",
        "OBX|1|NM|2345-7^Glucose^LN||5.60|mmol/L|3.9-6.1|N|||F|||20240102010203+0800",
        "NTE|1||Wei Zhangsan called from +8613800138000",
    )
)


def _message(number: int) -> str:
    return MESSAGE.format(id=number, mrn=f"M-7731-{number}") + "\r"


def _run(*arguments: object) -> Result:
    return CliRunner().invoke(cli, ["map", "convert", *map(str, arguments), "--processes", "1"], catch_exceptions=False)


def _bundle(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_bytes())
    return found


def _bytes(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def feed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder: a file of three messages after some rubbish, a file in a sub-folder, one of another kind."""
    folder = tmp_path_factory.mktemp("feed")
    (folder / "many.hl7").write_bytes(("rubbish\r" + _message(1) + _message(2) + _message(3)).encode())
    (folder / "ward").mkdir()
    (folder / "ward" / "one.hl7").write_bytes(_message(4).encode())
    (folder / "readme.pdf").write_bytes(b"x")
    return folder


@pytest.fixture(scope="module")
def converted(feed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("out")
    result = _run("--format", "hl7v2", feed, "--out", out)
    assert result.exit_code == 0
    assert "2 files, 5 records: 4 mapped" in result.output and "1 quarantined" in result.output
    assert "1 files with another extension" in result.output
    return out


def test_a_file_of_many_messages_gives_a_bundle_each_and_folders_are_kept(converted: Path) -> None:
    names = set(_bytes(converted))
    assert names == {"many.json", "many.2.json", "many.3.json", "ward/one.json", "ledger.json", "quarantine.ndjson"}


def test_the_ledger_accounts_for_every_record_and_file(converted: Path) -> None:
    ledger = _bundle(converted / "ledger.json")
    for entry in (*ledger["files"], ledger["totals"]):
        assert entry["records"] == entry["mapped"] + entry["quarantined"] + entry["skipped"]
    assert ledger["files"][0]["outputs"] == {"many.json": "2", "many.2.json": "3", "many.3.json": "4"}
    assert ledger["skipped_files"] == [{"file": "readme.pdf", "rule": "other_extension"}]
    written = sum(len(_bundle(converted / name)["entry"]) for entry in ledger["files"] for name in entry["outputs"])
    assert written == sum(ledger["totals"]["resources"].values())


def test_the_quarantine_names_file_record_rule_and_path_only(converted: Path) -> None:
    lines = [json.loads(line) for line in (converted / "quarantine.ndjson").read_bytes().splitlines()]
    assert lines == [{"file": "many.hl7", "record": 1, "what": "record", "rule": "missing_msh", "path": ""}]


def test_references_name_entries_and_provenance_leads_back_to_file_and_record(converted: Path) -> None:
    bundle = _bundle(converted / "many.2.json")
    names = {entry["fullUrl"] for entry in bundle["entry"]}
    used = set(re.findall(r'"reference":"([^"]+)"', (converted / "many.2.json").read_text("utf-8")))
    assert bundle["type"] == "transaction" and used <= names
    assert all(name.startswith("urn:uuid:") for name in names)
    provenance = [entry["resource"] for entry in bundle["entry"]][-1]
    assert provenance["entity"][0]["what"]["identifier"]["value"] == "many.hl7#3"
    assert provenance["recorded"] == "2024-01-02T03:04:05+08:00"
    assert {target["reference"] for target in provenance["target"]} == names - {bundle["entry"][-1]["fullUrl"]}


def test_a_second_run_writes_the_same_bytes_whatever_the_processes(feed: Path, converted: Path, tmp_path: Path) -> None:
    before = _bytes(converted)
    again = CliRunner().invoke(cli, ["map", "convert", "--format", "hl7v2", str(feed), "--out", str(tmp_path)])
    assert again.exit_code == 0 and _bytes(tmp_path) == before
    _run("--format", "hl7v2", feed, "--out", tmp_path)
    assert _bytes(tmp_path) == before


def test_a_bundle_that_an_input_no_longer_gives_is_taken_away(tmp_path: Path) -> None:
    source = tmp_path / "x.hl7"
    source.write_bytes((_message(1) + _message(2)).encode())
    _run("--format", "hl7v2", source, "--out", tmp_path / "out")
    source.write_bytes(_message(1).encode())
    _run("--format", "hl7v2", source, "--out", tmp_path / "out")
    assert set(_bytes(tmp_path / "out")) == {"x.json", "ledger.json", "quarantine.ndjson"}


def test_pseudonymous_bundles_of_a_former_key_are_taken_away(tmp_path: Path) -> None:
    source = tmp_path / "x.hl7"
    source.write_bytes(_message(1).encode())
    for _ in range(2):
        _run("--format", "hl7v2", source, "--out", tmp_path / "out", "--pseudonymous")
    (entry,) = json.loads((tmp_path / "out" / "ledger.json").read_bytes())["files"]
    assert set(_bytes(tmp_path / "out")) == {*entry["outputs"], NAMES, "ledger.json", "quarantine.ndjson"}


def test_colliding_inputs_are_an_error_before_anything_is_written(feed: Path, tmp_path: Path) -> None:
    (tmp_path / "many.txt").write_bytes(_message(9).encode())
    result = CliRunner().invoke(
        cli,
        ["map", "convert", "--format", "hl7v2", str(feed), str(tmp_path / "many.txt"), "--out", str(tmp_path / "out")],
    )
    assert result.exit_code != 0 and "many.json" in str(result.exception) and not (tmp_path / "out").exists()


def test_a_bundle_name_that_two_files_reach_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "x.hl7").write_bytes((_message(1) + _message(2)).encode())
    (tmp_path / "in" / "x.2.hl7").write_bytes(_message(3).encode())
    result = CliRunner().invoke(
        cli, ["map", "convert", "--format", "hl7v2", str(tmp_path / "in"), "--out", str(tmp_path / "out")]
    )
    assert "x.2.json" in str(result.exception) and _bytes(tmp_path / "out") == {}


def test_pseudonymous_output_holds_no_name_number_or_address(feed: Path, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_bytes(bytes(range(32)))
    _run("--format", "hl7v2", feed, "--out", tmp_path / "out", "--pseudonymous", "--key", key)
    bundles = {name: body for name, body in _bytes(tmp_path / "out").items() if name != NAMES}
    assert any(b'"Observation"' in body for body in bundles.values())
    for body in bundles.values():
        for secret in (b"Zhangsan", b"M-7731", b"13800138000", b"Long Street", b"Springfield"):
            assert secret not in body
    assert any(b"5.60" in body for body in bundles.values())
    first = _bytes(tmp_path / "out")
    _run("--format", "hl7v2", feed, "--out", tmp_path / "out", "--pseudonymous", "--key", key)
    assert _bytes(tmp_path / "out") == first


def test_pseudonymous_output_tells_no_file_name_but_in_one_file_that_stays(feed: Path, tmp_path: Path) -> None:
    key, named = tmp_path / "key", tmp_path / "in" / "Li Xiaohong"
    key.write_bytes(bytes(range(32)))
    shutil.copytree(feed, named)
    (named / "Wang-4711.hl7").write_bytes((feed / "many.hl7").read_bytes())
    (named / "broken-4712.hl7").write_bytes(b"no message")
    (named / "photo-4713.jpg").write_bytes(b"")
    _run("--format", "hl7v2", tmp_path / "in", "--out", tmp_path / "out", "--pseudonymous", "--key", key)
    out = _bytes(tmp_path / "out")
    told = json.loads(out.pop(NAMES))
    assert set(told["files"].values()) > {"Li Xiaohong/Wang-4711.hl7", "Li Xiaohong/photo-4713.jpg"}
    assert stat.S_IMODE((tmp_path / "out" / NAMES).stat().st_mode) == 0o600
    assert all("Xiaohong" not in name and "471" not in name for name in out)
    assert not [
        name for name, body in out.items() if any(s in body for s in (b"Xiaohong", b"-4711", b"-4712", b"-4713"))
    ]
    ledger = json.loads(out["ledger.json"])
    called = {name: file for file, name in told["files"].items()}["Li Xiaohong/Wang-4711.hl7"]
    (entry,) = (entry for entry in ledger["files"] if entry["file"] == called)
    assert set(entry["outputs"]) <= set(out) and entry["outputs"]
    assert {one["file"] for one in ledger["skipped_files"]} <= set(told["files"])


def test_pseudonymous_output_is_not_put_beside_output_with_names(feed: Path, tmp_path: Path) -> None:
    _run("--format", "hl7v2", feed, "--out", tmp_path / "out")
    before = _bytes(tmp_path / "out")
    result = CliRunner().invoke(
        cli, ["map", "convert", "--format", "hl7v2", str(feed), "--out", str(tmp_path / "out"), "--pseudonymous"]
    )
    assert "holds an earlier conversion with names" in str(result.exception) and _bytes(tmp_path / "out") == before


def test_r5_output_is_read_by_the_r5_models(feed: Path, tmp_path: Path) -> None:
    from fhir.resources import get_fhir_model_class

    _run("--format", "hl7v2", feed / "ward", "--out", tmp_path, "--fhir", "R5")
    bundle = _bundle(tmp_path / "one.json")
    get_fhir_model_class("Bundle").model_validate(bundle)
    encounter = next(e["resource"] for e in bundle["entry"] if e["resource"]["resourceType"] == "Encounter")
    assert isinstance(encounter["class"], list)


PATIENT = {
    "resourceType": "Patient",
    "id": "p",
    "gender": "male",
    "_gender": {"extension": [{"url": "http://x/s", "valueCode": "1"}]},
}
OBSERVATION = (
    '{"resourceType":"Observation","id":"o","status":"final","code":{"text":"x"},'
    '"valueQuantity":{"value":5.60},"subject":{"reference":"Patient/p"}}'
)
OLD = {**PATIENT, "gender": "female", "meta": {"lastUpdated": "2020-01-01T00:00:00Z"}}


def test_a_bulk_export_keeps_good_lines_extensions_and_decimals(tmp_path: Path) -> None:
    lines = [
        json.dumps({**PATIENT, "meta": {"lastUpdated": "2024-01-01T00:00:00Z"}}),
        OBSERVATION,
        "{broken",
        '{"resourceType":"Patient","resourceType":"Patient","id":"q"}',
        json.dumps({"resourceType": "Observation", "id": "bad", "status": "nonsense", "code": {"text": "x"}}),
        OBSERVATION,
        json.dumps(OLD),
        "",
        json.dumps({"resourceType": "Encounter", "id": "e", "status": "completed", "class": [{"text": "x"}]}),
    ]
    (tmp_path / "all.ndjson.gz").write_bytes(gzip.compress("\n".join(lines).encode()))
    _run("--format", "fhir", tmp_path / "all.ndjson.gz", "--out", tmp_path / "out")
    text = (tmp_path / "out" / "all.json").read_text("utf-8")
    bodies = {entry["resource"]["resourceType"]: entry["resource"] for entry in json.loads(text)["entry"]}
    assert bodies["Patient"]["gender"] == "male" and bodies["Patient"]["_gender"] == PATIENT["_gender"]
    assert '"value":5.60' in text and bodies["Observation"]["subject"]["reference"].startswith("urn:uuid:")
    assert bodies["Encounter"]["status"] == "finished", "R5 is brought down"
    totals = _bundle(tmp_path / "out" / "ledger.json")["totals"]
    assert totals["records"] == 8 and totals["skipped_by_rule"] == {"duplicate": 1, "superseded_version": 1}
    rules = [json.loads(line)["rule"] for line in (tmp_path / "out" / "quarantine.ndjson").read_bytes().splitlines()]
    assert rules == ["bad_json", "duplicate_key", "required"]
    places = [json.loads(line)["place"] for line in (tmp_path / "out" / "quarantine.ndjson").read_bytes().splitlines()]
    assert places == ["line 3", "line 4", "line 5"]


def test_bundles_of_every_kind_become_one_bundle_each(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    entry = {"fullUrl": "urn:uuid:7b4ab8a5-5b0d-4a53-9a2b-6a6b3f5d8a01", "resource": {"resourceType": "Patient"}}
    child = {"resource": {**json.loads(OBSERVATION), "subject": {"reference": entry["fullUrl"]}}}
    doctor = {"reference": "Practitioner?identifier=http://npi|7", "display": "Dr"}
    child["resource"]["performer"] = [doctor]
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": [entry, child, {"response": {"status": "200"}}]}
    (folder / "pretty.json").write_text(json.dumps(bundle, indent=2))
    (folder / "two.ndjson").write_text(json.dumps(bundle) + "\n" + json.dumps(bundle) + "\n")
    (folder / "single.json").write_text(json.dumps(PATIENT, indent=1))
    _run("--format", "fhir", folder, "--out", tmp_path / "out")
    assert {"pretty.json", "two.json", "two.2.json", "single.json"} < set(_bytes(tmp_path / "out"))
    found = _bundle(tmp_path / "out" / "pretty.json")["entry"]
    assert found[0]["resource"]["id"] == "7b4ab8a5-5b0d-4a53-9a2b-6a6b3f5d8a01"
    assert found[1]["resource"]["subject"]["reference"] == found[0]["fullUrl"]
    assert found[1]["resource"]["performer"][0]["identifier"] == {"system": "http://npi", "value": "7"}


def test_files_that_cannot_be_read_are_quarantined_whole(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.json").write_bytes(b"\xff\xfe{}")
    (folder / "b.json").write_bytes(b"")
    (folder / "c.ndjson.gz").write_bytes(b"\x1f\x8bnothing")
    (folder / "d.json").write_bytes(b"[" * 200_000)
    assert _run("--format", "fhir", folder, "--out", tmp_path / "out").exit_code == 0
    rules = [json.loads(line)["rule"] for line in (tmp_path / "out" / "quarantine.ndjson").read_bytes().splitlines()]
    assert rules == ["bad_encoding", "empty_file", "unreadable_file", "too_deep"]


CDA = """<ClinicalDocument xmlns="urn:hl7-org:v3"><realmCode code="US"/><typeId root="2.16.840.1.113883.1.3"
 extension="POCD_HD000040"/><templateId root="2.16.840.1.113883.10.20.22.1.2"/><id root="1.2.3.4" extension="d1"/>
<code code="34133-9" codeSystem="2.16.840.1.113883.6.1"/><title>CCD</title><effectiveTime value="20240102030405+0800"/>
<confidentialityCode code="N" codeSystem="2.16.840.1.113883.5.25"/><recordTarget><patientRole>
<id root="1.2.3.9" extension="77"/>
<patient><name><given>Wei</given><family>Zhang</family></name><administrativeGenderCode code="M"
 codeSystem="2.16.840.1.113883.5.1"/><birthTime value="19800203"/></patient></patientRole></recordTarget><author>
<time value="20240102"/><assignedAuthor><id root="1.2.3.8" extension="1"/></assignedAuthor></author>
<custodian><assignedCustodian><representedCustodianOrganization><id root="1.2.3.7"/><name>H</name>
</representedCustodianOrganization></assignedCustodian></custodian><component><structuredBody/></component></ClinicalDocument>"""


def test_documents_are_converted_and_bombs_are_not(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "doc.xml").write_text(CDA)
    (folder / "bomb.xml").write_text('<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>')
    _run("--format", "cda", folder, "--out", tmp_path / "out")
    types = {entry["resource"]["resourceType"] for entry in _bundle(tmp_path / "out" / "doc.json")["entry"]}
    assert {"Patient", "Composition", "Provenance"} <= types
    assert not (tmp_path / "out" / "bomb.json").exists()


TABLE_SOURCE = """system = "his"
entity = "visit"
files = ["visits*.csv"]
format = "csv"
encoding = "gb18030"
""" + "".join(f'[[column]]\nname = "{name}"\n' for name in ("visit", "patient", "name", "sex", "at"))
TABLE_PATIENT = """source = "his__visit"
resource = "Patient"
key = ["patient"]
order_by = "at"
[elements]
"gender" = { lookup = "administrative_gender", column = "sex" }
"name[0].text" = { column = "name" }
"""
TABLE_ENCOUNTER = """source = "his__visit"
resource = "Encounter"
key = ["visit"]
[elements]
"status" = { const = "finished" }
"class" = { code = "AMB", system = "http://terminology.hl7.org/CodeSystem/v3-ActCode" }
"subject" = { reference = "Patient", key = ["patient"] }
"period.start" = { datetime = "at" }
"""


def _table_specs(folder: Path) -> None:
    for name, text in (
        ("sources/visit", TABLE_SOURCE),
        ("specs/patient", TABLE_PATIENT),
        ("specs/stay", TABLE_ENCOUNTER),
    ):
        path = folder / f"{name}.toml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def test_a_later_table_replaces_an_earlier_one_whatever_its_pseudonym(tmp_path: Path) -> None:
    _table_specs(tmp_path / "spec")
    files = [tmp_path / f"visits{number}.csv" for number in (1, 2)]
    for file, sex in zip(files, "男女", strict=True):
        rows = f"visit,patient,name,sex,at\nv1,p1,张三,{sex},2024-02-01\n"
        file.write_bytes(rows.encode("gb18030"))
    keys = (bytes([number] * 32) for number in range(256))
    swapping = next(key for key in keys if pseudonym(files[1].name, key) < pseudonym(files[0].name, key))
    (tmp_path / "key").write_bytes(swapping)
    code = "from pipelines.cli.main import main; main()"
    options = ["--format", "csv", "--spec", str(tmp_path / "spec"), "--out", str(tmp_path / "out")]
    command = [sys.executable, "-c", code, "map", "convert", *options, "--processes", "1"]
    secret = ["--pseudonymous", "--key", str(tmp_path / "key")]
    subprocess.run([*command, *secret, *map(str, files)], capture_output=True, check=True)
    (patient,) = (tmp_path / "out" / "Patient.ndjson").read_bytes().splitlines()
    assert json.loads(patient)["gender"] == "female"
    told = [entry["file"] for entry in json.loads((tmp_path / "out" / "ledger.json").read_bytes())["files"]]
    assert told == sorted(told), "the order tells nothing of names either"


def test_tables_give_one_file_a_type_and_each_resource_once(tmp_path: Path) -> None:
    _table_specs(tmp_path / "spec")
    rows = "visit,patient,name,sex,at\nv1,p1,张三,男,2024-02-01\nv2,p1,张三丰,男,2024-01-01\nv3,p2,李四,女,2024-02-30\n"
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "visits1.csv").write_bytes(rows.encode("gb18030"))
    (tmp_path / "in" / "labs.csv").write_text("a,b\n1,2\n")
    command = [sys.executable, "-c", "from pipelines.cli.main import main; main()", "map", "convert", "--format", "csv"]
    given = [str(tmp_path / "in"), "--spec", str(tmp_path / "spec"), "--out", str(tmp_path / "out")]
    done = subprocess.run([*command, *given, "--processes", "1"], capture_output=True, text=True, check=True)
    assert "2 files, 4 records: 2 mapped to 4 resources, 2 quarantined" in done.stdout
    names = {"Patient.ndjson", "Encounter.ndjson", "Provenance.ndjson", "ledger.json", "quarantine.ndjson"}
    assert set(_bytes(tmp_path / "out")) == names
    patients = [json.loads(line) for line in (tmp_path / "out" / "Patient.ndjson").read_bytes().splitlines()]
    assert [patient["name"][0]["text"] for patient in patients] == ["张三"], "the latest record counts"
    held = [json.loads(line) for line in (tmp_path / "out" / "quarantine.ndjson").read_bytes().splitlines()]
    assert {(line["file"], line["rule"]) for line in held} >= {("labs.csv", "no_source")}
