"""Models on disk: what is refused, and that what is read is what was written."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from small_models import authority_at, released_model, signature_of, small_arrays, small_card

from contracts.errors import DataError, ModelSignatureError, UsageError
from governance.signing import make_identity
from registry.store import add_signature, load_model, model_weights, write_model
from registry.weights import pack_arrays, unpack_arrays


def test_a_signed_model_reads_back_as_it_was_written(tmp_path: Path) -> None:
    model, folder, authority = released_model(tmp_path)
    assert model.card == small_card()
    assert np.array_equal(model.coef, small_arrays()["coef"])
    assert load_model(folder, bytes.fromhex(authority.public)).digest == model.digest == model.card.digest


def test_writing_the_same_model_again_changes_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "m"
    assert write_model(folder, small_card(), small_arrays()) == write_model(folder, small_card(), small_arrays())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m"]


def test_equal_arrays_have_equal_bytes_whatever_their_layout() -> None:
    array = np.arange(12.0).reshape(3, 4)
    big_endian = np.asfortranarray(array).astype(">f8")
    assert pack_arrays({"a": array}) == pack_arrays({"a": big_endian})
    assert np.array_equal(unpack_arrays(pack_arrays({"a": array}))["a"], array)


def test_arrays_of_objects_are_neither_written_nor_read(tmp_path: Path) -> None:
    with pytest.raises(DataError):
        pack_arrays({"a": np.array([object()])})
    np.savez(tmp_path / "pickled.npz", a=np.array([{}], dtype=object))
    with pytest.raises(DataError):
        unpack_arrays((tmp_path / "pickled.npz").read_bytes())


def test_an_unsigned_model_is_refused(tmp_path: Path) -> None:
    write_model(tmp_path / "m", small_card(), small_arrays())
    with pytest.raises(ModelSignatureError, match="not signed"):
        load_model(tmp_path / "m", authority_at(tmp_path).public)


def test_a_model_signed_by_another_authority_is_refused(tmp_path: Path) -> None:
    _, folder, _ = released_model(tmp_path)
    with pytest.raises(ModelSignatureError, match="trusted authority"):
        load_model(folder, make_identity(tmp_path / "stranger.key").public)


@pytest.mark.parametrize("name", ["card.json", "weights.npz", "signature.json"])
def test_one_altered_byte_in_any_file_is_refused(tmp_path: Path, name: str) -> None:
    _, folder, authority = released_model(tmp_path)
    whole = (folder / name).read_bytes()
    for at in range(0, len(whole), max(1, len(whole) // 25)):
        (folder / name).write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        with pytest.raises(ModelSignatureError):
            load_model(folder, authority.public)


def test_a_card_with_better_metrics_is_refused(tmp_path: Path) -> None:
    _, folder, authority = released_model(tmp_path)
    (folder / "card.json").write_bytes(small_card(metrics={"accuracy": 0.99}).to_bytes())
    with pytest.raises(ModelSignatureError):
        load_model(folder, authority.public)


def test_the_same_card_written_in_another_way_is_refused(tmp_path: Path) -> None:
    _, folder, authority = released_model(tmp_path)
    (folder / "card.json").write_text(json.dumps(json.loads((folder / "card.json").read_text())))
    with pytest.raises(ModelSignatureError, match="bytes"):
        load_model(folder, authority.public)


@pytest.mark.parametrize("said", [{"task": "diagnosis"}, {"run": "9" * 32}, {"rounds": 3}, {"state": "9" * 64}])
def test_a_signature_that_says_other_than_the_card_is_refused(tmp_path: Path, said: dict[str, object]) -> None:
    authority, card = authority_at(tmp_path), small_card()
    write_model(tmp_path / "m", card, small_arrays())
    with pytest.raises(ModelSignatureError):
        add_signature(tmp_path / "m", signature_of(card, authority, **said), authority.public)
    assert not (tmp_path / "m" / "signature.json").exists()


def test_arrays_that_do_not_fit_the_card_are_not_written(tmp_path: Path) -> None:
    arrays = {"coef": np.zeros((3, 5)), "intercept": np.zeros(3)}
    with pytest.raises(DataError, match="other weights"):
        write_model(tmp_path / "m", small_card(), arrays)
    with pytest.raises(DataError, match="shapes"):
        write_model(tmp_path / "m", small_card(weights=model_weights(arrays)[1]), arrays)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_without_a_model_says_what_was_expected(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"card\.json"):
        load_model(tmp_path, "0" * 64)
