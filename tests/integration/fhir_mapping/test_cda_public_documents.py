"""Public C-CDA documents: recall of their key facts, validity, references that lead somewhere, one id once."""

from __future__ import annotations

import importlib.util
import json
import os
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from contracts.fhir.json_text import dumps
from fhir_mapping.cda import convert_document
from fhir_mapping.document import Converted, RecordError

ROOT = Path(__file__).resolve().parents[3]
DATA = Path(os.environ.get("CLOISTER_DATA", ROOT.parent / "shared" / "data"))
TOOLS = Path(os.environ.get("CLOISTER_TOOLS", DATA.parent / "tools"))
PAIRS = DATA / "ccda-to-fhir-pairs"
SCORER = TOOLS / "score_key_facts.py"
needs_pairs = pytest.mark.skipif(not PAIRS.is_dir(), reason=f"no C-CDA documents at {PAIRS}; set CLOISTER_DATA")
needs_scorer = pytest.mark.skipif(not SCORER.is_file(), reason=f"no scorer at {SCORER}; set CLOISTER_TOOLS")


@pytest.fixture(scope="module")
def converted() -> dict[str, Converted]:
    """Every public file that is understood, by its path."""
    found = {}
    for path in sorted(PAIRS.rglob("*.xml")):
        try:
            found[path.relative_to(PAIRS).as_posix()] = convert_document(path.read_bytes())
        except RecordError:
            continue
    return found


def scorer() -> ModuleType:
    spec = importlib.util.spec_from_file_location("score_key_facts", SCORER)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("reference"), str):
            yield node["reference"]
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


@needs_pairs
@needs_scorer
def test_the_key_facts_of_the_pairs_are_found(converted):
    bundle_of = scorer().Bundle
    found = wanted = 0
    for line in (PAIRS / "key_facts.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        bundle = bundle_of(json.loads(dumps(list(converted[row["source"]].resources))))
        for fact in row["facts"]:
            told = (fact["resource"], fact["path"], fact["value"])
            wanted += 1
            found += bundle.strict(*told) or bundle.plausible(*told)
    assert found / wanted >= 0.96


@needs_pairs
def test_nearly_every_public_fragment_is_understood(converted):
    assert len(converted) >= 0.9 * len(list(PAIRS.rglob("*.xml")))


@needs_pairs
def test_every_resource_is_valid(converted):
    faults = []
    for name, one in converted.items():
        for resource in json.loads(dumps(list(one.resources))):
            kind = resource["resourceType"]
            model = getattr(import_module(f"fhir.resources.R4B.{kind.lower()}"), kind)
            try:
                model.model_validate(resource)
            except ValueError as fault:
                faults.append((name, kind, str(fault)[:200]))
    assert faults == []


@needs_pairs
def test_references_lead_to_resources_of_the_document(converted):
    for name, one in converted.items():
        ids = [f"{resource['resourceType']}/{resource['id']}" for resource in one.resources]
        assert len(set(ids)) == len(ids), name
        assert all(target in ids for resource in one.resources for target in references(resource)), name


@needs_pairs
def test_no_resource_is_there_twice(converted):
    for name, one in converted.items():
        bodies = [dumps({k: v for k, v in resource.items() if k != "id"}) for resource in one.resources]
        assert len(set(bodies)) == len(bodies), name


@needs_pairs
def test_equal_bytes_give_equal_resources(converted):
    for name in list(converted)[:20]:
        assert convert_document((PAIRS / name).read_bytes()) == converted[name]


@needs_pairs
def test_the_document_itself_is_in_no_attachment(converted):
    for name, one in converted.items():
        raw = (PAIRS / name).read_bytes()
        for resource in one.resources:
            for part in resource.get("content", ()) if resource["resourceType"] == "DocumentReference" else ():
                assert len(part["attachment"].get("data", "")) < len(raw), name
