"""Which models of a registry are released, which is current, which were withdrawn.

    <registry>/<task>/<first 16 hex of the digest>/   a model, see registry.store
    <registry>/<task>/current                         link to the promoted one
    <registry>/<task>/index.json                      promoted and withdrawn when, and why

The index and the link are conveniences: a model counts by its signature alone, a withdrawal by the mark in its folder.
"""

from __future__ import annotations

import json
import os
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from contracts.errors import CloisterError, DataError, UsageError
from contracts.feature_spec import Frozen
from contracts.model_card import parse_card
from governance.files import sync_folder, write_durable
from registry.store import CARD, SIGNATURE, WITHDRAWN, load_model

CURRENT, INDEX = "current", "index.json"
ID_LENGTH = 16


class Entry(Frozen):
    """One step in the life of a model."""

    model: str
    state: Literal["released", "withdrawn"]
    at: str
    reason: str = ""


class Listed(Frozen):
    """A model as ``list_models`` shows it. ``state``: unsigned and altered ones are ``refused``."""

    task: str
    model: str
    state: Literal["current", "released", "withdrawn", "refused", "staged"]
    sites: tuple[str, ...]
    rounds: int
    metrics: dict[str, object]
    created_at: str


def model_folder(registry: Path, task: str, digest: str) -> Path:
    """Where a model of this digest belongs."""
    return registry / task / digest[:ID_LENGTH]


def promote(registry: Path, task: str, model: str, trusted: bytes | str) -> Path:
    """Make a signed model the current one of its task.

    Returns:
        The link ``<registry>/<task>/current``.

    Raises:
        UsageError: no such model, or it was withdrawn.
        ModelSignatureError: it is unsigned, altered or foreign.
    """
    folder = registry / task / model
    if load_model(folder, trusted).card.task != task:
        raise UsageError(f"the model at {folder} is of another task; expected one of '{task}'")
    link = registry / task / CURRENT
    staged = link.with_name(f".{CURRENT}.{uuid.uuid4().hex}")
    staged.symlink_to(model, target_is_directory=True)
    os.replace(staged, link)
    sync_folder(link.parent)
    _append(registry / task, Entry(model=model, state="released", at=_now()))
    return link


def withdraw(registry: Path, task: str, model: str, reason: str) -> None:
    """Refuse a model from now on; when it was current, none is. Its files stay, for those who must look back.

    Raises:
        UsageError: no such model, or no reason given.
    """
    folder = registry / task / model
    if model == CURRENT or not (folder / CARD).is_file():
        raise UsageError(f"task '{task}' has no model '{model}' in {registry}: see 'cloister models list'")
    if not reason.strip():
        raise UsageError("say why the model is withdrawn")
    entry = Entry(model=model, state="withdrawn", at=_now(), reason=reason)
    write_durable(folder / WITHDRAWN, entry.model_dump_json().encode() + b"\n")
    link = registry / task / CURRENT
    if link.is_symlink() and link.readlink() == Path(model):
        link.unlink()
        sync_folder(link.parent)
    _append(registry / task, entry)


def list_models(registry: Path, trusted: bytes | str) -> list[Listed]:
    """Every model of a registry, by task, oldest first."""
    cards = sorted(registry.glob(f"*/*/{CARD}"))
    found = [_listed(card.parent, trusted) for card in cards if not card.parent.is_symlink()]
    return sorted(found, key=lambda model: (model.task, model.created_at, model.model))


def history(registry: Path, task: str) -> tuple[Entry, ...]:
    """What was promoted and withdrawn, in order. Raises DataError when the index cannot be read."""
    path = registry / task / INDEX
    if not path.is_file():
        return ()
    try:
        return tuple(Entry.model_validate(entry) for entry in json.loads(path.read_bytes()))
    except ValueError as error:
        raise DataError(f"{path} is not a list of entries; move it away, it is only a record") from error


def _listed(folder: Path, trusted: bytes | str) -> Listed:
    try:
        card = parse_card((folder / CARD).read_bytes())
    except DataError:
        return Listed(
            task=folder.parent.name, model=folder.name, state="refused", sites=(), rounds=0, metrics={}, created_at=""
        )
    return Listed(
        task=card.task,
        model=folder.name,
        state=_state(folder, trusted),
        sites=card.sites,
        rounds=card.rounds,
        metrics=dict(card.metrics),
        created_at=card.created_at,
    )


def _state(folder: Path, trusted: bytes | str) -> Literal["current", "released", "withdrawn", "refused", "staged"]:
    if (folder / WITHDRAWN).exists():
        return "withdrawn"
    if not (folder / SIGNATURE).exists():
        return "staged"
    try:
        load_model(folder, trusted)
    except CloisterError:
        return "refused"
    link = folder.parent / CURRENT
    return "current" if link.is_symlink() and link.readlink() == Path(folder.name) else "released"


def _append(folder: Path, entry: Entry) -> None:
    entries = [*history(folder.parent, folder.name), entry]
    body = [one.model_dump(mode="json") for one in entries]
    write_durable(folder / INDEX, json.dumps(body, ensure_ascii=False, indent=1).encode() + b"\n")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
