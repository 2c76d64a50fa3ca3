"""Promoting and withdrawing models."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_models import authority_at, released_model, signature_of, small_arrays, small_card

from contracts.errors import ModelSignatureError, UsageError
from registry.release import history, list_models, model_folder, promote, withdraw
from registry.store import add_signature, load_model, write_model


def test_a_promoted_model_is_found_as_current(tmp_path: Path) -> None:
    model, _, authority = released_model(tmp_path)
    link = promote(tmp_path, "triage", "m1", authority.public)
    assert link == tmp_path / "triage" / "current"
    assert load_model(link, authority.public).digest == model.digest
    assert [(m.model, m.state) for m in list_models(tmp_path, authority.public)] == [("m1", "current")]


def test_a_later_promotion_replaces_the_link(tmp_path: Path) -> None:
    _, _, authority = released_model(tmp_path)
    second = small_card(created_at="2026-11-21T08:00:00+00:00")
    write_model(tmp_path / "triage" / "m2", second, small_arrays())
    add_signature(tmp_path / "triage" / "m2", signature_of(second, authority), authority.public)
    promote(tmp_path, "triage", "m1", authority.public)
    link = promote(tmp_path, "triage", "m2", authority.public)
    assert load_model(link, authority.public).digest == second.digest
    assert [m.state for m in list_models(tmp_path, authority.public)] == ["released", "current"]


def test_a_withdrawn_model_is_refused_by_name_and_by_link(tmp_path: Path) -> None:
    _, folder, authority = released_model(tmp_path)
    link = promote(tmp_path, "triage", "m1", authority.public)
    withdraw(tmp_path, "triage", "m1", "wrong map")
    for path in (folder, link):
        with pytest.raises(UsageError):
            load_model(path, authority.public)
    with pytest.raises(UsageError, match="withdrawn"):
        promote(tmp_path, "triage", "m1", authority.public)
    assert [(entry.state, entry.reason) for entry in history(tmp_path, "triage")] == [
        ("released", ""),
        ("withdrawn", "wrong map"),
    ]
    assert [m.state for m in list_models(tmp_path, authority.public)] == ["withdrawn"]


def test_an_unsigned_model_is_not_promoted(tmp_path: Path) -> None:
    authority = authority_at(tmp_path)
    folder = model_folder(tmp_path, "triage", small_card().digest)
    write_model(folder, small_card(), small_arrays())
    with pytest.raises(ModelSignatureError):
        promote(tmp_path, "triage", folder.name, authority.public)
    assert [m.state for m in list_models(tmp_path, authority.public)] == ["staged"]


def test_an_altered_model_is_listed_as_refused(tmp_path: Path) -> None:
    _, folder, authority = released_model(tmp_path)
    (folder / "weights.npz").write_bytes(b"")
    assert [m.state for m in list_models(tmp_path, authority.public)] == ["refused"]


def test_withdrawing_what_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no model"):
        withdraw(tmp_path, "triage", "m9", "why")
