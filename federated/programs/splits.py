"""Which rows a fit does not see: folds within a site, and a holdout side. No key, no randomness beyond a seed."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np


def content_digest(cells: Sequence[str]) -> str:
    """SHA-256, hex, of the cells; which cell a text stands in matters."""
    return hashlib.sha256("\x1f".join(cells).encode("utf-8", "surrogatepass")).hexdigest()


def is_held_out(digest: str, share: float) -> bool:
    """Whether the patient with this content digest is on the test side; equal digests are on the same side."""
    return int(digest[:12], 16) < share * 16**12


def fold_of(digests: Sequence[str], strata: Sequence[str], folds: int, seed: int) -> np.ndarray:
    """The fold, 0 to ``folds`` - 1, of each patient of one site: stratified, sizes differ by at most one.

    Patients of a stratum (label) are ordered by a hash of seed and content and dealt out in turn; the next stratum
    goes on where the last one stopped. Patients with equal content are interchangeable.

    Args:
        digests: content digest of each patient.
        strata: label of each patient.
    """
    order = sorted(
        range(len(digests)),
        key=lambda at: (strata[at], hashlib.sha256(f"{seed}:{digests[at]}".encode()).digest()),
    )
    fold = np.empty(len(digests), np.int64)
    fold[order] = np.arange(len(digests)) % folds
    return fold
