"""What a site's worker and the coordinator load: their half of the secure sum and nothing heavier."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("module", "never"),
    [
        ("secure_compute.site_session", ["fastapi", "uvicorn", "httpx", "secure_compute.authority", "pyspark", "flwr"]),
        ("secure_compute.aggregate", ["fastapi", "uvicorn", "secure_compute.authority", "pyspark", "flwr"]),
        ("secure_compute.authority_client", ["fastapi", "uvicorn", "secure_compute.authority", "tenseal", "pyspark"]),
        ("governance.audit", ["tenseal", "fastapi", "pyspark", "pyarrow", "httpx"]),
        ("contracts.messages", ["tenseal", "fastapi", "pyspark", "pyarrow", "cryptography"]),
    ],
)
def test_importing_it_reaches_nothing_heavier(module: str, never: list[str]) -> None:
    code = f"import sys, {module}; print([n for n in {never!r} if n in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert found.stdout.strip() == "[]"
