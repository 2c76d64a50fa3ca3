import numpy as np
import pytest
from program_tasks import objects

from contracts.encoder import DenseFeature, Encoder, TextCode, linear_scores, probabilities
from contracts.errors import UsageError
from contracts.text import bucket

DENSE = (
    DenseFeature(input="age", kind="number", mean=50.0, scale=0.1),
    DenseFeature(input="age", kind="missing", mean=0.2, scale=2.5),
    DenseFeature(input="sex", kind="level", level="male", mean=0.5, scale=2.0),
)
SELECTED = tuple(sorted(bucket(gram, 64, "complaint") for gram in ("痛", "痒")))
TEXT = TextCode(inputs=("complaint",), sizes=(1,), buckets=64, selected=SELECTED, weights=(1.0, 2.0))


def test_null_numbers_become_the_mean_and_are_marked():
    encoded = Encoder(dense=DENSE, max_abs=10.0).encode(
        {"age": np.array([60.0, np.nan]), "sex": objects(["male", None])}
    )
    assert encoded.dense == pytest.approx(np.array([[1.0, -0.5, 1.0], [0.0, 2.0, -1.0]]))


def test_values_far_out_are_clipped_and_counted():
    encoded = Encoder(dense=DENSE[:1], max_abs=3.0).encode({"age": np.array([1000.0, 55.0])})
    assert encoded.dense[:, 0].tolist() == [3.0, 0.5] and encoded.clipped == 1


def test_a_text_becomes_weighted_buckets_of_norm_one_and_unknown_ngrams_nothing():
    encoded = Encoder(dense=(), text=TEXT, max_abs=10.0).encode({"complaint": objects(["痛痒", None, "咳"])})
    assert encoded.indptr.tolist() == [0, 2, 2, 2]
    assert encoded.values == pytest.approx(np.array([1.0, 2.0]) / 5**0.5)


def test_an_encoder_survives_json():
    encoder = Encoder(dense=DENSE, text=TEXT, max_abs=10.0)
    assert Encoder.model_validate_json(encoder.model_dump_json()) == encoder
    assert encoder.inputs == ("age", "sex", "complaint") and encoder.size == 5


def test_a_missing_column_is_named():
    with pytest.raises(UsageError, match="inputs missing: sex"):
        Encoder(dense=DENSE, max_abs=10.0).encode({"age": np.array([1.0])})


def test_scores_equal_the_dense_product_with_both_parts():
    encoder = Encoder(dense=DENSE, text=TEXT, max_abs=10.0)
    columns = {
        "age": np.array([40.0, 70.0]),
        "sex": objects(["male", "female"]),
        "complaint": objects(["痒痒痛", "痒"]),
    }
    encoded = encoder.encode(columns)
    coef, intercept = np.arange(10.0).reshape(2, 5), np.array([0.5, -0.5])
    text = np.zeros((2, 2))
    for row in range(2):
        at = slice(encoded.indptr[row], encoded.indptr[row + 1])
        text[row, encoded.indices[at]] = encoded.values[at]
    expected = np.hstack([encoded.dense, text]) @ coef.T + intercept
    assert linear_scores(encoded, coef, intercept) == pytest.approx(expected)


@pytest.mark.parametrize("scores", [[[0.0]], [[800.0]], [[1.0, 2.0, -900.0]]])
def test_probabilities_sum_to_one_for_any_score(scores):
    found = probabilities(np.array(scores))
    assert found.sum(axis=1) == pytest.approx(1.0) and found.shape[1] == max(2, len(scores[0]))
