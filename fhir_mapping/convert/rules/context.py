"""What every rule needs of the resource at hand: the version's definitions, the root, where faults are told."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from fhir_mapping.convert.definitions.reader import Definitions
from fhir_mapping.convert.languages import sober_language
from fhir_mapping.document import Problem, Resource


@dataclass(frozen=True)
class Context:
    """One resource being checked.

    Attributes:
        known: definitions of its FHIR version.
        root: the whole resource, as it came.
        anchors: type by id of its contained resources.
        problems: faults so far.
    """

    known: Definitions
    root: Resource
    anchors: dict[str, str]
    problems: list[Problem] = field(default_factory=list)

    def fault(self, rule: str, path: str) -> None:
        """Note a fault."""
        self.problems.append(Problem(rule, path))

    def is_coded(self, name: str, system: Any, code: Any) -> bool:
        """Whether a value set has the code; ``system`` None: the element implies it. A set not listed has all."""
        systems = self.known.value_sets.get(name)
        if systems is None:
            return True
        if not isinstance(code, str):
            return False
        if system is None:
            return any(code in codes for codes in systems.values())
        return code in systems.get(system, ())

    def sober(self, text: str) -> str | None:
        """A language tag; HAPI's list of R5 has none with a script."""
        return sober_language(text, with_script=self.known.version == "R4")


def plain(path: str) -> str:
    """A path without indices."""
    return re.sub(r"\[\d+\]", "", path)
