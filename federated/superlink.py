"""``python -m federated.superlink --token-file FILE ...``: Flower's SuperLink behind the token guard and long-poll.

All other arguments are those of ``flower-superlink``. The seam is ``flwr.superlink.extensions.get_middleware``,
Flower's own hook for extra middleware, read when the application is built.
"""

from __future__ import annotations

import argparse
import gc
import sys
from collections.abc import Sequence
from pathlib import Path

from contracts.errors import CloisterError, exit_code
from governance.files import read_private


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the SuperLink in this process until it is told to stop; the exit code when its token cannot be read."""
    parser = argparse.ArgumentParser(prog="python -m federated.superlink", add_help=False)
    parser.add_argument("--token-file", type=Path, required=True)
    own, flower_arguments = parser.parse_known_args(arguments)
    try:
        token = read_private(own.token_file)
    except CloisterError as error:
        print(f"superlink: {error}", file=sys.stderr)
        return exit_code(error)
    sys.argv = ["flower-superlink", *flower_arguments]
    run_superlink(token)
    return 0


def run_superlink(token: bytes) -> None:
    """Install the two middlewares and hand over to Flower's own entry point."""
    from flwr.superlink import extensions
    from flwr.superlink.cli.flower_superlink import flower_superlink
    from starlette.middleware import Middleware

    from federated.guard import TokenGuard
    from federated.longpoll import LongPoll

    extensions.get_middleware = lambda: (Middleware(TokenGuard, token=token), Middleware(LongPoll))
    # The modules just imported live as long as the process: keep the collector from walking them at each request.
    gc.collect()
    gc.freeze()
    flower_superlink()


if __name__ == "__main__":
    sys.exit(main())
