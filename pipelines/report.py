"""``report.json``: what a run did, recounted from the tables, ledgers and audit chains that it left."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from contracts.messages import SITE_MESSAGES
from contracts.region import Region
from contracts.zone import SiteZone, WorkArea
from federated.coordinator.checkpoint import read_result
from governance.audit import read_audit

DISPOSITIONS = ("mapped", "quarantined", "skipped", "superseded", "erased")
METRICS = ("accuracy", "auc", "macro_f1", "accuracy_mean_of_sites", "auc_mean_of_sites")


def build_report(
    region: Region, area: WorkArea, tasks: Sequence[str], baselines: bool, stages: Mapping[str, Any]
) -> dict[str, Any]:
    """The whole report. Per-site figures are in it because all sites share this machine."""
    return {
        "region": region.name,
        "sites": {site.name: site_report(area.site(site.name)) for site in region.sites},
        "tasks": {name: task_report(area, name, baselines) for name in tasks},
        "privacy": privacy_report(region, area),
        "stages": dict(stages),
    }


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


def task_report(area: WorkArea, task: str, baselines: bool) -> dict[str, Any]:
    """Figures of the task's run, its model's metrics and, when computed in this run, the baselines."""
    run = read_result(area.coordinator / "runs" / task)
    folder = (area.registry / task / "current").resolve()
    card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
    metrics: dict[str, Any] = {"federated": _main(card["metrics"])}
    report: dict[str, Any] = {
        "rounds": run["rounds"],
        "seconds": run["seconds"],
        "bytes_per_slot": run["bytes_per_slot"],
        "bytes_out": run["bytes_out"],
        "ciphertexts": run["ciphertexts"],
        "metrics": metrics,
        "model_dir": str(folder),
    }
    if baselines:
        found = json.loads((area.coordinator / "runs" / task / "baselines.json").read_text(encoding="utf-8"))
        metrics["pooled"] = _main(found["pooled"])
        metrics["local"] = {site: _main(values) for site, values in found["local"].items()}
        report["max_coefficient_gap"] = found["max_coefficient_gap"]
    return report


def privacy_report(region: Region, area: WorkArea) -> dict[str, int]:
    """Openings and refusals from the authority's and the sites' audit chains; messages from the egress ledgers.

    All 0 for a region without tasks: its parties never began a chain.
    """
    if not region.tasks:
        return {"opened": 0, "refused": 0, "egress_messages": 0, "egress_other": 0}
    authority = read_audit(area.authority / "audit.jsonl")
    events = [entry.event for entry in authority]
    figures = {"opened": events.count("opened"), "refused": events.count("refused") + events.count("run_failed")}
    messages = other = 0
    for site in region.sites:
        egress = area.site(site.name).egress
        sent = [entry for entry in read_audit(egress / "ledger.jsonl") if entry.event == "sent"]
        messages += len(sent)
        other += sum(entry.facts["kind"] not in SITE_MESSAGES for entry in sent)
        figures["refused"] += sum(entry.event == "refused" for entry in read_audit(egress / "audit.jsonl"))
    return {**figures, "egress_messages": messages, "egress_other": other}


def write_report(path: Path, report: Mapping[str, Any]) -> None:
    """Write the report whole or not at all."""
    part = path.with_suffix(".part")
    part.write_text(json.dumps(report, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    os.replace(part, path)


def _main(metrics: Mapping[str, Any]) -> dict[str, Any]:
    return {name: metrics[name] for name in METRICS if name in metrics}
