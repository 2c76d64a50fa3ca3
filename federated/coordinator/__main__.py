"""``python -m federated.coordinator --config FILE``: train the tasks of a settings file; progress as JSON lines."""

from __future__ import annotations

import argparse
import json
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from contracts.errors import CloisterError, exit_code


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code of the first error, in the terms of contracts.errors; 0 when every task was trained."""
    parser = argparse.ArgumentParser(prog="python -m federated.coordinator")
    parser.add_argument("--config", type=Path, required=True, help="CoordinatorSettings as JSON")
    config = parser.parse_args(arguments).config
    from federated.coordinator.run import train
    from federated.coordinator.settings import CoordinatorSettings
    from governance.files import require_private

    try:
        settings = CoordinatorSettings.load(config)
        require_private(settings.secrets)
        runs = train(settings, _print)
    except CloisterError as error:
        _print({"event": "error", "task": None, "error": type(error).__name__, "message": str(error)})
        return exit_code(error)
    except Exception as error:  # the whole story goes to the log; standard output is a protocol
        traceback.print_exc()
        _print({"event": "error", "task": None, "error": type(error).__name__, "message": "see the coordinator's log"})
        return 1
    return next((exit_code(run.error) for run in runs if run.error is not None), 0)


def _print(event: dict[str, Any]) -> None:
    print(json.dumps(event, ensure_ascii=False), flush=True)


if __name__ == "__main__":
    sys.exit(main())
