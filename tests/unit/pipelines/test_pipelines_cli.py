"""What a person sees who uses ``cloister`` wrongly: one clear line, exit code 2, no traceback."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.cli.main import COMMANDS
from pipelines.ports import free_ports

ROOT = Path(__file__).resolve().parents[3]


def cloister(*arguments: str) -> subprocess.CompletedProcess[str]:
    program = "import sys; sys.argv[0] = 'cloister'; from pipelines.cli.main import main; main()"
    return subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, cwd=ROOT, check=False
    )


def assert_one_clear_line(done: subprocess.CompletedProcess[str], *words: str) -> None:
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    for word in words:
        assert word in done.stderr


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_explains_itself_with_an_example(command: str) -> None:
    done = cloister(*([command] if command else []), "--help")
    assert done.returncode == 0, done.stderr
    assert "cloister " in done.stdout
    assert "Examples:" in done.stdout


def test_a_folder_that_is_no_region_is_named(tmp_path: Path) -> None:
    done = cloister("run", str(tmp_path), "--work", str(tmp_path / "work"))
    assert_one_clear_line(done, "no region at", "region.toml")


def test_an_unknown_task_lists_the_tasks_there_are(tmp_path: Path) -> None:
    done = cloister("run", "regions/demo", "--work", str(tmp_path), "--task", "surgery")
    assert_one_clear_line(done, "surgery", "triage")


def test_missing_public_data_is_said_before_anything_is_made(tmp_path: Path) -> None:
    work = tmp_path / "work"
    done = cloister("run", "regions/heart", "--work", str(work), "--data", str(tmp_path / "nowhere"))
    assert_one_clear_line(done, "--data")
    assert not work.exists()


def test_an_unknown_command_points_to_help() -> None:
    assert_one_clear_line(cloister("rnu"), "No such command", "--help")


def test_spark_without_java_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    done = cloister("run", "regions/demo", "--work", str(tmp_path / "work"), "--engine", "spark")
    assert_one_clear_line(done, "Java 17")


def test_a_taken_port_is_named_with_the_option_to_change_it(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = cloister("ui", "regions/demo", "--work", str(tmp_path), "--port", str(port))
    assert_one_clear_line(done, str(port), "--port")


@pytest.mark.parametrize("command", ["run", "ui", "serve"])
def test_a_work_directory_that_is_a_file_is_refused(tmp_path: Path, command: str) -> None:
    (tmp_path / "file").write_text("", encoding="ascii")
    done = cloister(command, "regions/demo", "--work", str(tmp_path / "file" / "work"))
    assert_one_clear_line(done, "--work", str(tmp_path / "file"))


@pytest.mark.parametrize("command", ["ui", "serve"])
def test_a_port_that_is_none_is_refused(tmp_path: Path, command: str) -> None:
    assert_one_clear_line(cloister(command, "regions/demo", "--work", str(tmp_path), "--port", "99999"), "--port")


def test_the_page_too_says_that_spark_needs_java(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    port = str(free_ports(1)[0])
    done = cloister("ui", "regions/demo", "--work", str(tmp_path / "work"), "--engine", "spark", "--port", port)
    assert_one_clear_line(done, "Java 17")


def test_predict_wants_region_and_site_together(tmp_path: Path) -> None:
    done = cloister("predict", str(tmp_path), "in.csv", "--out", "out.csv", "--site", "north")
    assert_one_clear_line(done, "--region and --site")


def test_a_key_that_is_misspelt_is_named(tmp_path: Path) -> None:
    (tmp_path / "region.toml").write_text('name = "r"\ntitel = "R"\ntimezone = "UTC"\n', encoding="utf-8")
    done = cloister("map", "test", str(tmp_path))
    assert done.returncode == 3
    assert "region.toml: title: Field required; titel: Extra inputs" in done.stderr


def test_a_folder_where_a_file_is_wanted_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "o.ndjson").mkdir()
    (tmp_path / "in.json").write_text("{}", encoding="utf-8")
    view = next((ROOT / "regions" / "demo" / "views").glob("*.json"))
    done = cloister("view", str(view), "--resources", str(tmp_path / "in.json"), "--out", str(tmp_path / "o.ndjson"))
    assert_one_clear_line(done, "o.ndjson")
