"""The marker: the application bundle (FAB) that a run of Flower must name, here one without any code.

Flower ships a FAB to every SuperNode. A site of Cloister executes only what its hospital installed, so the bundle says
nothing but "a Cloister run, protocol 1", and a site refuses every run with another one. Built byte for byte the same
everywhere (stored, fixed dates), so that its SHA-256 is the allow-list.
"""

from __future__ import annotations

import hashlib
import io
import zipfile

MARKER_PROJECT = b"""[project]
name = "cloister-marker"
version = "1.0.0"
description = "Marks a run of Cloister. Contains no code; sites run what their hospital installed."
license = "Apache-2.0"
dependencies = []

[tool.flwr.app]
publisher = "cloister"

[tool.flwr.app.components]
serverapp = "none:app"
clientapp = "none:app"

[tool.flwr.app.config]
"""


def build_bundle(project: bytes) -> bytes:
    """A FAB with ``project`` as its pyproject.toml and nothing else."""
    digest = hashlib.sha256(project).hexdigest()
    content = f"pyproject.toml,{digest},{len(project) * 8}".encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, data in (("pyproject.toml", project), (".info/CONTENT", content)):
            archive.writestr(zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0)), data)
    return buffer.getvalue()


def marker_bundle() -> bytes:
    """The marker's bytes."""
    return build_bundle(MARKER_PROJECT)


def marker_hash() -> str:
    """SHA-256 of the marker, hex: the one FAB hash that a site's worker accepts."""
    return hashlib.sha256(marker_bundle()).hexdigest()
