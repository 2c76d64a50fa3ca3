import numpy as np
import pytest

from contracts.text import bucket, count_buckets, inverse_patient_frequency, log_frequency, ngrams, normalise_text


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        ("发热３天，咳嗽。", "发热3天 咳嗽"),
        ("  ＣＲＰ\t升高\n（120 mg/L） ", "crp 升高 120 mg l"),
        ("头_痛--头晕", "头 痛 头晕"),
        ("。！？", ""),
    ],
)
def test_full_width_case_and_punctuation_do_not_matter(written, normal):
    assert normalise_text(written) == normal


def test_ngrams_see_where_words_begin_and_end_but_never_a_lone_space():
    assert ngrams("咳 痰", (1, 2)) == ["咳", "痰", " 咳", "咳 ", " 痰", "痰 "]
    assert ngrams("", (1, 2)) == []


def test_bucket_numbers_never_change_between_versions():
    assert bucket("咳嗽", 32768, "chief_complaint") == 2394
    assert [bucket(gram, 65536) for gram in ("咳", "咳嗽", " 痛", "𠮷")] == [39613, 59536, 8257, 11821]


def test_the_same_ngram_of_two_inputs_is_two_features():
    assert bucket("痛", 2**40, "complaint") != bucket("痛", 2**40, "history")


def test_buckets_are_counted_by_row_over_all_text_inputs():
    columns = {"a": np.array(["痛痛痒", None, "痒"], object), "b": np.array([None, "痛", ""], object)}
    found = count_buckets(columns, ("a", "b"), (1,), 1 << 30)
    pairs = dict(zip(zip(found.row.tolist(), found.bucket.tolist(), strict=True), found.times.tolist(), strict=True))
    ache, itch, other = (bucket("痛", 1 << 30, "a"), bucket("痒", 1 << 30, "a"), bucket("痛", 1 << 30, "b"))
    assert pairs == {(0, ache): 2.0, (0, itch): 1.0, (1, other): 1.0, (2, itch): 1.0}


def test_no_text_has_no_buckets():
    assert all(part.size == 0 for part in count_buckets({"a": np.array([None], object)}, ("a",), (1, 2), 16))
    assert all(part.size == 0 for part in count_buckets({}, (), (1, 2), 16))


def test_weights_fall_with_frequency_and_grow_slowly_with_repetition():
    assert log_frequency(np.array([1.0, np.e])).tolist() == [1.0, 2.0]
    assert inverse_patient_frequency(np.array([99.0]), 99.0).tolist() == [1.0]
    assert np.diff(inverse_patient_frequency(np.array([10, 50, 90]), 100.0)).max() < 0
