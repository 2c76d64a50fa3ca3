from __future__ import annotations

import io
import zipfile

from flwr.cli.config_utils import get_fab_config

from federated.marker import build_bundle, marker_bundle, marker_hash


def test_the_marker_is_a_bundle_that_flower_accepts_and_holds_no_code() -> None:
    with zipfile.ZipFile(io.BytesIO(marker_bundle())) as archive:
        assert archive.namelist() == ["pyproject.toml", ".info/CONTENT"]
    assert get_fab_config(marker_bundle())["project"]["name"] == "cloister-marker"


def test_the_marker_is_the_same_on_every_machine() -> None:
    assert marker_hash() == "22a3094f4bfa5a03b6f258263faef9564dbf5d5021f8517c487358c7ddf7ddb4"


def test_another_project_file_is_another_bundle() -> None:
    assert build_bundle(b"[project]\n") != marker_bundle()
