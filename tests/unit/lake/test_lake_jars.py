import shutil
from pathlib import Path

import pytest

from contracts.errors import EngineUnavailableError
from lake import jars


def test_the_folder_is_the_one_that_the_environment_names() -> None:
    assert jars.default_folder({"CLOISTER_JARS": "/srv/jars"}) == Path("/srv/jars")
    assert jars.default_folder({}).parts[-2:] == (".cache", "jars")


def test_missing_jars_are_named_with_the_next_step(tmp_path: Path) -> None:
    with pytest.raises(EngineUnavailableError, match=r"5 missing .*delta-storage-4.*make jars.*CLOISTER_JARS"):
        jars.class_path(tmp_path)


def test_a_jar_that_is_not_the_released_one_counts_as_missing(tmp_path: Path) -> None:
    name = next(iter(jars.FILES))
    (tmp_path / name).write_bytes(b"<html>not found</html>")
    assert name in jars.missing(tmp_path)


@pytest.mark.needs_spark
def test_jars_that_are_there_are_not_fetched_again(tmp_path: Path) -> None:
    for name in jars.FILES:
        shutil.copyfile(jars.default_folder() / name, tmp_path / name)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    assert "5 jars are in" in jars.fetch(tmp_path)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == before
    assert len(jars.class_path(tmp_path)) == 5


def test_without_java_the_optional_fetch_says_so_and_succeeds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    assert jars.main(["--if-java"]) == 0
    assert "will be skipped" in capsys.readouterr().err
