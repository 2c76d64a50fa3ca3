"""What ``cloister map lint`` names: every fault of a spec at its line, and what nothing reads."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from small_site import DEPARTMENT, ENCOUNTER, PATIENT, VITALS, write_region

from contracts.errors import UsageError
from contracts.region import load_region
from fhir_mapping.spec.finding import Finding
from fhir_mapping.spec.lint import lint_folder

ROOT = Path(__file__).resolve().parents[3]
READ = ("visit_no", "patient_no", "visit_type", "visit_time", "dept", "complaint", "cancelled", "updated_at")


def lint(folder: Path, spec: str = ENCOUNTER, columns: tuple[str, ...] = READ, **maps: str) -> list[Finding]:
    write_region(folder, {"encounter": spec}, columns, maps)
    return lint_folder(folder)


def only(found: list[Finding], rule: str) -> Finding:
    chosen = [one for one in found if one.rule == rule]
    assert len(chosen) == 1, [str(one) for one in found]
    return chosen[0]


def line_with(spec: str, text: str) -> int:
    return next(number for number, line in enumerate(spec.split("\n"), start=1) if text in line)


def spec_with(*lines: str, **replaced: str) -> str:
    body = ENCOUNTER
    for old, new in replaced.items():
        body = body.replace(old, new)
    return body + "\n".join(lines) + "\n"


def test_a_right_spec_has_no_finding(tmp_path: Path) -> None:
    assert lint(tmp_path) == []


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ('"nosuch" = { column = "dept" }', "path"),
        ('"reasonCode.text" = { column = "dept" }', "path"),
        ('"priority" = { column = "dept" }', "type"),
        ('"priority.text" = { column = "nowhere" }', "column"),
        ('"priority.text" = { const = 5 }', "type"),
        ('"type[1].text" = { column = "dept" }', "cardinality"),
        ('"class.code" = { const = "AMB" }', "cardinality"),
        ('"priority" = { lookup = "nowhere", column = "dept" }', "map"),
        ('"priority.text" = { column = "dept", extract = "(?=a)" }', "key"),
        ('"priority.text" = { colum = "dept" }', "key"),
    ],
)
def test_each_kind_of_fault_is_named_at_its_line(tmp_path: Path, line: str, rule: str) -> None:
    spec = spec_with(line)
    found = only([one for one in lint(tmp_path, spec) if one.level == "error"], rule)
    assert found.line == line_with(spec, line) and found.file.endswith("specs/encounter.toml")


def test_all_faults_are_named_at_once(tmp_path: Path) -> None:
    spec = spec_with('"a" = { column = "dept" }', '"b" = { column = "dept" }', '"priority" = { const = "x" }')
    spec = spec.replace('key = ["visit_no"]', 'key = ["visit_no"]\nodd = 1')
    spec = spec.replace('"status" = { const = "finished" }', '"status" = { const = "done" }')
    rules = sorted(one.rule for one in lint(tmp_path, spec) if one.level == "error")
    assert rules == ["key"]  # what stands around the elements comes first
    rules = sorted(one.rule for one in lint(tmp_path, spec.replace("odd = 1", "")) if one.level == "error")
    assert rules == ["code", "path", "path", "type"]


def test_an_element_that_fhir_requires_is_missed(tmp_path: Path) -> None:
    spec = ENCOUNTER.replace('"status" = { const = "finished" }\n', "")
    assert "Encounter.status" in only(lint(tmp_path, spec), "cardinality").words


def test_a_file_that_is_no_toml_is_named_with_the_line_of_the_fault(tmp_path: Path) -> None:
    found = only(lint(tmp_path, ENCOUNTER + '"x" = = 1\n'), "toml")
    assert found.line == len(ENCOUNTER.split("\n"))


def priority(expression: str) -> str:
    return f'"priority.text" = {{ {expression} }}'


@pytest.mark.parametrize(
    "expression",
    [
        'column = "dept", when = { all = [{ present = "dept" }, { absent = "dept" }] }',
        'column = "dept", when = { all = [{ column = "dept", in = ["a"] }, { column = "dept", not_in = ["a"] }] }',
        'column = "dept", when = { column = "cancelled", in = ["1"] }',
        'column = "dept", when = { absent = "visit_no" }',
        'column = "dept", when = { column = "dept", in = ["无"] }',
        'column = "dept", when = { all = [{ column = "dept", in = ["x"] }, { column = "dept", matches = "[0-9]+" }] }',
        'first_of = [{ const = "a" }, { column = "dept" }]',
        'first_of = [{ column = "dept" }, { column = "dept" }]',
        'first_of = [{ const = "a", when = { present = "dept" } }, '
        '{ column = "complaint", when = { column = "dept", in = ["x"] } }]',
    ],
)
def test_what_can_never_be_reached_is_named(tmp_path: Path, expression: str) -> None:
    spec = spec_with(priority(expression))
    found = only(lint(tmp_path, spec), "unreachable")
    assert (found.level, found.line) == ("warning", line_with(spec, expression))


@pytest.mark.parametrize(
    "expression",
    [
        'column = "dept", when = { any = [{ present = "dept" }, { absent = "dept" }] }',
        'column = "dept", when = { column = "dept", in = ["a", "无"] }',
        'column = "dept", when = { not = { column = "dept", matches = "[0-9]+" } }',
        'first_of = [{ const = "a", when = { present = "dept" } }, { column = "complaint" }]',
    ],
)
def test_what_can_be_reached_is_left_alone(tmp_path: Path, expression: str) -> None:
    assert lint(tmp_path, spec_with(priority(expression))) == []


def test_a_column_that_nothing_reads_is_named_unless_it_is_ignored_with_a_reason(tmp_path: Path) -> None:
    found = only(lint(tmp_path, columns=(*READ, "phone")), "unmapped_column")
    source = tmp_path / "sites/north/sources/visit.toml"
    assert found.file == str(source) and "'phone'" in found.words
    assert source.read_text().split("\n")[found.line - 1] == 'name = "phone"'
    source.write_text(source.read_text().replace("[[column]]", '[ignore]\nphone = "names a person"\n[[column]]', 1))
    assert lint_folder(tmp_path) == []
    source.write_text(source.read_text().replace('"names a person"', '" "'))
    assert "reason" in only(lint_folder(tmp_path), "key").words


def test_maps_and_their_rows_that_nothing_can_meet_are_named(tmp_path: Path) -> None:
    department = DEPARTMENT + "无,urn:dept,99,None,\n"
    found = lint(tmp_path, department=department, ward="source,target_system,target_code,target_display\na,b,c,d\n")
    assert only(found, "unused_map").file.endswith("maps/ward.csv")
    assert only(found, "unused_map_row").line == 5


def test_names_of_a_repeat_that_nothing_uses_are_named(tmp_path: Path) -> None:
    spec = VITALS.replace('unit = "Cel"', 'unit = "Cel"\ncolour = "red"')
    write_region(tmp_path, {"encounter": ENCOUNTER, "patient": PATIENT, "vitals": spec})
    found = [one for one in lint_folder(tmp_path) if one.rule == "unused_name"]
    assert [one.line for one in found] == [line_with(spec, "colour")]


def test_samples_show_headers_and_texts_that_nothing_knows_as_counts_only(tmp_path: Path) -> None:
    lint(tmp_path / "region")
    sample = tmp_path / "visit_1.csv"
    sample.write_text("visit_no,patient_no,dept,ward\nV1,P1,内科,W\nV2,P2,隐私科,W\nV3,P3,隐私科,W\n", encoding="utf-8")
    found = lint_folder(tmp_path / "region", data=[sample])
    assert "'ward'" in only(found, "undeclared_header").words
    words = only(found, "unmapped_text").words
    assert "1 texts" in words and "2 of 3 records" in words and "隐私" not in words
    assert [one.line for one in found if one.rule == "unseen_map_row"] == [3, 4]


@pytest.mark.parametrize(("template", "path"), [("hl7v2/adt", "PV1/50"), ("cda/ccd", "//[oops")])
def test_a_column_over_a_template_whose_path_is_none_is_an_error_at_its_line(
    template: str, path: str, tmp_path: Path
) -> None:
    head = f'template = "{template}"\nsystem = "his"\nentity = "adt"\nfiles = ["*.dat"]\n'
    (tmp_path / "sources").mkdir()
    source = tmp_path / "sources" / "adt.toml"
    source.write_text(head + f'[[column]]\nname = "patient_no"\npath = "{path}"\n', encoding="utf-8")
    found = only(lint_folder(tmp_path), "column")
    assert (found.level, found.line) == ("error", 7) and "'patient_no'" in found.words and path in found.words


def test_samples_of_hl7v2_show_segments_and_fields_that_nothing_reads(tmp_path: Path) -> None:
    spec = 'source = "adt__message"\nresource = "Patient"\nkey = ["pid"]\n[elements]\n"active" = { const = true }\n'
    write_region(tmp_path / "r", {"patient": spec})
    (tmp_path / "r/sites/north/sources/visit.toml").write_text(
        'system = "adt"\nentity = "message"\nfiles = ["*.hl7"]\nformat = "hl7v2"\n'
        '[ignore]\n"MSH" = "the envelope"\n[[column]]\nname = "pid"\npath = "PID-3.1"\n'
    )
    (tmp_path / "a.hl7").write_bytes(b"MSH|^~\\&|A|B|C|D|2024||ADT^A01|1|P|2.5\rPID|||P1||X^Y||1980\rPV1||I\r")
    found = lint_folder(tmp_path / "r", data=[tmp_path / "a.hl7"])
    assert "PV1" in only(found, "untouched_segment").words
    assert sorted(one.words.split()[3].strip(",") for one in found if one.rule == "untouched_field") == [
        "PID-5",
        "PID-7",
    ]


def test_a_sample_that_no_source_claims_is_wrong_use(tmp_path: Path) -> None:
    lint(tmp_path)
    (tmp_path / "odd.txt").write_text("x")
    with pytest.raises(UsageError, match="no source"):
        lint_folder(tmp_path, data=[tmp_path / "odd.txt"])
    (tmp_path / "sample").mkdir()
    (tmp_path / "sample" / "odd.txt").write_text("x")
    found = only(lint_folder(tmp_path, data=[tmp_path / "sample"]), "no_source")
    assert found.level == "warning" and found.file.endswith("odd.txt"), "the others of the folder are looked at"


def test_a_region_file_that_is_wrong_is_named_and_a_region_without_sites_too(tmp_path: Path) -> None:
    lint(tmp_path)
    text = (tmp_path / "region.toml").read_text(encoding="utf-8")
    (tmp_path / "region.toml").write_text(text + 'timezone = "Mars/Port"\n', encoding="utf-8")
    found = [one for one in lint_folder(tmp_path) if one.file.endswith("region.toml")]
    assert [one.level for one in found] == ["error"] and "timezone" in found[0].words
    (tmp_path / "samples").mkdir()
    with pytest.raises(UsageError, match=r"no file in .*samples"):
        lint_folder(tmp_path, data=[tmp_path / "samples"])
    for path in tmp_path.glob("sites/*/site.toml"):
        path.unlink()
    with pytest.raises(UsageError, match=r"has no site: expected sites/SITE/site.toml"):
        lint_folder(tmp_path)


def test_the_command_prints_places_and_ends_with_1_on_errors(tmp_path: Path) -> None:
    lint(tmp_path, spec_with('"nosuch" = { column = "dept" }'))
    program = "import sys; from pipelines.cli.main import main; main()"
    for form in ("text", "json"):
        done = subprocess.run(
            [sys.executable, "-c", program, "map", "lint", str(tmp_path), "--format", form],
            capture_output=True, text=True, cwd=ROOT, check=False,
        )  # fmt: skip
        assert done.returncode == 1, done.stderr
        if form == "json":
            (one,) = json.loads(done.stdout)
            assert (one["rule"], one["line"]) == ("path", 16)
        else:
            assert "specs/encounter.toml:16: error path: " in done.stdout


@pytest.mark.parametrize("region", sorted(path.parent.name for path in (ROOT / "regions").glob("*/region.toml")))
def test_the_regions_that_come_along_have_no_finding(region: str) -> None:
    load_region(ROOT / "regions" / region)
    assert [str(one) for one in lint_folder(ROOT / "regions" / region)] == []
