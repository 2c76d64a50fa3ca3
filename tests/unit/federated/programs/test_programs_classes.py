import numpy as np
import pytest

from contracts.errors import DataError
from federated.programs.classes import class_weights, known_classes, learning_order, levels, training_targets

CODES = ("03", "03.01", "03.02", "13")


def test_depth_counts_levels_not_letters():
    assert [levels(code) for code in ("03", "03.02", "50.01.2", "R-12", "1234")] == [1, 2, 3, 2, 1]


@pytest.mark.parametrize(
    ("carried", "learnt"),
    [(("03", "03.01"), "03.01"), (("03.01", "03.02"), "03.02"), (("03", "13"), "13"), (("03",), "03")],
)
def test_a_record_learns_its_deepest_then_rarest_code(carried, learnt):
    counts = np.array([100, 50, 20, 30])
    carries = np.array([[code in carried for code in CODES]])
    everything = np.arange(4)
    assert CODES[training_targets(carries, everything, learning_order(CODES, counts))[0]] == learnt


def test_a_code_that_is_no_known_class_is_never_learnt():
    carries = np.array([[True, True, False, False], [False, True, False, False]])
    target = training_targets(carries, np.array([0, 3]), learning_order(CODES, np.array([9, 1, 9, 9])))
    assert target.tolist() == [0, -1]


def test_classes_carried_by_too_few_records_are_not_known():
    assert known_classes(CODES, np.array([10, 9, 11, 12]), 10).tolist() == [0, 2, 3]
    with pytest.raises(DataError, match="1 of 4 classes"):
        known_classes(CODES, np.array([10, 0, 0, 0]), 10)


@pytest.mark.parametrize("exponent", [0.0, 0.5, 1.0])
def test_class_weights_have_mean_one_over_rows(exponent):
    counts = np.array([90.0, 10.0, 0.0])
    weights = class_weights(counts, exponent)
    assert weights @ counts == pytest.approx(100.0) and weights[2] == 0.0
    assert weights[1] / weights[0] == pytest.approx(9.0**exponent)
