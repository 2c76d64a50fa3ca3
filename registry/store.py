"""Models on disk: written whole, signed by the authority, checked before anything in them is used.

    <model folder>/   card.json   weights.npz   signature.json

``signature.json`` is the authority's signed record over the digest of the card, and the card names the weights by
theirs: altering a byte of either file, or bringing a model that another authority signed, is refused.
"""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from contracts.errors import DataError, IntegrityError, ModelSignatureError, UsageError
from contracts.messages import MODEL_SIGNATURE, ModelSignature
from contracts.model_card import ModelCard, card_digest, parse_card
from contracts.wire import digest
from governance.files import sync_folder, write_durable
from governance.signing import open_record
from registry.features import FeatureEvaluator
from registry.weights import pack_arrays, unpack_arrays

CARD, WEIGHTS, SIGNATURE, WITHDRAWN = "card.json", "weights.npz", "signature.json", "withdrawn.json"


@dataclass(frozen=True)
class Model:
    """A model whose signature holds.

    Attributes:
        card: what it says of itself.
        coef: ``(m, features)``, m = number of classes, or 1 for two classes.
        intercept: ``(m,)``.
        digest: of the card; names the model.
        evaluator: its inputs from FHIR resources.
    """

    card: ModelCard
    coef: np.ndarray
    intercept: np.ndarray
    digest: str
    evaluator: FeatureEvaluator = field(repr=False)


def model_weights(arrays: Mapping[str, np.ndarray]) -> tuple[bytes, str]:
    """The weights file of arrays ``coef`` and ``intercept``, and the digest that the card must name."""
    data = pack_arrays({name: np.asarray(arrays[name], np.float64) for name in ("coef", "intercept")})
    return data, digest(data)


def write_model(folder: Path, card: ModelCard, arrays: Mapping[str, np.ndarray]) -> str:
    """Write an unsigned model; nothing is there unless all of it is. The same model again changes nothing.

    Args:
        folder: of this model alone; made here.
        card: with ``weights`` as ``model_weights`` gives it for ``arrays``.

    Returns:
        The digest that the authority is asked to sign.

    Raises:
        DataError: arrays do not fit the card, or the folder holds another model.
    """
    data, found = model_weights(arrays)
    if found != card.weights:
        raise DataError("the card names other weights than those given; make it with model_weights(arrays)")
    _check_shapes(card, arrays)
    if folder.exists():
        if (folder / CARD).is_file() and (folder / CARD).read_bytes() == card.to_bytes():
            return card.digest
        raise DataError(f"{folder} holds something else. Give each model a folder of its own.")
    staged = folder.with_name(f".{folder.name}.{uuid.uuid4().hex}.new")
    try:
        write_durable(staged / CARD, card.to_bytes())
        write_durable(staged / WEIGHTS, data)
        staged.rename(folder)
    finally:
        shutil.rmtree(staged, ignore_errors=True)
    sync_folder(folder.parent)
    return card.digest


def add_signature(folder: Path, record: bytes, trusted: bytes | str) -> None:
    """Put the authority's signed record beside a model. Raises ModelSignatureError when it is not one for it."""
    _check_signature(folder, parse_card((folder / CARD).read_bytes()), record, trusted)
    write_durable(folder / SIGNATURE, record)


def load_model(folder: Path, trusted: bytes | str) -> Model:
    """A released model, checked.

    Args:
        folder: a model's folder, or a link to it such as ``registry/<task>/current``.
        trusted: the authority's Ed25519 public key: 32 bytes, or in hex.

    Raises:
        UsageError: no model there, or it was withdrawn.
        ModelSignatureError: unsigned, altered, or signed by a key that is not trusted here.
    """
    card_file, signature_file = folder / CARD, folder / SIGNATURE
    if not card_file.is_file():
        raise UsageError(f"no model at {folder}: expected a folder with {CARD}, such as registry/<task>/current")
    if (folder / WITHDRAWN).exists():
        raise UsageError(f"the model at {folder} was withdrawn. Use a released one: see 'cloister models list'.")
    if not signature_file.is_file():
        raise ModelSignatureError(f"the model at {folder} is not signed. Only the authority's release makes it usable.")
    data = card_file.read_bytes()
    try:
        card = parse_card(data)
    except DataError as error:
        raise ModelSignatureError(f"{card_file} was altered: it is no model card any more") from error
    if card_digest(data) != card.digest:
        raise ModelSignatureError(f"{card_file} was altered: its bytes are not those of a written card")
    _check_signature(folder, card, signature_file.read_bytes(), trusted)
    weights = (folder / WEIGHTS).read_bytes() if (folder / WEIGHTS).is_file() else b""
    if digest(weights) != card.weights:
        raise ModelSignatureError(f"{folder / WEIGHTS} was altered: its digest is not the one in the signed card")
    arrays = unpack_arrays(weights)
    _check_shapes(card, arrays)
    return Model(card, arrays["coef"], arrays["intercept"], card.digest, FeatureEvaluator(card.features, card.views))


def _check_signature(folder: Path, card: ModelCard, record: bytes, trusted: bytes | str) -> None:
    public = trusted.hex() if isinstance(trusted, bytes) else trusted
    try:
        statement = open_record(record, MODEL_SIGNATURE, ModelSignature, public)
    except IntegrityError as error:
        raise ModelSignatureError(f"the model at {folder} is not signed by the trusted authority: {error}") from error
    said = (statement.card, statement.task, statement.run, statement.program, statement.approval, statement.roster)
    if said != (card.digest, card.task, card.run, card.program, card.approval, card.roster):
        raise ModelSignatureError(f"the signature at {folder} is of another model, or the card was altered")
    if (statement.rounds, statement.state) != (card.rounds, card.state):
        raise ModelSignatureError(f"the card at {folder} tells of other rounds than the authority opened")


def _check_shapes(card: ModelCard, arrays: Mapping[str, np.ndarray]) -> None:
    rows = 1 if len(card.classes) == 2 else len(card.classes)
    wanted = {"coef": (rows, card.encoder.size), "intercept": (rows,)}
    found = {name: arrays[name].shape if name in arrays else None for name in wanted}
    if found != wanted:
        raise DataError(f"model arrays have shapes {found}, expected {wanted}")
