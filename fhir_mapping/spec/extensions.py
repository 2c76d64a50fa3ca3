"""Extensions in specs are allow-listed by URL: each has its URL as a constant and a value of the type the list says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from contracts.fhir import Step
from fhir_mapping.deidentification import extension_type
from fhir_mapping.spec.expressions import Const, Expression


def extension_faults(
    resource: str, checked: Sequence[tuple[tuple[Step, ...], Expression]]
) -> Iterator[tuple[str, str]]:
    """``(path, what is wrong)`` for each path of a spec that leads into an extension it may not fill."""
    urls = {
        steps[:-1]: expression.const
        for steps, expression in checked
        if len(steps) > 1 and _is_extension(steps[-2]) and steps[-1].element.name == "url"
        if isinstance(expression, Const)
    }
    for steps, _ in checked:
        place = next((number for number, step in enumerate(steps) if _is_extension(step)), None)
        if place is None:
            continue
        owner = ".".join([resource, *(step.element.name for step in steps[:place])])
        words = _fault(urls.get(steps[: place + 1]), owner, [step.element.name for step in steps[place + 1 :]])
        if words is not None:
            yield ".".join(map(str, steps)), words


def _fault(url: object, owner: str, below: Sequence[str]) -> str | None:
    if not isinstance(url, str):
        return 'give its url as a constant: { const = "http://..." }'
    allowed = extension_type(url, owner)
    if allowed is None:
        return f"{url} is not on the allow-list of extensions of {owner}; see docs/reference/de-identification.md"
    if below and below[0] not in ("url", f"value{allowed}"):
        return f"{url} has a value{allowed}"
    return None


def _is_extension(step: Step) -> bool:
    return step.element.type == "Extension"
