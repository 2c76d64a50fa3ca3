"""``report.json``: what a run did, recounted from the tables and ledgers that it left."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from contracts.region import Region
from contracts.zone import SiteZone, WorkArea

DISPOSITIONS = ("mapped", "quarantined", "skipped", "superseded", "erased")


def site_report(zone: SiteZone) -> dict[str, Any]:
    """Sums of the site's ledger over all files: records in, the five dispositions, pending, resources out by type."""
    from lake.reader import read_arrow

    rows = read_arrow(zone.table("ledger__file")).to_pylist()
    totals: dict[str, Any] = {name: sum(row[name] for row in rows) for name in ("records_in", *DISPOSITIONS, "pending")}
    resources: dict[str, int] = {}
    for row in rows:
        for name, count in json.loads(row["resources_out"] or "{}").items():
            resources[name] = resources.get(name, 0) + count
    unexplained = sum(abs(row["records_in"] - sum(row[name] for name in DISPOSITIONS)) for row in rows)
    return {**totals, "resources_out": dict(sorted(resources.items())), "files": len(rows), "unexplained": unexplained}


def egress_report(zones: Mapping[str, SiteZone], closed_list: frozenset[str]) -> dict[str, int]:
    """Messages in all sites' egress ledgers: how many, and how many of a kind that is not on the closed list."""
    messages = other = 0
    for zone in zones.values():
        for line in _lines(zone.egress / "ledger.jsonl"):
            messages += 1
            other += line["kind"] not in closed_list
    return {"egress_messages": messages, "egress_other": other}


def _lines(path: Path) -> list[dict[str, Any]]:
    if not path.is_file():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line]


def sites_report(region: Region, area: WorkArea) -> dict[str, Any]:
    """Per-site figures; written because all sites share this machine, never in a deployment with a host a party."""
    return {site.name: site_report(area.site(site.name)) for site in region.sites}


def write_report(path: Path, report: Mapping[str, Any]) -> None:
    """Write the report whole or not at all."""
    part = path.with_suffix(".part")
    part.write_text(json.dumps(report, ensure_ascii=False, indent=2, sort_keys=False) + "\n", encoding="utf-8")
    os.replace(part, path)
