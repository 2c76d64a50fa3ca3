"""A site's secrets of one run and how far it has gone, in a file: a killed worker goes on and says nothing twice.

    <folder>/<run>.json       mode 0600, destroyed at the end of the run
    <folder>.memory           the runs whose secrets were destroyed: none of them is ever joined again

Without the second file a coordinator could end a run at the sites, let them join the same run with fresh keys and
take part in a round again whose shares they had revealed for another list. What a site agreed to or revealed is
durable before the message that says so leaves (SECURE_SUM rule 8).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from contracts.errors import IntegrityError, RefusedError
from contracts.feature_spec import Frozen
from contracts.messages import Count, Digest, Key, RefusalCode, RunId
from contracts.wire import FrameError, canonical, parse_canonical
from governance.files import destroy, read_private, write_private

LIFETIME = timedelta(days=7)
"""Secrets of a run whose end never came are destroyed after it."""


class Spoken(Frozen):
    """A list of survivors that a site has agreed to, or has revealed shares for."""

    attempt: Count
    members: Digest
    survivors: Digest


class Progress(Frozen):
    """Where a site stands in its latest round.

    Attributes:
        round, attempt: of its last contribution; attempt None: none in this round yet.
        common: digest of what the headers of all members say alike; masks are bound to it.
        values: digest of what it contributed, keyed; a repeated attempt must have the same.
        agreed: the one list of survivors it signed in this attempt.
        revealed: the one list of survivors it revealed shares for in this round.
    """

    round: Count = 0
    attempt: Count | None = None
    members: Digest | None = None
    common: Digest | None = None
    values: Digest | None = None
    agreed: Spoken | None = None
    revealed: Spoken | None = None


class RunSecrets(Frozen):
    """Attributes:
    site_key, mask_key: private X25519 keys (hex).
    root: the secret that self-masks and their shares are derived from (hex).
    key_message: the signed KeyMessage that was sent (hex).
    snapshot: digest of the data that terms of this run are computed from.
    """

    run: RunId
    task: str
    created: str
    site_key: Key
    mask_key: Key
    root: Key
    key_message: str = ""
    snapshot: Digest | None = None
    progress: Progress = Progress()

    def private(self, name: str) -> X25519PrivateKey:
        return X25519PrivateKey.from_private_bytes(bytes.fromhex(getattr(self, name)))


class RunSecretsFile:
    """The files of one site's runs."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def make(self, run: str, task: str) -> RunSecrets:
        """Fresh secrets, not written yet. Secrets of earlier runs of the task and of outlived ones are destroyed.

        Raises:
            RefusedError: run_closed for a run whose secrets were destroyed.
        """
        if run in self._ended():
            raise RefusedError(RefusalCode.RUN_CLOSED, "this site has left the run and destroyed its secrets of it")
        oldest = (datetime.now(UTC) - LIFETIME).isoformat()
        for kept in self._all():
            if kept.task == task or kept.created < oldest:
                self.destroy(kept.run)
        keys = [X25519PrivateKey.generate().private_bytes_raw().hex() for _ in range(2)]
        return RunSecrets(
            run=run,
            task=task,
            created=datetime.now(UTC).isoformat(),
            site_key=keys[0],
            mask_key=keys[1],
            root=os.urandom(32).hex(),
        )

    def load(self, run: str) -> RunSecrets | None:
        """The secrets of a run, None when there are none. Raises CredentialError or IntegrityError."""
        path = self._path(run)
        if not path.exists():
            return None
        try:
            return parse_canonical(read_private(path), RunSecrets)
        except FrameError as error:
            raise IntegrityError(f"{path} is no secrets of a run: remove it, the site then joins no more") from error

    def write(self, secrets: RunSecrets) -> None:
        """Durable when this returns."""
        write_private(self._path(secrets.run), canonical(secrets))

    def destroy(self, run: str) -> None:
        """Destroy the secrets of a run for good: it is not joined again."""
        if self._path(run).exists() and run not in self._ended():
            write_private(self._ended_path, "".join(f"{ended}\n" for ended in (*self._ended(), run)).encode())
        destroy(self._path(run))

    def _all(self) -> Iterator[RunSecrets]:
        for path in sorted(self._folder.glob("*.json")):
            kept = self.load(path.stem)
            if kept is not None:
                yield kept

    @property
    def _ended_path(self) -> Path:
        return self._folder.with_name(f"{self._folder.name}.memory")

    def _ended(self) -> tuple[str, ...]:
        return tuple(read_private(self._ended_path).decode().split()) if self._ended_path.exists() else ()

    def _path(self, run: str) -> Path:
        return self._folder / f"{run}.json"
