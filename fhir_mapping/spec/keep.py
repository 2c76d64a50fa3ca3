"""Which elements of a spec a setting keeps: silver takes nothing that identifies, and free text only where allowed."""

from __future__ import annotations

from collections.abc import Sequence

from contracts.fhir import Step
from fhir_mapping.spec.check import Checked
from fhir_mapping.spec.expressions import Const, Expression, FirstOf, Lookup
from fhir_mapping.spec.model import Emit
from fhir_mapping.spec.plan import Setting


def keep_elements(emit: Emit, setting: Setting, checked: Sequence[Checked]) -> tuple[list[Checked], list[str]]:
    """The elements to compile, and the paths of those left out (``Patient.name[0].text``)."""
    kept: list[Checked] = []
    dropped: list[str] = []
    for steps, expression in checked:
        path = ".".join([emit.resource, *map(str, steps)])
        if not setting.identifying and any(step.element.is_identifying for step in steps):
            dropped.append(path)
            continue
        plain = free_text_path(emit.resource, steps)
        if setting.free_text is not None:
            if steps[-1].element.is_free_text and not _is_constant(expression) and plain not in setting.free_text:
                dropped.append(path)
                continue
            expression = _without_text(expression, f"{plain}.text", setting.free_text, dropped)
        kept.append((steps, expression))
    return kept, dropped


def free_text_path(resource: str, steps: Sequence[Step]) -> str:
    """A path without indices, as a region's ``free_text`` names it: ``Encounter.reasonCode.text``."""
    return ".".join([resource, *(step.element.name for step in steps)])


def _is_constant(expression: Expression) -> bool:
    return isinstance(expression, Const)


def _without_text(expression: Expression, path: str, allowed: frozenset[str], dropped: list[str]) -> Expression:
    """A lookup without its ``text`` column where that free text is not allowed."""
    if isinstance(expression, FirstOf):
        parts = tuple(_without_text(part, path, allowed, dropped) for part in expression.first_of)
        return expression.model_copy(update={"first_of": parts})
    if isinstance(expression, Lookup) and expression.text is not None and path not in allowed:
        dropped.append(path)
        return expression.model_copy(update={"text": None})
    return expression
