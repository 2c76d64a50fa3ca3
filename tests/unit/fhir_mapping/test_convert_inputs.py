"""Which files of a folder are converted, and what their outputs are called."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from contracts.errors import UsageError
from fhir_mapping.convert.inputs import find_inputs, stem_of


def _touch(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return folder


def test_under_a_folder_the_relative_path_is_kept_and_a_file_keeps_its_name(tmp_path: Path) -> None:
    folder = _touch(tmp_path / "in", "a.hl7", "sub/b.HL7", "sub/c.adt")
    found = find_inputs("hl7v2", [folder, _touch(tmp_path, "alone.bin") / "alone.bin"], tmp_path / "out")
    assert [file.stem for file in found.files] == ["a", "alone", "sub/b", "sub/c"]


def test_other_files_of_a_folder_are_listed(tmp_path: Path) -> None:
    folder = _touch(tmp_path / "in", "a.xml", "notes.pdf", "sub/readme.md")
    assert find_inputs("cda", [folder], tmp_path / "out").others == ("notes.pdf", "sub/readme.md")


def test_names_that_are_no_utf_8_are_read_as_gb18030_and_others_are_spelled_out(tmp_path: Path) -> None:
    folder = os.fsencode(_touch(tmp_path / "科", "utf8.csv").resolve())
    for name in ("门诊.csv".encode("gb18030"), b"\xff.csv"):
        Path(os.fsdecode(folder + b"/" + name)).write_bytes(b"x")
    found = find_inputs("csv", [tmp_path], tmp_path / "out").files
    assert {file.name for file in found} == {"科/utf8.csv", "科/门诊.csv", "科/\\xff.csv"}
    assert all(file.path.read_bytes() == b"x" and file.stem == file.name[:-4] for file in found)


def test_a_pipe_in_a_folder_is_no_input(tmp_path: Path) -> None:
    os.mkfifo(_touch(tmp_path, "a.hl7") / "b.hl7")
    found = find_inputs("hl7v2", [tmp_path], tmp_path / "out")
    assert [file.name for file in found.files] == ["a.hl7"] and found.others == ("b.hl7",)


def test_the_output_folder_is_no_input(tmp_path: Path) -> None:
    folder = _touch(tmp_path / "in", "a.json", "out/a.json", "out/ledger.json")
    assert [file.name for file in find_inputs("fhir", [folder], folder / "out").files] == ["a.json"]


@pytest.mark.parametrize(
    ("name", "stem"),
    [("x.ndjson.gz", "x"), ("x.json", "x"), ("a.b.json", "a.b"), ("odd.thing", "odd"), ("bare", "bare")],
)
def test_a_stem_is_the_name_without_the_formats_ending(name: str, stem: str) -> None:
    assert stem_of("fhir", name) == stem


@pytest.mark.parametrize("names", [("x.hl7", "x.txt"), ("ledger.hl7",), ("quarantine.hl7",)])
def test_names_that_collide_are_refused(tmp_path: Path, names: tuple[str, ...]) -> None:
    with pytest.raises(UsageError):
        find_inputs("hl7v2", [_touch(tmp_path / "in", *names)], tmp_path / "out")


def test_a_folder_with_nothing_to_convert_is_an_error_that_says_what_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"\.hl7"):
        find_inputs("hl7v2", [_touch(tmp_path / "in", "a.pdf")], tmp_path / "out")
