"""Where elements stand: ``/ClinicalDocument/component/section[2]``, without any value."""

from __future__ import annotations

from collections import Counter

from fhir_mapping.cda.element import Element, local_name


class Paths:
    """Paths of one document; the children of a parent are counted once, however many of them have a problem."""

    def __init__(self) -> None:
        self._steps: dict[Element, dict[Element, str]] = {}

    def of(self, element: Element | None) -> str:
        """The path of an element from its root; positions are told where a name stands more than once."""
        steps: list[str] = []
        while element is not None:
            above = element.getparent()
            steps.append(local_name(element) if above is None else self._among(above)[element])
            element = above
        return "/" + "/".join(reversed(steps))

    def _among(self, parent: Element) -> dict[Element, str]:
        if parent not in self._steps:
            total = Counter(local_name(one) for one in parent)
            seen: Counter[str] = Counter()
            named = {}
            for one in parent:
                name = local_name(one)
                seen[name] += 1
                named[one] = f"{name}[{seen[name]}]" if total[name] > 1 else name
            self._steps[parent] = named
        return self._steps[parent]
