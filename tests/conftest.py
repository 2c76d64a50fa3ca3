"""The one engine of a test run, and tables written as text."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

# helpers that several tests import: `from engine_equality import assert_tables_equal`
sys.path.insert(0, str(Path(__file__).parent / "support"))

SparkTable = Callable[..., "DataFrame"]


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "needs_spark: needs Java 17 or newer and Delta's jars ('make jars')")


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("needs_spark") is not None:
        reason = _spark_missing()
        if reason:
            pytest.skip(reason)


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    """A session of the engine named by CLOISTER_TEST_ENGINE (``sail`` by default): one for the whole run."""
    from lake.engine import EngineSettings, open_engine

    kind = os.environ.get("CLOISTER_TEST_ENGINE", "sail")
    if kind not in ("sail", "spark"):
        raise pytest.UsageError(f"CLOISTER_TEST_ENGINE is '{kind}'; expected sail or spark")
    work = Path(tmp_path_factory.mktemp("engine"))
    with open_engine(EngineSettings(kind="spark" if kind == "spark" else "sail", work=work)) as session:
        yield session


@pytest.fixture
def spark_table(spark: SparkSession) -> SparkTable:
    """``spark_table(text)``: a DataFrame from a table written with ``|``, all strings; an empty cell is null.

    ``spark_table(text, "id string, age int")`` casts the columns to a schema.
    """
    from text_tables import frame_of

    return lambda text, schema=None: frame_of(spark, text, schema)


_missing: list[str | None] = []


def _spark_missing() -> str | None:
    """Why the Spark engine cannot run here, in one line; None when it can. Asked once."""
    if not _missing:
        from contracts.errors import EngineUnavailableError
        from lake import jars
        from lake.spark import check_java

        try:
            check_java()
            jars.class_path(jars.default_folder())
            _missing.append(None)
        except EngineUnavailableError as error:
            _missing.append(f"Spark side skipped: {error}")
    return _missing[0]
