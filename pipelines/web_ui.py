"""Start Dagster's web server and daemon on a region's workspace."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time

from contracts.region import load_region
from pipelines.dagster_home import prepare_dagster_home
from pipelines.ports import require_free
from pipelines.run import require_engine
from pipelines.settings import Settings
from pipelines.workspace import write_workspace

QUIET = "ignore:Function `dev_command` is superseded"
"""Dagster advises its own project tool, which knows no region."""

STOP_SECONDS = 30.0


def serve_ui(settings: Settings, port: int) -> None:
    """Run `dagster dev` until it is stopped. Raises UsageError when the region is none or the port is taken."""
    region = load_region(settings.region)
    require_free(port, "--port")
    require_engine(settings)
    home = prepare_dagster_home(settings.area)
    workspace = write_workspace(region, settings.area.dagster / "workspace.yaml")
    print(f"Starting Dagster on region '{region.name}' (it takes some seconds; Ctrl-C ends it) ...", flush=True)
    environment = {**os.environ, **settings.environment(), "DAGSTER_HOME": str(home), "PYTHONWARNINGS": QUIET}
    command = [sys.executable, "-m", "dagster", "dev", "--workspace", str(workspace), "--host", "127.0.0.1"]
    for number in (signal.SIGINT, signal.SIGTERM):  # a shell starts background jobs with SIGINT ignored
        signal.signal(number, signal.default_int_handler)
    # in its own home: Dagster warns of a dagster.yaml in the folder it is started in
    child = subprocess.Popen([*command, "--port", str(port), "--log-level", "warning"], env=environment, cwd=home)
    try:
        _say_when_ready(child, port)
        child.wait()
    except KeyboardInterrupt:
        child.send_signal(signal.SIGTERM)
        try:
            child.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()  # its children end when its pipe to them closes
            child.wait()


def _say_when_ready(child: subprocess.Popen[bytes], port: int) -> None:
    while child.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.5)
        else:
            print(f"Open http://127.0.0.1:{port}", flush=True)
            return
