"""Makes the tables of this folder from FHIR's own published definitions.

    python -m fhir_mapping.convert.definitions.generate R4|R5 SOURCE... OUT

SOURCE: the definitions as XML bundles (R4: ``profiles-types.xml profiles-resources.xml valuesets.xml
v3-codesystems.xml v2-tables.xml``) or folders of JSON (R5: the unpacked packages ``hl7.fhir.r5.core`` and
``hl7.terminology``). Both are CC0, https://hl7.org/fhir/R4/downloads.html and https://hl7.org/fhir/R5/downloads.html.

The extensions that HL7 defines (R4: ``extension-definitions.xml``, R5: ``hl7.fhir.uv.extensions.r5``) belong to SOURCE.
Writes ``elements.txt`` (elements of every type), ``invariants.txt`` (constraints of severity error), ``codes.txt``
(value sets of required bindings, whole), ``systems.txt`` (code systems that FHIR publishes complete) and
``extensions.txt`` (where each of HL7's extensions may stand and what it holds).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lxml import etree

from contracts.errors import UsageError

_FHIR = "{http://hl7.org/fhir}"
_DEFINITION = "http://hl7.org/fhir/StructureDefinition/"
_GENERIC = ("ele-1", "ext-1")
"""Checked by construction: every element is looked at for a value, every extension for value or extensions."""
_LARGEST_SYSTEM = 4000


def _xml_value(node: Any) -> Any:
    """An XML element of FHIR as the JSON it would be: good enough for definitions (repeats become lists)."""
    if node.get("value") is not None and not len(node):
        return node.get("value")
    found: dict[str, Any] = {"id": [node.get("id")]} if node.get("id") else {}
    for child in node:
        if not isinstance(child.tag, str) or not child.tag.startswith(_FHIR) or child.tag == _FHIR + "text":
            continue
        found.setdefault(child.tag[len(_FHIR) :], []).append(_xml_value(child))
    return found


def _read(source: Path) -> Iterator[dict[str, Any]]:
    """Definitions as dicts in which every element is a list (both forms alike)."""
    if source.is_dir():
        for path in sorted(source.glob("*.json")):
            if path.name.startswith(("StructureDefinition-", "ValueSet-", "CodeSystem-")):
                yield _listed(json.loads(path.read_bytes()))
        return
    for resource in etree.parse(source).getroot().iterfind(f"{_FHIR}entry/{_FHIR}resource"):
        for body in resource:
            yield {"resourceType": [body.tag[len(_FHIR) :]], **_xml_value(body)}


def _listed(body: Any) -> Any:
    if not isinstance(body, dict):
        return body
    return {k: [_listed(v) for v in (value if isinstance(value, list) else [value])] for k, value in body.items()}


def _one(body: dict[str, Any], name: str, default: Any = None) -> Any:
    return body.get(name, [default])[0]


class Definitions:
    """All published definitions of one version, by canonical URL."""

    def __init__(self, sources: list[Path]) -> None:
        self.structures: dict[str, dict[str, Any]] = {}
        self.sets: dict[str, dict[str, Any]] = {}
        self.systems: dict[str, dict[str, Any]] = {}
        self.extensions: dict[str, dict[str, Any]] = {}
        for source in sources:
            for body in _read(source):
                kind, url = _one(body, "resourceType"), _one(body, "url")
                if kind == "StructureDefinition" and _one(body, "derivation", "specialization") == "specialization":
                    self.structures.setdefault(_one(body, "name"), body)
                elif kind == "StructureDefinition" and _one(body, "type") == "Extension":
                    self.extensions.setdefault(url, body)
                elif kind == "ValueSet":
                    self.sets.setdefault(url, body)
                elif kind == "CodeSystem":
                    self.systems.setdefault(url, body)

    def system_codes(self, url: str) -> list[str] | None:
        """Every code of a complete code system; None when it is not published whole."""
        body = self.systems.get(url)
        if body is None or _one(body, "content") != "complete":
            return None
        return list(_concepts(body.get("concept", ())))

    def set_codes(self, url: str) -> dict[str, list[str]] | None:
        """Codes of a value set by system; None when one of its parts is not listed."""
        body = self.sets.get(url.split("|")[0])
        if body is None:
            return None
        found: dict[str, list[str]] = {}
        compose = _one(body, "compose", {})
        for include in compose.get("include", ()):
            parts = self._included(include)
            if parts is None:
                return None
            for system, codes in parts.items():
                found.setdefault(system, []).extend(codes)
        for exclude in compose.get("exclude", ()):
            for system, codes in (self._included(exclude) or {}).items():
                found[system] = [code for code in found.get(system, ()) if code not in set(codes)]
        return found or None

    def _included(self, include: dict[str, Any]) -> dict[str, list[str]] | None:
        system = _one(include, "system")
        if system is None:
            sets = [self.set_codes(url) for url in include.get("valueSet", ())]
            return {s: codes for part in sets if part for s, codes in part.items()} if all(sets) else None
        if "concept" in include:
            return {system: [_one(concept, "code") for concept in include["concept"]]}
        body = self.systems.get(system)
        if body is None or _one(body, "content") != "complete":
            return None
        concepts = body.get("concept", [])
        for rule in include.get("filter", ()):
            concepts = list(_filtered(concepts, rule))
        return {system: list(_concepts(concepts, deep="filter" not in include))}


def _concepts(concepts: Any, *, deep: bool = True) -> Iterator[str]:
    for concept in concepts:
        yield _one(concept, "code")
        if deep:
            yield from _concepts(concept.get("concept", ()))


def _filtered(concepts: Any, rule: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """``is-a`` and ``descendent-of`` over nested concepts; other filters keep all (a wider list refuses nothing)."""
    root, operator = _one(rule, "value"), _one(rule, "op")
    for concept in _flat(concepts):
        if operator not in ("is-a", "descendent-of"):
            yield concept
        elif _one(concept, "code") == root:
            below = list(_flat(concept.get("concept", ())))
            yield from (below if operator == "descendent-of" else [concept, *below])


def _flat(concepts: Any) -> Iterator[dict[str, Any]]:
    for concept in concepts:
        yield concept
        yield from _flat(concept.get("concept", ()))


def _type_text(kind: dict[str, Any]) -> str:
    code = str(_one(kind, "code"))
    if code.startswith("http://hl7.org/fhirpath/System."):
        code = {"String": "string"}.get(code.rsplit(".", 1)[1], code.rsplit(".", 1)[1].lower())
        for extension in kind.get("extension", ()):
            code = str(_one(extension, "valueUrl") or _one(extension, "valueUri") or code)
    targets = [url.rsplit("/", 1)[1] for url in kind.get("targetProfile", ())]
    named = [target for target in targets if target != "Resource"]
    if any(url.endswith("/SimpleQuantity") for url in kind.get("profile", ())):
        named, code = ["SimpleQuantity"], "Quantity"
    return f"{code}({'|'.join(named)})" if named and code in ("Reference", "CodeableReference", "Quantity") else code


def _element_line(element: dict[str, Any], owner: str) -> tuple[str, str | None]:
    """The line of an element, and the value set of its required binding."""
    name = str(_one(element, "path"))[len(owner) + 1 :].strip()
    if "contentReference" in element:
        types = str(_one(element, "contentReference")).split("#")[1]
    else:
        kinds = [_type_text(kind) for kind in element.get("type", ())]
        types = ",".join(kinds)
        if types in ("BackboneElement", "Element"):
            types = str(_one(element, "path"))
    binding = _one(element, "binding", {})
    is_required = _one(binding, "strength") == "required"
    url = str(_one(binding, "valueSet") or _one(binding, "valueSetUri") or "") if is_required else ""
    suffix = f" ! {_set_name(url)}" if _set_name(url) else ""
    return f"  {name} {_one(element, 'min')}..{_one(element, 'max')} {types}{suffix}", url or None


def _set_name(url: str) -> str:
    return url.split("|")[0].rsplit("/", 1)[-1]


def write_tables(definitions: Definitions, out: Path) -> None:
    """Write the four tables of one FHIR version."""
    lines: list[str] = []
    rules: dict[str, None] = {}
    bindings: dict[str, None] = {}
    for name in sorted(definitions.structures):
        body = definitions.structures[name]
        if _one(body, "kind") not in ("resource", "complex-type", "primitive-type"):
            continue
        for element in _one(body, "snapshot", {}).get("element", ()):
            path = str(_one(element, "path"))
            for rule in element.get("constraint", ()):
                key = _one(rule, "key")
                source = str(_one(rule, "source", path)).removeprefix(_DEFINITION).split(".")[0]
                is_error = _one(rule, "severity") == "error" and key not in _GENERIC and "expression" in rule
                if is_error and source in (name, path):
                    expression = " ".join(str(_one(rule, "expression")).split())
                    rules[f"{path}\t{key}\t{expression}"] = None
    bodies = {name: body for name, body in definitions.structures.items()}
    for name in sorted(bodies):
        if _one(bodies[name], "kind") in ("resource", "complex-type"):
            _write_type(bodies[name], lines, bindings)
    (out / "elements.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (out / "invariants.txt").write_text("\n".join(rules) + "\n", encoding="utf-8")
    (out / "extensions.txt").write_text("".join(_extension_lines(definitions, bindings)), encoding="utf-8")
    (out / "codes.txt").write_text("".join(_set_lines(definitions, bindings)), encoding="utf-8")
    (out / "systems.txt").write_text("".join(_system_lines(definitions)), encoding="utf-8")


def _write_type(body: dict[str, Any], lines: list[str], bindings: dict[str, None]) -> None:
    elements = _one(body, "snapshot", {}).get("element", ())
    owners: dict[str, list[str]] = {}
    for element in elements[1:]:
        path = str(_one(element, "path"))
        owner = path.rsplit(".", 1)[0]
        line, binding = _element_line(element, owner)
        owners.setdefault(owner, []).append(line)
        if binding:
            bindings[binding] = None
    kind = "resource" if _one(body, "kind") == "resource" else "type"
    for owner, found in owners.items():
        lines.append(f"{owner} {kind if '.' not in owner else 'part'}")
        lines.extend(found)


def _set_lines(definitions: Definitions, bindings: dict[str, None]) -> Iterator[str]:
    for url in sorted(bindings):
        for system, codes in (definitions.set_codes(url) or {}).items():
            yield f"{_set_name(url)}\t{system}\t{' '.join(dict.fromkeys(codes))}\n"


def _extension_lines(definitions: Definitions, bindings: dict[str, None]) -> Iterator[str]:
    """URL, places (``*``: anywhere or not told by paths), types of its value (``-``: parts), value set, parts."""
    for url in sorted(definitions.extensions):
        body = definitions.extensions[url]
        contexts = [_one(context, "expression") for context in body.get("context", ())]
        is_plain = all(_one(context, "type") == "element" for context in body.get("context", ()))
        elements = _one(body, "snapshot", {}).get("element", ())
        value: dict[str, Any] = next((e for e in elements if str(_one(e, "path")).startswith("Extension.value")), {})
        is_simple = str(_one(value, "max", "0")) != "0"
        types = ",".join(str(_one(kind, "code")) for kind in value.get("type", ())) if is_simple else "-"
        binding = _one(value, "binding", {}) if is_simple else {}
        wanted = str(_one(binding, "valueSet") or "") if _one(binding, "strength") == "required" else ""
        if wanted:
            bindings[wanted] = None
        parts = " ".join(_extension_parts(elements)) if not is_simple else ""
        yield "\t".join([url, "|".join(contexts) if is_plain else "*", types, _set_name(wanted), parts]) + "\n"


def _extension_parts(elements: Any) -> Iterator[str]:
    """``url:minimum:types`` of each part that an extension of parts may hold."""
    by_id = {str(_one(element, "id", "")): element for element in elements}
    for name, element in by_id.items():
        if name.startswith("Extension.extension:") and name.count(".") == 1 and name.count(":") == 1:
            url = by_id.get(f"{name}.url", {})
            label = _one(url, "fixedUri") or name.split(":")[1]
            value = by_id.get(f"{name}.value[x]", {})
            types = ",".join(str(_one(kind, "code")) for kind in value.get("type", ()))
            yield f"{label}:{_one(element, 'min', 0)}:{types if str(_one(value, 'max', '0')) != '0' else ''}"


def _system_lines(definitions: Definitions) -> Iterator[str]:
    for url in sorted(definitions.systems):
        codes = definitions.system_codes(url)
        if codes and len(codes) <= _LARGEST_SYSTEM and not any("\t" in code for code in codes):
            yield f"{url}\t{chr(9).join(dict.fromkeys(codes))}\n"


def main(arguments: list[str]) -> None:
    """Command line, see the module."""
    if len(arguments) < 3:
        raise UsageError("expected: generate SOURCE... OUT")
    out = Path(arguments[-1])
    out.mkdir(parents=True, exist_ok=True)
    write_tables(Definitions([Path(source) for source in arguments[:-1]]), out)


if __name__ == "__main__":
    main(sys.argv[1:])
