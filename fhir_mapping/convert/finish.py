"""The last steps of every resource before it is written: checks, pseudonyms, profile, the other FHIR version."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from fhir_mapping.convert.check import checker
from fhir_mapping.convert.models import model_faults
from fhir_mapping.convert.options import Options, Version
from fhir_mapping.convert.outcome import Finished
from fhir_mapping.convert.versions import to_r5
from fhir_mapping.document import Problem, Resource

_ROUNDS = 8
"""Times a resource may be mended after fhir.resources; each round takes an element away."""


def finish(resources: Sequence[Resource], options: Options, *, is_foreign: bool) -> Finished:
    """Make the resources of one record ready.

    Args:
        is_foreign: they came as FHIR or of one row of a table: a reference to what is not among them may be right.

    Returns:
        Resources that keep to FHIR's rules by our own check and by fhir.resources; the faults of those that do not.
    """
    done = Finished([])
    kept = _checked_all(resources, "R4", done)
    if not is_foreign:
        kept = _without_dangling(kept, done)
    if options.key is not None:
        kept = _pseudonymous(kept, options.key, done, is_foreign=is_foreign)
    if options.profile == "cn":
        from fhir_mapping.convert.profiles.china import as_chinese

        is_identified = options.key is None
        kept = _checked_all(
            [as_chinese(body, options.fhir, with_identifiers=is_identified) for body in kept], "R4", done
        )
    if options.fhir == "R5":
        kept = [found for body in kept if (found := _as_r5(body, done)) is not None]
    if options.profile == "cn":
        from fhir_mapping.convert.profiles.claims import with_claims

        kept = [with_claims(body, options.fhir) for body in kept]
    done.resources.extend(kept)
    return done


def _pseudonymous(resources: list[Resource], key: bytes, done: Finished, *, is_foreign: bool) -> list[Resource]:
    from fhir_mapping.convert.pseudonyms import without_identity

    kept = _checked_all(without_identity(resources, key, done), "R4", done)
    return kept if is_foreign else _without_dangling(kept, done)


def _as_r5(body: Resource, done: Finished) -> Resource | None:
    problems: list[Problem] = []
    raised = to_r5(body, problems)
    if problems:
        done.faults.extend(problems)
        return None
    return _checked(raised, "R5", done)


def _checked_all(resources: Sequence[Resource], version: Version, done: Finished) -> list[Resource]:
    return [found for body in resources if (found := _checked(body, version, done)) is not None]


def _checked(body: Resource, version: Version, done: Finished) -> Resource | None:
    """A resource that our rules and fhir.resources both take; None when there is none, its fault noted."""
    rules = checker(version)
    found, problems = rules.clean(body)
    for _ in range(_ROUNDS):
        if found is None:
            break
        place = model_faults(found, version)
        if place is None:
            break
        problems.append(Problem("fhir_invalid", _label(found, place)))
        found, more = rules.clean(_pruned(found, place)) if place else (None, [])
        problems += more
    else:
        found = None
    if found is not None and not isinstance(found.get("id"), str):
        problems.append(Problem("required", f"{found['resourceType']}.id"))
        found = None
    if found is None:
        done.faults.append(problems[-1] if problems else Problem("unknown_resource", ""))
        problems = problems[:-1]
    done.problems.extend(problems)
    return found


def _label(body: Resource, place: Sequence[str | int]) -> str:
    parts = [f"[{part}]" if isinstance(part, int) else f".{part}" for part in place]
    return str(body["resourceType"]) + "".join(parts)


def _pruned(value: Any, place: Sequence[str | int]) -> Any:
    """A copy without what stands at a place, or without the deepest part of the way there that exists."""
    if not place:
        return None
    head, rest = place[0], place[1:]
    if isinstance(value, dict) and head in value:
        inner = _pruned(value[head], rest) if _leads_on(value[head], rest) else None
        return {k: (inner if k == head else v) for k, v in value.items() if k != head or inner is not None}
    if isinstance(value, list) and isinstance(head, int) and head < len(value):
        inner = _pruned(value[head], rest) if _leads_on(value[head], rest) else None
        return [inner if n == head else entry for n, entry in enumerate(value) if n != head or inner is not None]
    return None


def _leads_on(value: Any, place: Sequence[str | int]) -> bool:
    if not place:
        return False
    if isinstance(value, dict):
        return place[0] in value
    return isinstance(value, list) and isinstance(place[0], int) and place[0] < len(value)


def _without_dangling(resources: list[Resource], done: Finished) -> list[Resource]:
    """References to a resource that went, or never was, go too; and what cannot be without them."""
    while True:
        present = {f"{body['resourceType']}/{body['id']}" for body in resources}
        kept: list[Resource] = []
        is_changed = False
        for body in resources:
            places = list(_dangling(body, present, ()))
            if not places:
                kept.append(body)
                continue
            is_changed = True
            for place in reversed(places):
                done.problems.append(Problem("dangling_reference", _label(body, place)))
                body = _pruned(body, place)
            found = _checked(body, "R4", done)
            kept += [found] if found is not None else []
        resources = kept
        if not is_changed:
            return resources


def _dangling(value: Any, present: set[str], place: tuple[str | int, ...]) -> Iterable[tuple[str | int, ...]]:
    if isinstance(value, list):
        for number, entry in enumerate(value):
            yield from _dangling(entry, present, (*place, number))
    elif isinstance(value, dict):
        literal = value.get("reference")
        if isinstance(literal, str) and not literal.startswith("#") and ":" not in literal and literal not in present:
            yield (*place, "reference")
        for name, entry in value.items():
            if isinstance(entry, dict | list):
                yield from _dangling(entry, present, (*place, name))
