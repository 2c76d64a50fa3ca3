"""The report as a few lines for a person."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from contracts.region import Region
from pipelines.report import DISPOSITIONS


def summary_lines(region: Region, report: Mapping[str, Any]) -> Iterator[str]:
    """A table of records, then a paragraph a task, then what left the hospitals."""
    yield ""
    yield f"{'hospital':<12}{'records':>9}" + "".join(f"{name:>13}" for name in DISPOSITIONS) + f"{'unexplained':>13}"
    for name, site in report["sites"].items():
        cells = "".join(f"{site[disposition]:>13,}" for disposition in DISPOSITIONS)
        yield f"{name:<12}{site['records_in']:>9,}{cells}{site['unexplained']:>13,}"
    for name, task in report["tasks"].items():
        yield ""
        yield f"{name}: {region.task(name).title}"
        yield f"  federated   {_metrics(task['metrics']['federated'])}"
        if "pooled" in task["metrics"]:
            yield f"  pooled      {_metrics(task['metrics']['pooled'])}"
            for site, values in task["metrics"]["local"].items():
                yield f"  {site:<11} {_metrics(values)}   (alone)"
            yield f"  largest gap of a coefficient to the pooled solution: {task['max_coefficient_gap']:.1e}"
        sent = sum(task["bytes_out"].values())
        yield (
            f"  {task['rounds']} sums in {task['seconds']:.0f} s; {sent / 1e6:.1f} MB left the hospitals, "
            f"{task['bytes_per_slot']:.2f} bytes a slot"
        )
    privacy = report["privacy"]
    yield ""
    yield (
        f"Messages that left the hospitals, in all runs here: {privacy['egress_messages']:,}, "
        f"of them outside the closed list: {privacy['egress_other']}. "
        f"Totals opened: {privacy['opened']}; refused: {privacy['refused']}."
    )


def _metrics(metrics: Mapping[str, float]) -> str:
    names = {"accuracy": "accuracy", "auc": "AUC", "macro_f1": "macro-F1"}
    return ", ".join(f"{words} {metrics[name]:.4f}" for name, words in names.items() if metrics.get(name) is not None)
