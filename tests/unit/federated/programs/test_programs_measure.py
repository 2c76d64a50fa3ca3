import numpy as np
import pytest
from program_tasks import diagnosis_rows, diagnosis_task, triage_rows, triage_task
from sklearn.metrics import accuracy_score, f1_score, roc_auc_score

from contracts.encoder import linear_scores, probabilities
from federated.programs import TaskProgram, measure, run_plain, standard
from federated.programs.rows import read_sample


def predictions(task, sites, fit):
    """Carried classes and probabilities of all test rows, through the public encoder."""
    state = run_plain(TaskProgram(task), sites)
    encoder, parameters = standard.encoder(task, state, fit), state["parameters"][fit]
    carries, chances = [], []
    for rows in sites:
        sample = read_sample(rows, task)
        encoded = encoder.encode({name: column[sample.test[fit]] for name, column in sample.columns.items()})
        chances.append(probabilities(linear_scores(encoded, parameters[:, 1:], parameters[:, 0])))
        carries.append(sample.carries[sample.test[fit]])
    return state, np.concatenate(carries), np.concatenate(chances)


def test_two_class_metrics_equal_scikit_learns():
    task, sites = diagnosis_task(), [diagnosis_rows(400, seed) for seed in range(3)]
    state, carries, chances = predictions(task, sites, 1)
    truth, metrics = carries[:, 1].astype(int), state["metrics"]
    assert metrics["accuracy"] == pytest.approx(accuracy_score(truth, chances.argmax(axis=1)))
    assert metrics["macro_f1"] == pytest.approx(f1_score(truth, chances.argmax(axis=1), average="macro"))
    assert metrics["auc"] == pytest.approx(roc_auc_score(truth, chances[:, 1]), abs=5e-4)


def test_mean_of_sites_is_the_mean_of_each_sites_own_figures():
    task, sites = diagnosis_task(), [diagnosis_rows(150, seed) for seed in range(4)]
    state, carries, chances = predictions(task, sites, 1)
    cuts = np.cumsum([int(read_sample(rows, task).test[1].sum()) for rows in sites])[:-1]
    truth, right = np.split(carries[:, 1], cuts), np.split(carries[:, 1] == chances.argmax(axis=1), cuts)
    own = [roc_auc_score(t, c) for t, c in zip(truth, np.split(chances[:, 1], cuts), strict=True)]
    assert state["metrics"]["auc_mean_of_sites"] == pytest.approx(np.mean(own), abs=1e-6)
    assert state["metrics"]["accuracy_mean_of_sites"] == pytest.approx(np.mean([r.mean() for r in right]), abs=1e-6)


def test_multi_class_metrics_equal_scikit_learns():
    task, sites = triage_task(), [triage_rows(300, seed) for seed in range(3)]
    state, carries, chances = predictions(task, sites, 1)
    truth, predicted = carries.argmax(axis=1), chances.argmax(axis=1)
    assert state["metrics"]["accuracy"] == pytest.approx(accuracy_score(truth, predicted))
    assert state["metrics"]["macro_f1"] == pytest.approx(f1_score(truth, predicted, average="macro"))
    expected = roc_auc_score(truth, chances, multi_class="ovr", average="macro")
    assert state["metrics"]["auc"] == pytest.approx(expected, abs=2e-3)


def test_any_of_a_records_codes_is_a_right_prediction():
    right = measure._confusion(np.array([0, 1, 2]), np.array([0, 1, 1]), 3)
    assert right.tolist() == [[1, 0, 0], [1, 1, 0], [0, 0, 1]]
    assert measure.macro_f1(right.astype(float)) == pytest.approx((1 + 2 / 3 + 0) / 3)


def test_auc_of_a_histogram_counts_ties_half():
    assert measure.auc(np.array([[1.0, 1.0]])) == 0.5
    assert measure.auc(np.array([[2.0, 0.0], [0.0, 3.0]])) == 1.0
    assert measure.auc(np.array([[0.0, 1.0], [1.0, 0.0]])) == 0.0


def test_figures_nobody_can_compute_are_left_out():
    total = {
        "tested": np.array([[2.0, 1.0, 2.0]]),
        "confusion": np.array([[[1.0, 1.0, 0.0], [0.0, 0.0, 1.0]]]),
        "scores": np.zeros((1, 1, 512, 2)),
        "sites": np.array([[2.0, 1.0, 0.0, 0.0]]),
        "clipped_inputs": np.zeros(1),
    }
    found = measure.figures(total)
    assert found["accuracy"] == found["accuracy_mean_of_sites"] == 0.5
    assert "auc" not in found and "auc_mean_of_sites" not in found
