"""What a hospital may say about its deliveries: a closed list, coarse figures, no free text."""

from __future__ import annotations

from typing import get_args

import pytest
from pydantic import ValidationError

from contracts.operations import (
    OPERATIONS_MESSAGES,
    Held,
    OperationsMessage,
    Suspicion,
    SuspicionCode,
    figure,
    parse_operations_message,
    percent,
)
from contracts.wire import FrameError, canonical


def test_a_small_count_is_never_told() -> None:
    assert [figure(number) for number in (0, 1, 9, 10, 14, 15)] == [0, "under_ten", "under_ten", 10, 10, 20]


def test_a_share_is_not_told_when_it_or_the_rest_is_of_fewer_than_ten() -> None:
    assert [percent(*pair) for pair in ((0, 100), (9, 100), (91, 100), (10, 100), (90, 100), (5, 9))] == [
        *(0, None, None, 10, 90, None)
    ]


def test_an_exact_count_does_not_fit_a_message() -> None:
    with pytest.raises(ValidationError):
        Held(site="north", source="his__visit", rule="id_card", records=123)


@pytest.mark.parametrize("rule", ["张三", "free text with spaces", "rule\nline", "x" * 200])
def test_a_rule_that_is_no_name_does_not_fit_a_message(rule: str) -> None:
    with pytest.raises(ValidationError):
        Held(site="north", source=None, rule=rule, records=10)


def test_every_message_has_a_kind_on_the_list() -> None:
    assert set(get_args(OperationsMessage)) == set(OPERATIONS_MESSAGES.values())
    message = Suspicion(site="north", source=None, day="2026-03-02", code=SuspicionCode.ONE_SEX)
    assert parse_operations_message(canonical(message)) == message


@pytest.mark.parametrize("data", [b'{"kind":"row"}', b"[]", b"no json", b'{"kind":"held","site":"north","note":"x"}'])
def test_what_is_not_on_the_list_is_refused(data: bytes) -> None:
    with pytest.raises(FrameError):
        parse_operations_message(data)
