"""``python -m benchmarks [NAME ...]``: run the benchmarks (all by default); tables go to benchmarks/results."""

from __future__ import annotations

import argparse
import importlib
from pathlib import Path

FOLDER = Path(__file__).resolve().parent


def names() -> list[str]:
    return sorted(path.stem.removeprefix("bench_") for path in FOLDER.glob("bench_*.py"))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("name", nargs="*", choices=[*names(), []], help="which; all when none is given")
    chosen = parser.parse_args().name or names()
    (FOLDER / "results").mkdir(exist_ok=True)
    for name in chosen:
        print(f"== {name}", flush=True)
        importlib.import_module(f"benchmarks.bench_{name}").main()


if __name__ == "__main__":
    main()
