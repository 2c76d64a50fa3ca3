"""Dagster's workspace: one code location a site and one for the region, each a process of its own."""

from __future__ import annotations

from pathlib import Path

from contracts.region import Region

HEADER = "# One code location a hospital, one for the region; `cloister ui` sets CLOISTER_REGION and CLOISTER_WORK.\n"


def workspace_text(region: Region) -> str:
    """The workspace file of a region, as YAML."""
    lines = [HEADER, "load_from:\n"]
    for site in region.sites:
        lines.append(_location("pipelines.site_location", site.name, site.name))
    lines.append(_location("pipelines.region_location", "region", "region"))
    return "".join(lines)


def write_workspace(region: Region, path: Path) -> Path:
    """Write the workspace file and return its path."""
    path.write_text(workspace_text(region), encoding="utf-8")
    return path


def _location(module: str, attribute: str, name: str) -> str:
    return (
        f"  - python_module:\n      module_name: {module}\n      attribute: {attribute}\n      location_name: {name}\n"
    )
