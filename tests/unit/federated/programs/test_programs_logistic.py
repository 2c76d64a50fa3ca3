import numpy as np
import pytest
from scipy import sparse
from scipy.optimize import approx_fprime
from sklearn.linear_model import LogisticRegression

from federated.programs import lbfgs, logistic
from federated.programs.logistic import Design


def make_design(classes: int, text: bool = True, rows: int = 120) -> Design:
    draw = np.random.default_rng(classes)
    dense = np.hstack([np.ones((rows, 1)), draw.normal(size=(rows, 3))])
    words = sparse.random(rows, 6 if text else 0, 0.4, "csr", random_state=draw)
    target = (dense[:, 1] + draw.normal(size=rows) > 0).astype(int) + draw.integers(0, classes - 1, rows)
    return Design(dense, sparse.csr_matrix(words), target, draw.uniform(0.5, 2.0, rows))


@pytest.mark.parametrize("classes", [2, 4])
def test_gradient_and_hessian_are_derivatives_of_the_loss(classes):
    design = make_design(classes, text=False)
    m = 1 if classes == 2 else classes
    point = np.random.default_rng(0).normal(size=m * design.width) * 0.3

    def value(flat):
        return logistic.loss(design.scores(flat.reshape(m, -1)), design.target, design.weight)

    def slope(flat):
        scores = design.scores(flat.reshape(m, -1))
        return design.pull_back(logistic.residuals(scores, design.target, design.weight)).ravel()

    assert slope(point) == pytest.approx(approx_fprime(point, value, 1e-6), abs=1e-3)
    numeric = np.array([(slope(point + 1e-6 * e) - slope(point - 1e-6 * e)) / 2e-6 for e in np.eye(point.size)])
    assert logistic.hessian(design, design.scores(point.reshape(m, -1))) == pytest.approx(numeric, abs=1e-5)


def test_losses_of_terms_add_up_to_the_loss_of_all_rows():
    design = make_design(3)
    point = np.full((3, design.width), 0.1) * np.arange(3)[:, None]
    halves = [slice(0, 50), slice(50, None)]
    parts = [
        logistic.loss(
            Design(design.dense[s], design.text[s], design.target[s], design.weight[s]).scores(point),
            design.target[s],
            design.weight[s],
        )
        for s in halves
    ]
    assert sum(parts) == pytest.approx(logistic.loss(design.scores(point), design.target, design.weight))


def test_extreme_scores_stay_finite():
    scores, target, weight = np.array([[2000.0], [-2000.0]]), np.array([0, 1]), np.ones(2)
    assert logistic.loss(scores, target, weight) == pytest.approx(4000.0)
    assert np.isfinite(logistic.residuals(np.hstack([scores, -scores]), target, weight)).all()


def minimise(design: Design, m: int, l2: float, rounds: int) -> tuple[np.ndarray, int]:
    """Drive the search as the program does, on one site, without fixed point."""
    total, shape = design.weight.sum(), (m, design.width)
    search = lbfgs.start(np.zeros(m * design.width), np.ones(m * design.width))

    def value(flat):
        scores = design.scores(flat.reshape(shape))
        return logistic.loss(scores, design.target, design.weight) / total + logistic.ridge(flat.reshape(shape), l2)[0]

    taken = 0
    while taken < rounds and not search.stopped:
        taken += 1
        trial = search.trial.reshape(shape)
        gradient = design.pull_back(logistic.residuals(design.scores(trial), design.target, design.weight)) / total
        gradient = gradient + logistic.ridge(trial, l2)[1]
        probes = [value(search.point + reach * search.step * search.direction) for reach in lbfgs.PROBES]
        search = lbfgs.advance(search, value(search.trial), gradient.ravel(), probes, 1e-7)
    return search.point.reshape(shape), taken


@pytest.mark.parametrize("classes", [2, 3])
def test_lbfgs_finds_the_solution_of_scikit_learn(classes):
    design, l2 = make_design(classes), 0.02
    point, taken = minimise(design, 1 if classes == 2 else classes, l2, 100)
    rows = np.hstack([design.dense[:, 1:], design.text.toarray()])
    model = LogisticRegression(C=1 / (l2 * design.weight.sum()), tol=1e-10, max_iter=5000)
    model.fit(rows, design.target, sample_weight=design.weight)
    assert point[:, 1:] == pytest.approx(model.coef_, abs=2e-5)
    assert taken < 60


def test_a_step_too_long_is_repaired_by_the_best_probe():
    search = lbfgs.start(np.array([0.0]), np.array([100.0]))
    search = lbfgs.advance(search, 1.0, np.array([-1.0]), (), 1e-9)
    assert search.trial.tolist() == [100.0]
    search = lbfgs.advance(search, 50.0, np.array([9.0]), (0.4, 0.6, 0.9, 99.0, 99.0), 1e-9)
    assert search.trial.tolist() == [100.0 * lbfgs.PROBES[0]] and not search.stopped
