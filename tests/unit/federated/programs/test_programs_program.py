import numpy as np
import pytest
from program_tasks import diagnosis_rows, diagnosis_task, make_task, merge_rows, triage_rows, triage_task
from sklearn.linear_model import LogisticRegression

from contracts.encoder import Encoder
from contracts.errors import DataError, SpecError, UsageError
from federated.programs import TaskProgram, baselines, model_from, program_digest, program_for, run_plain
from federated.programs.plain import coefficient_gap, pool
from federated.programs.rows import read_sample

DIAGNOSIS = [diagnosis_rows(count, seed) for seed, count in enumerate((150, 90, 60, 40))]
TRIAGE = [triage_rows(count, seed) for seed, count in enumerate((160, 120, 90, 60))]


def train(task, sites):
    return model_from(run_plain(program_for(task), sites), task)


def standardised(task, model, sites):
    rows = merge_rows(sites)
    return model.encoder.encode(read_sample(rows, task).columns).dense


def test_newton_finds_scikit_learns_solution_in_standardised_space():
    task = diagnosis_task()
    model = train(task, DIAGNOSIS)
    rows, ill = standardised(task, model, DIAGNOSIS), [label == ("1",) for label in merge_rows(DIAGNOSIS)["label"]]
    assert np.abs(rows[:, 0].mean()) < 1e-6 and rows[:, 0].std() == pytest.approx(1.0, abs=1e-6)
    reference = LogisticRegression(C=1 / (0.01 * len(rows)), tol=1e-12, max_iter=1000).fit(rows, ill)
    assert model.arrays["coef"] == pytest.approx(reference.coef_, abs=1e-5)
    assert model.arrays["intercept"] == pytest.approx(reference.intercept_, abs=1e-5)


def test_newton_solves_several_classes_too():
    task = make_task([{"name": "age", "kind": "number", "plausible": (0, 120)}], ("03.01", "03.02", "13"), l2=0.05)
    model = train(task, TRIAGE)
    rows, codes = standardised(task, model, TRIAGE), [label[0] for label in merge_rows(TRIAGE)["label"]]
    used = rows[:, :1]
    reference = LogisticRegression(C=1 / (0.05 * len(rows)), tol=1e-12, max_iter=1000).fit(used, codes)
    assert model.arrays["coef"][:, :1] == pytest.approx(reference.coef_, abs=1e-5)


@pytest.mark.parametrize(
    ("task", "sites", "gap"),
    [(diagnosis_task(folds=5, seeds=(0, 1)), DIAGNOSIS, 1e-6), (triage_task(max_rounds=80), TRIAGE, 1e-4)],
)
def test_federated_equals_pooled(task, sites, gap):
    federated = train(task, sites)
    samples = [read_sample(rows, task) for rows in sites]
    pooled = model_from(run_plain(TaskProgram(task), [pool(samples)], exact=True), task)
    assert coefficient_gap(federated, pooled) < gap
    assert federated.metrics["accuracy"] == pytest.approx(pooled.metrics["accuracy"], abs=1e-3)
    assert federated.metrics["clipped_values"] == 0


def test_rounds_stay_few():
    assert train(diagnosis_task(), DIAGNOSIS).rounds <= 8
    assert train(triage_task(max_rounds=12), TRIAGE).rounds <= 1 + 1 + 1 + 12 + 1


def test_a_text_model_learns_what_the_words_say():
    model = train(triage_task(), TRIAGE)
    assert model.metrics["accuracy"] > 0.95 and model.classes == ("03.01", "03.02", "13")
    assert Encoder.model_validate_json(model.encoder.model_dump_json()) == model.encoder


def test_without_inverse_frequencies_a_round_is_saved():
    with_idf, without = (run_plain(program_for(t), TRIAGE) for t in (triage_task(), triage_task(idf=False)))
    overhead = [state["rounds"] - state["solver_rounds"] for state in (with_idf, without)]
    assert overhead == [4, 3] and set(without["in_fit"].ravel()) <= {0.0, 1.0}


