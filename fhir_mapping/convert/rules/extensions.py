"""Extensions that HL7 defines: their places, the types of their values, their parts."""

from __future__ import annotations

from typing import Any

from fhir_mapping.convert.definitions.reader import ExtensionRule, Type
from fhir_mapping.convert.primitives import is_absolute
from fhir_mapping.convert.rules.context import Context, plain


def allowed_extensions(ctx: Context, extensions: Any, type: Type, path: str, places: tuple[str, ...]) -> Any:
    """Extensions without those whose URL, place or value HL7's definition of them forbids."""
    if not isinstance(extensions, list):
        return extensions
    rules = [_broken_rule(ctx, one, type, path, places) for one in extensions]
    for rule in rules:
        if rule:
            ctx.fault(rule, f"{path}.extension")
    return [one for one, rule in zip(extensions, rules, strict=True) if rule is None] if any(rules) else extensions


def _broken_rule(ctx: Context, extension: Any, type: Type, path: str, places: tuple[str, ...]) -> str | None:
    url = extension.get("url") if isinstance(extension, dict) else None
    if not isinstance(url, str):
        return None
    if type.name != "Extension" and not is_absolute(url):
        return "relative_url"
    rule = ctx.known.extensions.get(url)
    if rule is None:
        return None
    here = {*places, type.name, plain(path), "Element"}
    if rule.places is not None and not here & rule.places:
        return "extension_place"
    value = next((name[5:] for name in extension if name.startswith("value")), None)
    if value is not None:
        kinds = {kind[0].upper() + kind[1:] for kind in rule.types or ()}
        if value not in kinds:
            return "extension_type"
        if rule.codes and value == "Code" and not ctx.is_coded(rule.codes, None, extension["valueCode"]):
            return "not_in_binding"
    if value is not None or rule.types is not None:
        return None if rule.types is not None else "extension_type"
    return None if _has_parts(extension.get("extension"), rule) else "extension_parts"


def _has_parts(parts: Any, rule: ExtensionRule) -> bool:
    """Whether an extension of parts holds those it must, and no others."""
    if not rule.parts or not isinstance(parts, list):
        return True
    urls = [str(part.get("url")) if isinstance(part, dict) else "" for part in parts]
    needed = [url for url, (minimum, _) in rule.parts.items() if minimum]
    if not set(urls) <= set(rule.parts) or not set(needed) <= set(urls):
        return False
    for part, url in zip(parts, urls, strict=True):
        value = next((name[5:] for name in part if name.startswith("value")), None)
        kinds = {kind[:1].upper() + kind[1:] for kind in rule.parts[url][1]}
        if value is not None and value not in kinds:
            return False
    return True
