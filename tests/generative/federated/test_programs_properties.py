import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from program_tasks import diagnosis_rows, diagnosis_task, merge_rows

from contracts.text import count_buckets, ngrams, normalise_text
from federated.programs import model_from, program_for, run_plain
from federated.programs.measure import auc
from federated.programs.plain import coefficient_gap, pool
from federated.programs.rows import read_sample
from federated.programs.splits import fold_of

FEW = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
ALL_ROWS = merge_rows([diagnosis_rows(80, seed) for seed in range(3)])


@FEW
@given(st.lists(st.integers(0, 3), min_size=240, max_size=240))
def test_however_rows_are_spread_the_sums_give_the_pooled_model(owner):
    task = diagnosis_task()
    parts = [np.flatnonzero(np.array(owner) == site) for site in range(4)]
    sites = [{name: column[part] for name, column in ALL_ROWS.items()} for part in parts if len(part)]
    federated = model_from(run_plain(program_for(task), sites), task)
    pooled = run_plain(program_for(task), [pool([read_sample(rows, task) for rows in sites])], exact=True)
    assert coefficient_gap(federated, model_from(pooled, task)) < 1e-6


@given(
    st.lists(st.tuples(st.text(max_size=3), st.sampled_from("ab")), min_size=1, max_size=60),
    st.integers(2, 7),
    st.integers(0, 9),
)
def test_folds_are_a_partition_of_even_sizes_whatever_the_order(patients, folds, seed):
    digests, strata = zip(*patients, strict=True)
    fold = fold_of(digests, strata, folds, seed)
    sizes = np.bincount(fold, minlength=folds)
    assert len(sizes) == folds and sizes.max() - sizes.min() <= 1
    back = fold_of(digests[::-1], strata[::-1], folds, seed)[::-1]
    assert sorted(zip(patients, back.tolist(), strict=True)) == sorted(zip(patients, fold.tolist(), strict=True))


@given(st.text(max_size=40))
def test_normalising_twice_changes_nothing(text):
    assert normalise_text(normalise_text(text)) == normalise_text(text)


@given(st.text(max_size=40), st.integers(1, 500))
def test_counted_buckets_are_all_the_ngrams(text, buckets):
    found = count_buckets({"x": np.array([text], object)}, ("x",), (1, 2, 3), buckets)
    assert found.times.sum() == len(ngrams(normalise_text(text), (1, 2, 3)))
    assert ((found.bucket >= 0) & (found.bucket < buckets)).all() and (np.diff(found.bucket) > 0).all()


@given(st.lists(st.tuples(st.integers(0, 9), st.booleans()), min_size=2, max_size=40))
def test_auc_of_the_histogram_is_the_share_of_pairs_in_order(rows):
    table = np.zeros((10, 2))
    for place, positive in rows:
        table[place, int(positive)] += 1
    if (table.sum(axis=0) == 0).any():
        return
    pairs = [(1.0 if p > n else 0.5 if p == n else 0.0) for p, yes in rows if yes for n, no in rows if not no]
    assert abs(auc(table) - np.mean(pairs)) < 1e-12
