"""The released models that the gateway serves: loaded and checked once, when it starts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from contracts.errors import UsageError
from contracts.region import Service
from gateway.prefetch import prefetch_templates, unit_resource
from registry.release import CURRENT
from registry.store import WITHDRAWN, Model, load_model


@dataclass(frozen=True)
class Offer:
    """One service: a model and how it is offered.

    Attributes:
        unit: resource type of what is predicted for: ``Encounter`` or ``Patient``.
        prefetch: templates by key, see ``gateway.prefetch``.
        folder: the model's own, where its withdrawal would be marked.
    """

    service: Service
    model: Model
    unit: str
    prefetch: Mapping[str, str]
    folder: Path

    @property
    def is_withdrawn(self) -> bool:
        """Whether the model was withdrawn since the gateway started."""
        return (self.folder / WITHDRAWN).exists()


def load_offers(registry: Path, trusted: str) -> dict[str, Offer]:
    """The current model of each task that is offered as a service, by service id.

    Raises:
        UsageError: there is none, or two claim one service id.
        ModelSignatureError: one is unsigned, altered or foreign; then none is served.
    """
    offers: dict[str, Offer] = {}
    for link in sorted(registry.glob(f"*/{CURRENT}")):
        folder = link.resolve()
        model = load_model(folder, trusted)
        service = model.card.service
        if service is None:
            continue
        if service.id in offers:
            raise UsageError(f"two released models are offered as '{service.id}'; withdraw one of them")
        unit = unit_resource(model.card)
        offers[service.id] = Offer(service, model, unit, prefetch_templates(model.card), folder)
    if not offers:
        raise UsageError(f"no released model with a [service] in {registry}. Release one first: see 'cloister run'.")
    return offers
