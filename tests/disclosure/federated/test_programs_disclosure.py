"""What a sum program may say: nothing of a site, nothing of n-grams that few patients have, nothing out of bounds."""

import inspect

import numpy as np
import pytest
from program_tasks import diagnosis_rows, diagnosis_task, objects, triage_rows, triage_task

from contracts.text import bucket
from federated.programs import TaskProgram, program_for, run_plain
from federated.programs.plain import _coded_total
from secure_compute.fixed_point import CLIPPED, check_range

TRIAGE = [triage_rows(count, seed) for seed, count in enumerate((90, 70, 50))]
DIAGNOSIS = [diagnosis_rows(count, seed) for seed, count in enumerate((90, 70, 50))]
CASES = [
    (diagnosis_task(), DIAGNOSIS),
    (diagnosis_task(folds=3, seeds=(1, 2)), DIAGNOSIS),
    (triage_task(max_rounds=4), TRIAGE),
    (triage_task(max_rounds=4, folds=2, class_weight=1.0, idf=False), TRIAGE),
]


def with_rare_word(patients: int, records_each: int) -> list[dict[str, np.ndarray]]:
    """The unique word 罕见 stands in the records of that many patients of the first site."""
    sites = [dict(rows) for rows in TRIAGE]
    count = patients * records_each
    texts = sites[0]["complaint"].copy()
    texts[:count] = [f"{text or ''}罕" for text in texts[:count]]
    sites[0]["complaint"] = texts
    sites[0]["patient_id"] = objects([f"p{n // records_each}" for n in range(len(texts))])
    return sites


@pytest.mark.parametrize(("patients", "becomes_feature"), [(4, False), (5, True)])
def test_ngrams_of_fewer_than_k_patients_never_become_features(patients, becomes_feature):
    task = triage_task(buckets=1 << 20, min_patients=5, max_rounds=2)
    state = run_plain(program_for(task), with_rare_word(patients, records_each=4))
    assert (bucket("罕", 1 << 20, "complaint") in state["selected"]) is becomes_feature


def test_a_bucket_too_rare_for_a_fits_training_rows_counts_nothing_in_that_fit():
    state = run_plain(program_for(triage_task(min_patients=20, max_rounds=2)), TRIAGE)
    dropped = state["in_fit"][1] == 0
    assert dropped.any() and (state["patients"][1, 1:][dropped] == 0).all()
    text = state["parameters"][1][:, -len(dropped) :]
    assert not text[:, dropped].any()


def test_the_vocabulary_sum_asks_for_reached_or_not_only():
    program = program_for(triage_task(min_patients=7))
    blocks = {block.name: block for block in program.layout(program.initial())}
    assert blocks["buckets_reached"].at_least == 7


def test_a_term_is_made_from_rows_and_public_state_alone():
    assert list(inspect.signature(TaskProgram.term).parameters) == ["self", "rows", "state"]


@pytest.mark.parametrize(("task", "sites"), CASES)
def test_no_block_has_a_place_for_a_site(task, sites):
    """The layout of every sum is the same however the rows are spread over sites."""

    def shapes(parts):
        program, found = program_for(task), []
        state = program.initial()
        while not program.is_done(state):
            layout = program.layout(state)
            found.append({block.name: block.shape for block in layout})
            state = program.advance(state, _coded_total(layout, [program.term(rows, state) for rows in parts]))
        return found

    assert shapes(sites)[:4] == shapes(list(reversed(sites)))[:4]


@pytest.mark.parametrize(("task", "sites"), CASES)
def test_declared_bounds_hold_and_fit_the_plain_modulus(task, sites):
    program = program_for(task)
    state = program.initial()
    while not program.is_done(state):
        layout = program.layout(state)
        check_range(layout, 390)
        terms = [program.term(rows, state) for rows in sites]
        for term in terms:
            assert {name: value.shape for name, value in term.items()} == {b.name: b.shape for b in layout}
            assert all(np.abs(term[block.name]).max(initial=0.0) <= block.bound for block in layout)
        total = _coded_total(layout, terms)
        assert total[CLIPPED] == 0
        state = program.advance(state, total)


def test_the_state_holds_sums_and_no_text():
    state = run_plain(program_for(triage_task(max_rounds=3)), TRIAGE)
    strings = [value for value in state.values() if isinstance(value, str)]
    assert strings == ["done"]
    assert all(value.dtype.kind in "fiu" for value in state.values() if isinstance(value, np.ndarray))
