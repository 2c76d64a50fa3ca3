"""Apache Spark with delta-spark: a Spark Connect server in a Java process of its own, or one that is already there."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlparse

from contracts.errors import EngineUnavailableError
from lake import jars as delta_jars

JAVA_MAJOR = 17
START_SECONDS = 120
STOP_SECONDS = 20

# Small tables: untuned, a VACUUM of 8 files listed 10,000 partitions (docs/explanation/engines.md).
_TUNED = {
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    "spark.databricks.delta.snapshotPartitions": "2",
    "spark.sql.shuffle.partitions": "2",
    "spark.sql.sources.parallelPartitionDiscovery.parallelism": "2",
    "spark.sql.session.timeZone": "UTC",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.driver.host": "127.0.0.1",
    "spark.connect.grpc.binding.address": "localhost",
    "spark.connect.grpc.binding.port": "0",
}

_LOG4J = """\
rootLogger.level = error
rootLogger.appenderRef.stderr.ref = console
appender.console.type = Console
appender.console.name = console
appender.console.target = SYSTEM_ERR
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %p %c: %m%n
logger.connect.name = org.apache.spark.sql.connect.service.SparkConnectServer
logger.connect.level = info
"""
_STARTED = re.compile(r"Spark Connect server started at: \S*?:(\d+)\s")

# The server must not outlive this process, however this process ends: the shell holds the other end of our pipe and
# stops Java when the pipe closes.
_WATCH = 'exec 3<&0; "$@" </dev/null & child=$!; (cat <&3 >/dev/null; kill $child 2>/dev/null) & wait $child'


def check_java() -> None:
    """Raise EngineUnavailableError unless a Java of at least version 17 can be run."""
    home = os.environ.get("JAVA_HOME")
    java = str(Path(home) / "bin" / "java") if home else shutil.which("java")
    advice = f"Install a JDK {JAVA_MAJOR} and set JAVA_HOME, or use engine 'sail'."
    if java is None:
        raise EngineUnavailableError(f"engine 'spark' needs Java {JAVA_MAJOR} or newer; found no java. {advice}")
    try:
        told = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=60).stderr
    except OSError as error:
        raise EngineUnavailableError(f"engine 'spark': {java} does not run. {advice}") from error
    major = re.search(r'version "(\d+)', told)
    if major is None or int(major.group(1)) < JAVA_MAJOR:
        found = f"version {major.group(1)}" if major else "an unknown version"
        raise EngineUnavailableError(f"engine 'spark' needs Java {JAVA_MAJOR} or newer; {java} is {found}. {advice}")


def check_reachable(remote: str) -> None:
    """Raise EngineUnavailableError unless something listens there; the client itself would retry for minutes."""
    url = urlparse(remote)
    if url.scheme != "sc" or not url.hostname:
        raise EngineUnavailableError(f"'{remote}' is no Spark Connect address; expected sc://host:port.")
    try:
        socket.create_connection((url.hostname, url.port or 15002), timeout=5).close()
    except OSError as error:
        raise EngineUnavailableError(
            f"no Spark Connect server answers at {url.hostname}:{url.port or 15002}. Start it, or correct the address."
        ) from error


@contextmanager
def serve(master: str, memory_bytes: int, jars: Path | None, work: Path | None) -> Iterator[str]:
    """Run a Spark Connect server on a free loopback port, behind a token of this process, and give its address.

    Raises:
        EngineUnavailableError: no Java, no jars, or the server did not come up (the last line of its log).
    """
    check_java()
    class_path = delta_jars.class_path(jars or delta_jars.default_folder())
    folder = Path(tempfile.mkdtemp(prefix="cloister-spark-")) if work is None else work
    folder.mkdir(parents=True, exist_ok=True)
    token = secrets.token_hex(16)
    log = folder / "spark.log"
    try:
        server = _start(_write_settings(folder, master, memory_bytes, class_path), token, log)
        try:
            yield f"sc://localhost:{_await_port(server, log)}/;token={token}"
        finally:
            _stop(server)
    finally:
        if work is None:
            shutil.rmtree(folder, ignore_errors=True)


def _write_settings(folder: Path, master: str, memory_bytes: int, class_path: list[Path]) -> Path:
    log4j = folder / "log4j2.properties"
    log4j.write_text(_LOG4J)
    settings = {
        **_TUNED,
        "spark.master": master,
        "spark.jars": ",".join(str(path) for path in class_path),
        "spark.driver.memory": f"{max(memory_bytes >> 20, 512)}m",
        "spark.driver.extraJavaOptions": f"-Dlog4j2.configurationFile={log4j} -Dderby.system.home={folder}",
        "spark.local.dir": str(folder / "local"),
        "spark.sql.warehouse.dir": str(folder / "warehouse"),
    }
    path = folder / "spark.conf"
    path.write_text("".join(f"{name} {value}\n" for name, value in settings.items()))
    return path


def _start(settings: Path, token: str, log: Path) -> subprocess.Popen[bytes]:
    import pyspark

    home = Path(pyspark.__file__).parent
    command = [
        str(home / "bin" / "spark-submit"), "--properties-file", str(settings),
        "--class", "org.apache.spark.sql.connect.service.SparkConnectServer", "spark-internal",
    ]  # fmt: skip
    # the token travels by environment: a command line can be read by every user of the machine
    python = os.environ.get("PYSPARK_PYTHON", sys.executable)
    env = {**os.environ, "SPARK_HOME": str(home), "PYSPARK_PYTHON": python, "SPARK_CONNECT_AUTHENTICATE_TOKEN": token}
    env.pop("SPARK_REMOTE", None)
    with log.open("wb") as out:
        return subprocess.Popen(
            ["/bin/sh", "-c", _WATCH, "sh", *command],
            stdin=subprocess.PIPE, stdout=out, stderr=out, env=env, cwd=settings.parent, start_new_session=True,
        )  # fmt: skip


def _await_port(server: subprocess.Popen[bytes], log: Path) -> int:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        told = _STARTED.search(log.read_text(errors="replace"))
        if told:
            return int(told.group(1))
        if server.poll() is not None:
            last = (log.read_text(errors="replace").strip().splitlines() or ["no output"])[-1][:300]
            raise EngineUnavailableError(f"Apache Spark ended at its start (exit code {server.returncode}): {last}")
        time.sleep(0.1)
    raise EngineUnavailableError(f"Apache Spark did not start within {START_SECONDS} s. Give it more memory or cores.")


def _stop(server: subprocess.Popen[bytes]) -> None:
    assert server.stdin is not None
    server.stdin.close()
    try:
        server.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(server.pid, signal.SIGKILL)  # the shell and Java, whose group is their own
        server.wait()
