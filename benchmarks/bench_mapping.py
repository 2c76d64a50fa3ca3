"""``make bench-mapping``: how much of public HL7 v2 messages and CDA documents arrives in FHIR, and is it valid.

Converts the public pairs with ``cloister map convert``, scores the key facts of their expected bundles (recall,
"plausible" as the scorer defines it) by message type and by segment, and lets HAPI's validator judge every bundle.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from benchmarks.fhir_referee import RefereeUnavailableError, open_referee, tools_folder

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results"
DATA = Path(os.environ.get("CLOISTER_DATA", ROOT.parent / "shared" / "data"))
SETS = {"hl7v2": "hl7v2-to-fhir-pairs", "cda": "ccda-to-fhir-pairs"}
CLUTTER = ("Location", "Organization")
"""Types that the sum "core" leaves out: in these pairs they follow one project's own style."""


def main() -> None:
    scorer = tools_folder() / "score_key_facts.py"
    absent = [str(path) for path in (scorer, *(DATA / name for name in SETS.values())) if not path.exists()]
    if absent:
        sys.exit(f"not at hand: {', '.join(absent)}. Set CLOISTER_DATA and CLOISTER_TOOLS.")
    report: dict[str, Any] = {}
    for form, name in SETS.items():
        out = RESULTS / "mapping" / form
        convert(form, DATA / name, out)
        report[form] = {"recall": recall(load(scorer), DATA / name, out), "validator": judge(out)}
        print_set(form, report[form])
    (RESULTS / "mapping.json").write_text(json.dumps(report, indent=1, ensure_ascii=False), encoding="utf-8")


def convert(form: str, folder: Path, out: Path) -> None:
    """Convert all files of a set in one call of the command, from nothing."""
    shutil.rmtree(out, ignore_errors=True)
    program = Path(sys.executable).parent / "cloister"
    subprocess.run([program, "map", "convert", "--format", form, str(folder), "--out", str(out)], check=True)


def load(scorer: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("score_key_facts", scorer)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def recall(scorer: ModuleType, folder: Path, out: Path) -> dict[str, dict[str, list[int]]]:
    """``[found, facts]`` by group: project, message type, segment."""
    counts: dict[str, dict[str, list[int]]] = {
        name: defaultdict(lambda: [0, 0]) for name in ("project", "type", "segment")
    }
    for row in map(json.loads, (folder / "key_facts.jsonl").read_text(encoding="utf-8").splitlines()):
        source = row["source"]
        project = source.partition("/")[0]
        bundle, _ = scorer.load(str(out), source)
        text = (folder / source).read_text(encoding="utf-8", errors="replace")
        for fact in row["facts"]:
            found = bundle is not None and holds(bundle, fact)
            groups = [("project", f"{project} all"), ("type", scorer.msg_type(str(folder), source))]
            groups += [("project", f"{project} core")] * (fact["resource"] not in CLUTTER)
            groups += [("segment", name) for name in segments_with(text, str(fact["value"]))]
            for kind, key in groups:
                counts[kind][key][0] += found
                counts[kind][key][1] += 1
    return {kind: dict(sorted(groups.items())) for kind, groups in counts.items()}


def holds(bundle: Any, fact: Mapping[str, Any]) -> bool:
    named = fact["resource"], fact["path"], fact["value"]
    return bool(bundle.strict(*named) or bundle.plausible(*named))


def segments_with(text: str, value: str) -> set[str]:
    """Names of the segments in which a fact's value stands as it is; a fact may count for several."""
    return {line[:3] for line in text.splitlines() if line[3:4] == "|" and value in line}


def judge(out: Path) -> dict[str, Any]:
    """The validator's count of errors; ``{"skipped": why}`` where it cannot run."""
    files = sorted(path for path in out.rglob("*.json") if path.name != "ledger.json")
    resources = sum(len(json.loads(path.read_bytes())["entry"]) for path in files)
    try:
        issues = open_referee().issues(files)
    except RefereeUnavailableError as error:
        return {"resources": resources, "skipped": str(error)}
    return {"resources": resources, "errors": len(issues), "rules": dict(Counter(i.message_id for i in issues))}


def print_set(form: str, found: Mapping[str, Any]) -> None:
    print(f"\n{form}: recall of key facts")
    for kind in ("project", "type", "segment"):
        print(*table(kind, found["recall"][kind].items()), sep="\n")
    print(f"{form}: HAPI validator: {found['validator']}")


def table(kind: str, groups: Iterable[tuple[str, list[int]]]) -> Iterator[str]:
    yield f"  {'by ' + kind:<40} {'facts':>6} {'recall':>7}"
    for key, (hits, facts) in groups:
        yield f"  {key:<40} {facts:>6} {hits / facts:>7.3f}"
