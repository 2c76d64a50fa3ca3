"""Starting and stopping: one engine a process, clear refusals, nothing left behind."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from contracts.errors import EngineUnavailableError
from lake.engine import EngineSettings, open_engine
from lake.spark import check_java, check_reachable

OTHER = EngineSettings(kind="sail", memory_bytes=1 << 29)


def _python(code: str, **env: str) -> subprocess.CompletedProcess[str]:
    import os

    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, **env},
    )


def test_the_session_is_in_utc(spark: SparkSession) -> None:
    assert spark.conf.get("spark.sql.session.timeZone") == "UTC"
    text = spark.sql("SELECT CAST(TIMESTAMP '1970-01-01 00:00:01' AS LONG)").collect()[0][0]
    assert text == 1


def test_a_second_engine_in_the_process_is_refused(spark: SparkSession) -> None:
    with pytest.raises(EngineUnavailableError, match="already open in this process"), open_engine(OTHER):
        pass


def test_nested_use_shares_the_session_and_a_later_one_starts_again() -> None:
    done = _python(
        "import threading, time\n"
        "from lake.engine import open_engine, EngineSettings\n"
        "with open_engine() as a, open_engine() as b:\n"
        "    assert a is b and a.range(3).count() == 3\n"
        "with open_engine(EngineSettings(memory_bytes=1 << 29)) as c:\n"
        "    assert c is not a and c.range(4).count() == 4\n"
        # The client ends its threads a moment after the session.
        "deadline = time.monotonic() + 20\n"
        "while threading.active_count() > 1 and time.monotonic() < deadline:\n"
        "    time.sleep(0.02)\n"
        "print([thread.name for thread in threading.enumerate()])\n"
    )
    assert (done.stdout.strip(), done.stderr) == ("['MainThread']", "")


def test_spark_without_java_is_refused_in_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EngineUnavailableError, match=r"needs Java 17 or newer; found no java\. Install a JDK 17"):
        check_java()


def test_an_old_java_is_refused_with_its_version(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    java = tmp_path / "bin" / "java"
    java.parent.mkdir()
    java.write_text("#!/bin/sh\necho 'openjdk version \"11.0.2\" 2019-01-15' >&2\n")
    java.chmod(0o755)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(EngineUnavailableError, match="is version 11"):
        check_java()


@pytest.mark.parametrize("address", ["http://127.0.0.1:1", "sc://127.0.0.1:1"])
def test_a_remote_server_that_is_not_there_is_refused_at_once(address: str) -> None:
    with pytest.raises(EngineUnavailableError, match=r"no Spark Connect (address|server)"):
        check_reachable(address)


@pytest.mark.needs_spark
def test_spark_starts_quietly_behind_a_token_and_leaves_no_java_behind(tmp_path: Path) -> None:
    done = _python(
        "import pathlib, re, sys\n"
        "from lake.engine import open_engine, EngineSettings\n"
        "from pyspark.sql import SparkSession\n"
        f"work = pathlib.Path({str(tmp_path)!r})\n"
        "def servers(): return [p for p in pathlib.Path('/proc').glob('[0-9]*/cmdline')\n"
        "    if (line := p.read_bytes()).split(b'\\0')[0].endswith(b'java') and str(work).encode() in line]\n"
        "with open_engine(EngineSettings(kind='spark', work=work)) as session:\n"
        "    assert session.range(3).count() == 3 and servers()\n"
        "    port = re.search(r'started at: \\S*?:(\\d+)', (work / 'spark.log').read_text()).group(1)\n"
        "    try:\n"
        "        SparkSession.builder.remote(f'sc://localhost:{port}/;token=wrong').create().range(1).count()\n"
        "        print('a stranger was let in')\n"
        "    except Exception as error:\n"
        "        print(type(error).__name__)\n"
        "print(len(servers()))\n"
    )
    assert "let in" not in done.stdout
    assert done.stdout.splitlines()[-1] == "0", done.stdout + done.stderr
    assert done.stderr == ""


@pytest.mark.needs_spark
def test_java_ends_when_the_process_that_started_it_is_killed(tmp_path: Path) -> None:
    done = _python(
        "import os, signal, pathlib\n"
        "from lake.engine import open_engine, EngineSettings\n"
        f"with open_engine(EngineSettings(kind='spark', work=pathlib.Path({str(tmp_path)!r}))) as session:\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    assert done.returncode == -9, done.stderr
    assert _gone_within(str(tmp_path).encode(), seconds=20)


def _gone_within(marker: bytes, seconds: float) -> bool:
    import time

    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not any(marker in _command_line(path) for path in Path("/proc").glob("[0-9]*/cmdline")):
            return True
        time.sleep(0.2)
    return False


def _command_line(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:  # ended meanwhile
        return b""
