"""Programs that only read, and our own converter, on the same files: what a section sets beside the measured run.

python -m benchmarks.mapping_speed_parsers PARSER FOLDER FILES PROCESSES

``lxml``, ``hl7apy`` and ``hl7types`` read each file and parse it, in as many processes, and keep nothing; ``convert``
is ``cloister map convert`` to bundles. The last line of output is a JSON object.
"""

from __future__ import annotations

import json
import multiprocessing
import shutil
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import islice
from pathlib import Path

from benchmarks.mapping_speed_meter import Stopwatch

_CHUNK = 64


def main(arguments: list[str]) -> None:
    """Read the first FILES files of a folder, by name."""
    parser, folder, count, processes = arguments[0], Path(arguments[1]), int(arguments[2]), int(arguments[3])
    paths = list(islice(sorted(folder.iterdir()), count))
    watch = Stopwatch.start()
    if parser == "convert":
        _convert(paths, folder, processes, watch)
    else:
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(processes, context, partial(_warm_up, parser, paths[0])) as pool:
            list(pool.map(time.sleep, [0.5] * processes))
            watch.stage("start-up")
            parts = [paths[first : first + _CHUNK] for first in range(0, len(paths), _CHUNK)]
            list(pool.map(partial(_parse, parser), parts))
            watch.stage("rival")
    print(json.dumps({"wall": watch.wall, "cpu": watch.cpu, "files": len(paths)}))


def _convert(paths: list[Path], folder: Path, processes: int, watch: Stopwatch) -> None:
    from fhir_mapping.convert.options import Options
    from fhir_mapping.convert.run import convert

    out = folder.with_name(f"{folder.name}.bundles")
    watch.stage("start-up")
    convert(paths, out, Options("hl7v2" if paths[0].suffix == ".hl7" else "cda"), processes)
    watch.stage("rival")
    shutil.rmtree(out)


def _parse(name: str, paths: Sequence[Path]) -> None:
    parse = _PARSERS[name]
    for path in paths:
        parse(path.read_bytes())


def _lxml(data: bytes) -> None:
    from lxml import etree

    etree.fromstring(data)


def _hl7apy(data: bytes) -> None:
    from hl7apy.parser import parse_message

    parse_message(data.decode(), find_groups=False)


def _hl7types(data: bytes) -> None:
    from hl7types import decode_er7

    decode_er7(data.decode(), strict=False)


_PARSERS: dict[str, Callable[[bytes], None]] = {"lxml": _lxml, "hl7apy": _hl7apy, "hl7types": _hl7types}


def _warm_up(name: str, path: Path) -> None:
    """Imports and models are there before the clock starts."""
    warnings.simplefilter("ignore")
    _parse(name, [path])


if __name__ == "__main__":
    main(sys.argv[1:])
