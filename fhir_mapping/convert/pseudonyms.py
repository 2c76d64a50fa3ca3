"""``--pseudonymous``: what of a record's resources silver would hold, by the same rules as inside a region."""

from __future__ import annotations

from collections.abc import Sequence

from fhir_mapping.convert.outcome import Finished
from fhir_mapping.deidentify import UNKNOWN_TYPE, deidentify
from fhir_mapping.document import Problem, Resource
from fhir_mapping.masking import Known, known_of

SITE = "convert"
"""Stands for the hospital in the keyed hash of an id: a conversion has no region that could name one."""

_PEOPLE = ("Patient", "RelatedPerson")


def without_identity(resources: Sequence[Resource], key: bytes, done: Finished) -> list[Resource]:
    """The resources of one record, each without what silver has no place for.

    Free text stays only beside the record's own Patient, whose names and numbers are masked in it: in a record that
    does not say whose it is, nobody could tell what to mask.
    """
    people = [known_of(body) for body in resources if body["resourceType"] in _PEOPLE]
    names = frozenset(name for person in people for name in person.names)
    known = Known(names, frozenset(number for person in people for number in person.numbers))
    free_text = None if any(body["resourceType"] == "Patient" for body in resources) else ()
    kept: list[Resource] = []
    for body in resources:
        made = deidentify(body, key, SITE, free_text=free_text, known=known)
        if made.refused == UNKNOWN_TYPE:
            done.problems.append(Problem("not_in_silver", str(body["resourceType"])))
        elif made.resource is None:
            done.faults.append(Problem(str(made.refused), str(body["resourceType"])))
        else:
            kept.append(made.resource)
        done.problems.extend(_dropped(path) for path, count in sorted(made.dropped.items()) for _ in range(count))
    return kept


def _dropped(path: str) -> Problem:
    """Element paths have no colon, URLs of extensions have one."""
    return Problem("unknown_extension" if ":" in path else "identifying_or_not_listed", path)
