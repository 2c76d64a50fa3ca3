"""What a model asks clinics to send along: prefetch templates made from the views it reads.

Resources that only the label needs (the diagnosis that is to be predicted) are not asked for.
"""

from __future__ import annotations

from contracts.model_card import ModelCard


def unit_resource(card: ModelCard) -> str:
    """Type of the resource that one prediction is for."""
    return str(card.views[card.features.unit.view]["resource"])


def prefetch_templates(card: ModelCard) -> dict[str, str]:
    """Templates by key: ``patient``, ``encounter`` by their id; others as searches below the unit."""
    spec = card.features
    files = [spec.unit.view, *(join.view for join in spec.join), *(pivot.view for pivot in spec.pivot)]
    types = sorted({str(card.views[file]["resource"]) for file in files} | {"Patient"})
    by_visit = unit_resource(card) == "Encounter"
    templates = {}
    for name in types:
        if name == "Patient":
            templates["patient"] = "Patient/{{context.patientId}}"
        elif name == "Encounter" and by_visit:
            templates["encounter"] = "Encounter/{{context.encounterId}}"
        else:
            scope = "encounter={{context.encounterId}}" if by_visit else "patient={{context.patientId}}"
            templates[f"{name[0].lower()}{name[1:]}s"] = f"{name}?{scope}"
    return templates
