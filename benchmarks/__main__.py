"""``python -m benchmarks [NAME ...]``: run the benchmarks (all by default); tables go to benchmarks/results.

Options after a single name are that benchmark's own: ``python -m benchmarks mapping-speed --only csv``. ``faults``
and ``fuzz`` run only when they are named: they prove rather than measure, and take long.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
BY_NAME = ("faults", "fuzz")


def names() -> list[str]:
    return sorted(path.stem.removeprefix("bench_").replace("_", "-") for path in FOLDER.glob("bench_*.py"))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("name", nargs="*", choices=[*names(), *BY_NAME, []], help="which; all when none is given")
    first_option = next((n for n, word in enumerate(sys.argv) if word.startswith("--") and word != "--help"), None)
    own = [] if first_option is None else sys.argv[first_option:]
    chosen = parser.parse_args(sys.argv[1:first_option]).name or names()
    if own and len(chosen) != 1:
        parser.error(f"options {' '.join(own)} belong to one benchmark: name it")
    (FOLDER / "results").mkdir(exist_ok=True)
    for name in chosen:
        print(f"== {name}", flush=True)
        module = importlib.import_module(f"benchmarks.{name if name in BY_NAME else 'bench_' + name.replace('-', '_')}")
        module.main(own) if own else module.main()


if __name__ == "__main__":
    main()
