"""Start Dagster's web server and daemon on a region's workspace."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

from contracts.region import load_region
from pipelines.dagster_home import prepare_dagster_home
from pipelines.ports import require_free
from pipelines.settings import Settings
from pipelines.workspace import write_workspace


def serve_ui(settings: Settings, port: int) -> None:
    """Run `dagster dev` until it is stopped. Raises UsageError when the region is none or the port is taken."""
    region = load_region(settings.region)
    require_free(port, "--port")
    home = prepare_dagster_home(settings.area)
    workspace = write_workspace(region, settings.area.dagster / "workspace.yaml")
    print(f"Dagster shows region '{region.name}' at http://127.0.0.1:{port} (Ctrl-C ends it)", flush=True)
    environment = {**os.environ, **settings.environment(), "DAGSTER_HOME": str(home)}
    command = [sys.executable, "-m", "dagster", "dev", "--workspace", str(workspace), "--host", "127.0.0.1"]
    child = subprocess.Popen([*command, "--port", str(port), "--log-level", "warning"], env=environment)
    try:
        child.wait()
    except KeyboardInterrupt:
        child.send_signal(signal.SIGINT)
        child.wait()