def test_folds_and_text_share_rounds():
    state = run_plain(program_for(triage_task(folds=3, max_rounds=5)), TRIAGE)
    assert state["parameters"].shape[0] == 4 and state["metrics"]["test_rows"] == 430


def test_caps_bind_and_are_said():
    model = train(triage_task(max_features=40, max_rounds=2), TRIAGE)
    assert len(model.encoder.text.selected) == 40
    assert model.metrics["features_left_out"] > 0 and model.metrics["unfinished_fits"] == 2


def test_a_feature_that_hardly_anyone_carries_gets_no_weight():
    rows = diagnosis_rows(60, 9)
    rows["sex"][:] = "female"
    rows["sex"][:3] = "male"
    model = train(diagnosis_task(min_patients=5), [rows])
    names = [feature.name for feature in model.encoder.dense]
    assert names == ["age", "age is missing", "crp", "crp is missing", "sex = female", "sex = male"]
    assert model.arrays["coef"][0, [1, 4, 5]] == pytest.approx(0.0, abs=1e-15)


def test_rare_classes_count_more_when_asked():
    plain, weighted = (train(triage_task(class_weight=w), TRIAGE) for w in (0.0, 1.0))
    assert weighted.arrays["intercept"][2] > plain.arrays["intercept"][2]


def test_an_unfinished_state_is_no_model():
    task = diagnosis_task()
    with pytest.raises(UsageError, match="stage 'describe' after 0 sums"):
        model_from(program_for(task).initial(), task)


def test_rows_of_one_class_cannot_train():
    rows = diagnosis_rows(30, 1)
    for at in range(30):
        rows["label"][at] = ("1",)
    with pytest.raises(DataError, match="1 of 2 classes"):
        run_plain(program_for(diagnosis_task()), [rows])


@pytest.mark.parametrize(
    ("inputs", "training", "message"),
    [
        ([{"name": "age", "kind": "number"}], {}, "plausible range"),
        ([{"name": "note", "kind": "text"}], {}, "neither text nor class_weight"),
        ([{"name": "age", "kind": "number", "plausible": (0, 9)}], {"folds": 1}, "at least 2"),
        ([{"name": "age", "kind": "number", "plausible": (0, 9)}], {"holdout": 0.0}, "holdout"),
    ],
)
def test_settings_that_do_not_suit_are_refused(inputs, training, message):
    with pytest.raises(SpecError, match=message):
        program_for(make_task(inputs, ("0", "1"), **training))


def test_the_digest_follows_what_decides_the_sums_and_nothing_else():
    task = diagnosis_task()
    assert program_digest(task) == program_digest(task.model_copy(update={"title": "another", "folder": "/x"}))
    assert program_digest(task) != program_digest(diagnosis_task(l2=0.02))
    assert len(program_digest(task)) == 64


def test_baselines_are_the_same_program_on_other_rows():
    task = diagnosis_task(folds=3)
    model = train(task, DIAGNOSIS)
    found = baselines(task, {f"s{n}": rows for n, rows in enumerate(DIAGNOSIS)}, model)
    assert found.max_coefficient_gap < 1e-6 and set(found.local) == {"s0", "s1", "s2", "s3"}
    assert found.pooled["auc"] == pytest.approx(model.metrics["auc"], abs=1e-3)
    assert all(metrics["test_rows"] == 340 for metrics in found.local.values())


def test_a_hospital_that_cannot_train_alone_has_no_local_baseline():
    task = diagnosis_task()
    healthy = diagnosis_rows(25, 12)
    for at in range(25):
        healthy["label"][at] = ("0",)
    sites = {"north": DIAGNOSIS[0], "south": healthy}
    assert set(baselines(task, sites, train(task, list(sites.values()))).local) == {"north"}
