import numpy as np
import pytest
from program_tasks import diagnosis_rows, diagnosis_task, make_task, objects, triage_rows, triage_task

from contracts.errors import DataError
from federated.programs.rows import read_sample
from federated.programs.splits import fold_of


def test_every_row_is_tested_once_a_seed_and_never_by_the_full_fit():
    sample = read_sample(diagnosis_rows(103, 1), diagnosis_task(folds=5, seeds=(0, 7)))
    assert sample.test.shape == (11, 103) and not sample.test[0].any()
    assert (sample.test[1:6].sum(axis=0) == 1).all() and (sample.test[6:].sum(axis=0) == 1).all()
    assert (sample.test[1:6] != sample.test[6:]).any()


def test_folds_are_stratified_by_label():
    sample = read_sample(diagnosis_rows(200, 2), diagnosis_task(folds=5))
    ill = sample.carries[:, 1]
    by_fold = [int(ill[test].sum()) for test in sample.test[1:]]
    assert max(by_fold) - min(by_fold) <= 1


def test_folds_do_not_depend_on_order_or_ids_of_rows():
    rows, task = diagnosis_rows(80, 3), diagnosis_task(folds=4)
    order = np.random.default_rng(0).permutation(80)
    other = {name: column[order] for name, column in rows.items()}
    other["patient_id"] = objects([f"x{n}" for n in range(80)])
    assert (read_sample(other, task).test == read_sample(rows, task).test[:, order]).all()


def test_a_patient_is_on_one_side_only():
    for task in (triage_task(), triage_task(folds=3)):
        sample = read_sample(triage_rows(90, 4), task)
        for test in sample.test:
            sides = {(int(p), bool(t)) for p, t in zip(sample.patient, test, strict=True)}
            assert len(sides) == len(set(sample.patient.tolist()))


def test_equal_texts_are_on_the_same_side_at_every_site_whatever_their_label():
    task = make_task([{"name": "complaint", "kind": "text"}], ("a", "b"), solver="gradient")
    texts = [f"主诉{n}" for n in range(200)]
    sites = [
        {
            "patient_id": objects([f"{site}{n}" for n in range(200)]),
            "label": objects([(site,)] * 200),
            "complaint": objects([text + punctuation for text in texts]),
        }
        for site, punctuation in (("a", "。"), ("b", "！"))
    ]
    first, second = (read_sample(rows, task).test[1] for rows in sites)
    assert (first == second).all() and 20 < first.sum() < 60


def test_patients_of_a_small_stratum_are_dealt_over_the_folds():
    fold = fold_of([f"d{n}" for n in range(10)], ["rare"] * 3 + ["usual"] * 7, 5, 0)
    assert len(set(fold[:3].tolist())) == 3 and np.bincount(fold).tolist() == [2, 2, 2, 2, 2]


def test_rows_without_a_known_label_are_no_rows():
    rows = triage_rows(30, 5)
    rows["label"][:4] = [(), ("03",), ("99",), ("99", "13")]
    sample = read_sample(rows, triage_task())
    assert len(sample) == 27 and sample.carries[0].tolist() == [False, False, True]


def test_an_implausible_number_is_null():
    rows = diagnosis_rows(10, 6)
    rows["age"][:2] = 400.0, -1.0
    assert np.isnan(read_sample(rows, diagnosis_task()).columns["age"][:2]).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows: rows.pop("crp"), "rows lack crp"),
        (lambda rows: rows.update(crp=rows["crp"][:3]), "differ in length"),
    ],
)
def test_arrays_that_are_no_rows_are_refused(change, message):
    rows = diagnosis_rows(20, 7)
    change(rows)
    with pytest.raises(DataError, match=message):
        read_sample(rows, diagnosis_task())


def test_more_rows_than_the_declared_bound_are_refused():
    with pytest.raises(DataError, match=r"20 rows, more than training\.max_rows = 10"):
        read_sample(diagnosis_rows(20, 8), diagnosis_task(max_rows=10))
