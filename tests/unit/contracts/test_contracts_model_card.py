"""A card is whole or refused, and has one byte form."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError
from small_models import CLASSES, VIEWS, small_card

from contracts.errors import SpecError
from contracts.model_card import BILATERAL, parse_card, run_caveats


def test_a_card_reads_back_from_its_bytes_with_the_same_digest() -> None:
    card = small_card()
    assert parse_card(card.to_bytes()) == card
    assert parse_card(card.to_bytes()).digest == card.digest


def test_any_other_fact_is_another_digest() -> None:
    assert len({small_card().digest, small_card(rounds=13).digest, small_card(purpose="other").digest}) == 3


def test_a_card_says_what_a_record_must_give() -> None:
    card = small_card()
    assert [(one.name, one.kind, one.levels, one.unit) for one in card.inputs] == [
        ("chief_complaint", "text", (), None),
        ("age", "number", (), "a"),
        ("sex", "category", ("male", "female"), None),
    ]
    assert card.sites == ("east", "north")
    assert [card.class_name(code) for code in CLASSES] == ["呼吸内科", "07", "13"]


@pytest.mark.parametrize(
    "changed",
    [
        {"views": {"visits.json": VIEWS["visits.json"]}},
        {"classes": ("03.01", "unheard")},
        {"weights": "abc"},
        {"unknown": 1},
        {"metrics": {"accuracy": object()}},
    ],
)
def test_a_card_that_is_not_whole_is_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        small_card(**changed)


def test_bytes_that_are_no_card_are_named() -> None:
    with pytest.raises(SpecError, match="model card"):
        parse_card(b"{}")


def test_a_model_of_two_sites_says_that_each_knows_the_others_sums() -> None:
    assert run_caveats(("east", "west")) == (BILATERAL,)
    assert run_caveats(("east", "north", "west")) == ()
