"""One request scored in plain Python."""

from __future__ import annotations

import pytest
from small_models import CLASSES, WORDS, released_model

from contracts.errors import DataError
from registry.predict import missing_inputs, predict
from registry.store import Model


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return released_model(tmp_path_factory.mktemp("registry"))[0]


@pytest.mark.parametrize("code", CLASSES)
def test_the_class_whose_words_are_said_is_the_most_probable(model: Model, code: str) -> None:
    found = predict(model, {"chief_complaint": WORDS[code], "age": 8 if code == "07" else 50})
    assert tuple(found) == CLASSES
    assert max(found, key=found.__getitem__) == code
    assert sum(found.values()) == pytest.approx(1.0)


def test_full_width_digits_and_numbers_as_text_are_the_same_request(model: Model) -> None:
    asked = {"chief_complaint": " 咳嗽　3天", "age": "４２", "sex": "male"}
    same = {"chief_complaint": "咳嗽 ３天", "age": 42, "sex": "male"}
    assert predict(model, asked) == predict(model, same)


def test_an_implausible_age_counts_as_missing_like_in_training(model: Model) -> None:
    asked = {"chief_complaint": "咳嗽"}
    assert predict(model, {**asked, "age": 400}) == predict(model, asked)
    assert missing_inputs(model, {**asked, "age": 400, "sex": "男"}) == ("age", "sex")


@pytest.mark.parametrize("age", ["old", "1_0", "nan", "1e400", "9" * 50, True, [1], 10**400])
def test_an_age_that_is_no_number_is_an_error_without_the_value(model: Model, age: object) -> None:
    with pytest.raises(DataError, match="age") as caught:
        predict(model, {"chief_complaint": "咳嗽", "age": age})
    assert str(age) not in str(caught.value)


def test_a_request_with_nothing_in_it_is_an_error(model: Model) -> None:
    with pytest.raises(DataError, match="no input"):
        predict(model, {"chief_complaint": " 无", "age": None, "sex": ""})


def test_a_complaint_that_is_no_text_is_an_error(model: Model) -> None:
    with pytest.raises(DataError, match="chief_complaint"):
        predict(model, {"chief_complaint": {"text": "咳嗽"}})
