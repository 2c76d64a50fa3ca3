from pathlib import Path

import pytest
from gateway_region import SERVICE, release

from gateway.cards import hint_cards
from gateway.models import Offer, load_offers
from gateway.prefetch import prefetch_templates


@pytest.fixture
def offer(tmp_path: Path) -> Offer:
    registry, authority = release(tmp_path)
    return load_offers(registry, authority)["triage"]


def test_hints_are_ranked_cut_and_named(offer: Offer) -> None:
    (card,) = hint_cards(offer, {"07": 0.25, "03.01": 0.7, "13": 0.05}, ())
    assert card["extension"]["cloister.hints"] == [
        {"code": "03.01", "display": "呼吸内科", "probability": 0.7},
        {"code": "07", "display": "07", "probability": 0.25},
    ]
    assert card["summary"] == "分诊建议: 呼吸内科 70%, 07 25%"


def test_equal_probabilities_have_one_order(offer: Offer) -> None:
    (card,) = hint_cards(offer, {"13": 0.5, "07": 0.5}, ())
    assert [hint["code"] for hint in card["extension"]["cloister.hints"]] == ["07", "13"]


def test_certainty_is_not_claimed(offer: Offer) -> None:
    (card,) = hint_cards(offer, {"07": 0.9991, "13": 0.0009}, ())
    assert card["summary"].endswith("07 >99%, 13 <1%")


def test_each_card_has_an_identifier_of_its_own_and_a_short_summary(offer: Offer) -> None:
    cards = hint_cards(offer, {"07": 1.0}, [f"a_rather_long_input_{n}" for n in range(20)])
    assert len({card["uuid"] for card in cards}) == 2
    assert all(len(card["summary"]) < 140 for card in cards)


def test_prefetch_of_a_patient_model_searches_by_patient(offer: Offer) -> None:
    card = offer.model.card
    spec = card.features.model_copy(update={"unit": card.features.unit.model_copy(update={"view": "patients.json"})})
    changed = card.model_copy(update={"features": spec, "service": SERVICE})
    assert prefetch_templates(changed) == {"patient": "Patient/{{context.patientId}}"}
