"""Public message and bundle pairs: how much of what they expect is found, and whether all of it is valid FHIR."""

import importlib.util
import json
import os
import re
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from fhir.resources.R4B import get_fhir_model_class

from contracts.fhir.json_text import dumps
from fhir_mapping.document import Resource
from fhir_mapping.hl7v2 import convert_message, split_messages

ROOT = Path(__file__).parents[3]
SHARED = Path(os.environ.get("CLOISTER_DATA", ROOT.parent / "shared" / "data"))
PAIRS = SHARED / "hl7v2-to-fhir-pairs"
SCORER = SHARED.parent / "tools" / "score_key_facts.py"
pytestmark = pytest.mark.skipif(not PAIRS.is_dir(), reason=f"no message pairs at {PAIRS}; set CLOISTER_DATA")
_FLOORS = {("fhir-converter", "core"): 0.97, ("fhir-converter", "all"): 0.93, ("reportstream", "core"): 0.97,
           ("reportstream", "all"): 0.95}  # fmt: skip


@cache
def converted() -> dict[str, list[Resource]]:
    """The resources of every pair's message by source."""
    found: dict[str, list[Resource]] = {}
    for line in (PAIRS / "key_facts.jsonl").read_text("utf-8").splitlines():
        source = json.loads(line)["source"]
        resources: list[Any] = []
        for item in split_messages((PAIRS / source).read_bytes()):
            assert item.error is None, source
            resources += convert_message(item.text).resources
        found[source] = json.loads(dumps(resources))
    return found


def _scorer() -> ModuleType:
    specification = importlib.util.spec_from_file_location("score_key_facts", SCORER)
    assert specification and specification.loader
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.mark.skipif(not SCORER.is_file(), reason=f"no scorer at {SCORER}")
def test_the_expected_facts_are_found():
    scorer, found, facts = _scorer(), Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    for line in (PAIRS / "key_facts.jsonl").read_text("utf-8").splitlines():
        row = json.loads(line)
        bundle, project = scorer.Bundle(converted()[row["source"]]), row["source"].split("/")[0]
        for fact in row["facts"]:
            key = (fact["resource"], fact["path"], fact["value"])
            hit = bundle.strict(*key) or bundle.plausible(*key)
            kinds = ("all",) if fact["resource"] in ("Location", "Organization") else ("all", "core")
            for kind in kinds:
                facts[project, kind] += 1
                found[project, kind] += hit
    recall = {key: found[key] / facts[key] for key in facts}
    assert all(recall[key] >= floor for key, floor in _FLOORS.items()), recall


def test_all_of_it_is_valid_fhir():
    faults: dict[str, int] = defaultdict(int)
    seen: set[str] = set()
    for resources in converted().values():
        for resource in resources:
            text = json.dumps(resource, sort_keys=True)
            if text in seen:
                continue
            seen.add(text)
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    get_fhir_model_class(resource["resourceType"]).model_validate(resource)
            except ValueError as error:
                faults[f"{resource['resourceType']}: {error}"[:300]] += 1
    assert not faults


def test_references_lead_to_resources_of_the_same_message():
    def references(node: object) -> list[str]:
        if isinstance(node, dict):
            own = [node["reference"]] if isinstance(node.get("reference"), str) else []
            return own + [r for value in node.values() for r in references(value)]
        return [r for item in node for r in references(item)] if isinstance(node, list) else []

    for source, resources in converted().items():
        known = [f"{r['resourceType']}/{r['id']}" for r in resources]
        assert len(known) == len(set(known)), source
        assert set(references(resources)) <= set(known), source


def test_line_ends_and_a_second_run_change_nothing():
    for source in list(converted())[::20]:
        data = (PAIRS / source).read_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r")
        again = [r for item in split_messages(data) for r in convert_message(item.text).resources]
        # Provenance and header carry the text of their segment in their id, the rest is told by its content.
        assert json.loads(dumps(again)) == converted()[source]


_OID = re.compile(r"\d+(?:\.\d+){4,}")
_SINGLE = {"Device", "Location", "Medication", "Organization", "Patient", "Practitioner", "PractitionerRole"}


def _inside(node: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    yield name, node
    for key, value in node.items() if isinstance(node, dict) else ():
        yield from _inside(value, key)
    for value in node if isinstance(node, list) else ():
        yield from _inside(value, name)


def test_nothing_is_said_twice_and_no_name_or_system_is_a_bare_oid():
    wrong: list[tuple[str, str, Any]] = []
    for source, resources in converted().items():
        seen: set[str] = set()
        for resource in resources:
            content = dumps({k: v for k, v in resource.items() if k != "id"}).decode()
            if resource["resourceType"] in _SINGLE and content in seen:
                wrong.append((source, "twice", content))
            seen.add(content)
            numbers = [(i.get("system"), i["value"]) for i in _listed(resource.get("identifier")) if "system" in i]
            if resource["resourceType"] == "Patient" and len(set(numbers)) < len(numbers):
                wrong.append((source, "number twice", numbers))
            for name, node in _inside(resource):
                if name == "name" and isinstance(node, str) and _OID.fullmatch(node):
                    wrong.append((source, "name", node))
                if name == "system" and node in ("urn:oid:2.16.840.1.113883.4.6", "urn:oid:2.16.840.1.113883.6.1"):
                    wrong.append((source, "system", node))
                if isinstance(node, dict) and name.endswith("Quantity") and not node.keys() & {"value", "extension"}:
                    wrong.append((source, "amount", node))
                if node in ({}, [], ""):
                    wrong.append((source, "empty", name))
    assert not wrong


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
