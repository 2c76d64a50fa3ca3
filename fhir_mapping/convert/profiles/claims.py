"""Whether a resource has all that a profile demands; only then its ``meta.profile`` says so."""

from __future__ import annotations

from fhir_mapping.convert.invariant import Scope, compile_rule
from fhir_mapping.convert.options import Version
from fhir_mapping.convert.profiles.data import china, profile
from fhir_mapping.document import Resource


def missing(body: Resource, version: Version) -> list[str]:
    """Names of the mandatory elements of its profile that a resource lacks; none for types without a profile."""
    rules = profile(str(body["resourceType"]), version)
    if rules is None:
        return []
    scope = Scope(body, body)
    tests = ((name, compile_rule(text)) for name, text in rules.mandatory.items())
    return [name for name, holds in tests if holds is None or not holds(body, scope)]


def with_claims(body: Resource, version: Version) -> Resource:
    """The resource claiming its profile when it meets it; a claim that it does not meet is taken away."""
    rules = profile(str(body["resourceType"]), version)
    if rules is None:
        return body
    ours = {row["canonical"] for row in china()["profile"]}
    meta = dict(body.get("meta", {}))
    claims = [one for one in meta.pop("profile", []) if one not in ours]
    claims += [] if missing(body, version) else [rules.canonical]
    if claims:
        meta["profile"] = claims
    rest = {name: value for name, value in body.items() if name not in ("resourceType", "id", "meta")}
    head = {"resourceType": body["resourceType"], "id": body["id"]}
    return {**head, **({"meta": meta} if meta else {}), **rest}
