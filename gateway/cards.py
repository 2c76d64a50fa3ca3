"""A prediction as CDS Hooks cards: ranked hints, their probabilities and the model's identity, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import uuid4

from gateway.models import Offer

SUMMARY_CHARACTERS = 139
"""CDS Hooks wants fewer than 140."""

Card = dict[str, Any]


def hint_cards(offer: Offer, probabilities: Mapping[str, float], missing: Sequence[str]) -> list[Card]:
    """One card with the ranking, and one that warns when inputs are missing.

    Args:
        probabilities: of each class, summing to 1.
        missing: names of inputs that the request did not carry.
    """
    ranked = sorted(probabilities.items(), key=lambda item: (-item[1], item[0]))[: offer.service.top]
    hints = [
        {"code": code, "display": offer.model.card.class_name(code), "probability": round(probability, 4)}
        for code, probability in ranked
    ]
    cards = [_card(offer, "info", _summary(offer, hints), {"cloister.hints": hints}, _table(hints))]
    if missing:
        text = f"{offer.service.title}: without {', '.join(missing)}; the ranking rests on what was sent."
        cards.append(_card(offer, "warning", text, {"cloister.missing": list(missing)}))
    return cards


def _card(offer: Offer, indicator: str, summary: str, extension: dict[str, Any], detail: str | None = None) -> Card:
    card = offer.model.card
    identity = {"task": card.task, "digest": offer.model.digest, "createdAt": card.created_at}
    return {
        "uuid": str(uuid4()),
        "summary": _short(summary),
        **({"detail": detail} if detail else {}),
        "indicator": indicator,
        "source": {"label": f"Cloister: {card.title} ({card.task} {offer.model.digest[:12]})"},
        "extension": {"cloister.model": identity, **extension},
    }


def _summary(offer: Offer, hints: Sequence[Mapping[str, Any]]) -> str:
    return f"{offer.service.title}: " + ", ".join(f"{hint['display']} {_percent(hint)}" for hint in hints)


def _table(hints: Sequence[Mapping[str, Any]]) -> str:
    rows = [f"| {at} | {hint['display']} | {hint['code']} | {_percent(hint)} |" for at, hint in enumerate(hints, 1)]
    return "\n".join(["| | | | |", "|---|---|---|---|", *rows])


def _percent(hint: Mapping[str, Any]) -> str:
    probability = hint["probability"]
    if probability < 0.01:  # no model knows 0 or 1
        return "<1%"
    return ">99%" if probability > 0.99 else f"{probability:.0%}"


def _short(text: str) -> str:
    return text if len(text) <= SUMMARY_CHARACTERS else text[: SUMMARY_CHARACTERS - 1] + "…"
