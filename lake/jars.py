"""Delta's jars, which the wheel of delta-spark does not carry; only the Spark engine needs them.

    python -m lake.jars            make sure they are there, fetching them once when they are not

They stand in the folder named by CLOISTER_JARS, else in ``.cache/jars`` of the checkout. Nothing of Unity Catalog is
needed beyond the small module that delta-spark's classes refer to.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from contracts.errors import EngineUnavailableError

DELTA_VERSION = "4.4.0"
# artifact -> SHA-256 of its jar, the same from Maven and from Ivy
ARTIFACTS = {
    "delta-spark_4.2_2.13": "27d4fd8b1f879535c573ed1c718177d6a27f24d3e626ba02e216369725721ead",
    "delta-storage": "c46735481fa8e326b0957be02b4420cbcab4b325bb08009b7f2045a95133f1cc",
    "delta-kernel-api": "ee9b5a14ac3b7efdff4d61a58478fe8eb0e5a3fbca43889dca7290795fe79a11",
    "delta-kernel-defaults": "225c975199e4718b38ee5b7e6da7f19e9585024262b2cec2656b32151a856b0b",
    "delta-kernel-unitycatalog": "cea22dfb4ac562b3cd27bf652697750e8336009d73fb06631363aaaad5345ffa",
}
FILES = {f"{artifact}-{DELTA_VERSION}.jar": sha256 for artifact, sha256 in ARTIFACTS.items()}

_PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy"
# what PySpark ships itself, or nobody needs: without these Ivy would fetch 300 MB
_IVY_EXCLUDES = (
    "org.apache.hadoop:*", "org.apache.parquet:*", "com.fasterxml.jackson.core:*", "org.roaringbitmap:*",
    "org.scala-lang:*", "org.slf4j:*", "io.unitycatalog:*", "org.apache.spark:*", "org.antlr:*",
)  # fmt: skip


def default_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """CLOISTER_JARS, else ``.cache/jars`` beside the packages."""
    named = environ.get("CLOISTER_JARS")
    return Path(named) if named else Path(__file__).resolve().parent.parent / ".cache" / "jars"


def missing(folder: Path) -> list[str]:
    """Names of the jars that are absent from ``folder`` or are not the released ones."""
    return [name for name, sha256 in FILES.items() if not _is_released(folder / name, sha256)]


def class_path(folder: Path) -> list[Path]:
    """The five jars of ``folder``. Raises EngineUnavailableError when one is missing."""
    absent = missing(folder)
    if absent:
        raise EngineUnavailableError(
            f"engine 'spark' needs Delta's {len(FILES)} jars: {len(absent)} missing or altered in {folder} "
            f"({', '.join(absent)}). "
            "Run 'make jars', or set CLOISTER_JARS to a folder that has them, or use engine 'sail'."
        )
    return [folder / name for name in FILES]


def fetch(folder: Path) -> str:
    """Make sure ``folder`` holds the jars; say in one line what was done.

    Raises:
        EngineUnavailableError: they could be fetched by neither Maven nor Ivy.
    """
    if not missing(folder):
        return f"Delta {DELTA_VERSION}: {len(FILES)} jars are in {folder}"
    folder.mkdir(parents=True, exist_ok=True)
    way = "Maven" if shutil.which("mvn") else "Spark's Ivy"
    with tempfile.TemporaryDirectory(prefix="cloister-jars-") as scratch:
        run = _fetch_with_maven(Path(scratch)) if way == "Maven" else _fetch_with_ivy(Path(scratch))
        for name, sha256 in FILES.items():
            for found in Path(scratch).rglob(f"*{name}"):  # Ivy puts the group before the name
                if _is_released(found, sha256):
                    _place(found, folder / name)
    absent = missing(folder)
    if absent:
        raise EngineUnavailableError(
            f"{way} could not fetch {', '.join(absent)} (exit code {run}). Copy Delta's jars {DELTA_VERSION} into "
            f"{folder} by hand, or point CLOISTER_JARS at a folder that has them, or name a mirror in Maven's settings."
        )
    return f"Delta {DELTA_VERSION}: {len(FILES)} jars fetched by {way} into {folder}"


def _fetch_with_maven(scratch: Path) -> int:
    for artifact in ARTIFACTS:
        coordinate = f"io.delta:{artifact}:{DELTA_VERSION}"
        command = ["mvn", "-q", "-B", _PLUGIN, f"-Dartifact={coordinate}", f"-DoutputDirectory={scratch}"]
        code = _run(command, {})
        if code:
            return code
    return 0


def _fetch_with_ivy(scratch: Path) -> int:
    import pyspark

    home = Path(pyspark.__file__).parent
    packages = ",".join(f"io.delta:{artifact}:{DELTA_VERSION}" for artifact in ARTIFACTS)
    (scratch / "home").mkdir()
    command = [
        str(home / "bin" / "spark-submit"), "--master", "local[1]",
        "--conf", f"spark.jars.packages={packages}",
        "--conf", f"spark.jars.ivy={scratch / 'ivy'}",
        "--conf", f"spark.jars.excludes={','.join(_IVY_EXCLUDES)}",
        # a half-filled local Maven repository makes Ivy fail: show it an empty home
        "--driver-java-options", f"-Duser.home={scratch / 'home'}",
        "--class", "org.apache.spark.examples.SparkPi", "local:///nothing.jar",
    ]  # fmt: skip
    return _run(command, {"SPARK_HOME": str(home)})


def _run(command: list[str], extra: dict[str, str]) -> int:
    done = subprocess.run(
        command, env={**os.environ, **extra}, capture_output=True, stdin=subprocess.DEVNULL, timeout=900
    )
    return done.returncode


def _place(found: Path, wanted: Path) -> None:
    partial = wanted.with_suffix(f".{os.getpid()}.part")
    shutil.copyfile(found, partial)
    partial.replace(wanted)


def _is_released(path: Path, sha256: str) -> bool:
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == sha256


def main(arguments: list[str]) -> int:
    """Fetch the jars and say in one line what was done.

    With ``--if-java`` nothing is an error: where Java or the jars cannot be had, the line says that the tests on Apache
    Spark will be skipped.
    """
    optional = "--if-java" in arguments
    try:
        if optional:
            from lake.spark import check_java

            check_java()
        print(fetch(default_folder()))
    except EngineUnavailableError as error:
        print(f"Tests on Apache Spark will be skipped: {error}" if optional else error, file=sys.stderr)
        return 0 if optional else error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
