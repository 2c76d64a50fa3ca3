"""How a text becomes n-gram buckets: the same steps in a hospital's training process and where a request is scored.

No n-gram string is ever part of a model: a bucket, a number from a stable hash, is the feature (SECURE_SUM rule 14).
Several n-grams may share a bucket, and nobody can tell from the model which n-grams a bucket holds.
"""

from __future__ import annotations

import hashlib
import math
import re
import unicodedata
from collections.abc import Iterable, Sequence

import numpy as np

_BREAK = re.compile(r"[\W_]+")
_CACHE_LIMIT = 2_000_000


def normalise_text(text: str) -> str:
    """NFKC, lower case, every run of what is neither letter nor digit becomes one space.

    >>> normalise_text("发热３天，咳嗽。CT（-）")
    '发热3天 咳嗽 ct'
    """
    return _BREAK.sub(" ", unicodedata.normalize("NFKC", text).lower()).strip()


def ngrams(text: str, sizes: Iterable[int]) -> list[str]:
    """All character n-grams of a normalised text, repeated as they occur, by size and then by position.

    Text starts and ends with a space, so that a size of 2 or more sees where a word group begins and ends; a lone
    space is no n-gram.

    >>> ngrams("咳嗽", (1, 2))
    ['咳', '嗽', ' 咳', '咳嗽', '嗽 ']
    """
    if not text:
        return []
    padded = f" {text} "
    found: list[str] = []
    for size in sizes:
        found += [padded[i : i + size] for i in range(len(padded) - size + 1)]
    return [gram for gram in found if gram != " "]


def bucket(gram: str, buckets: int, salt: str = "") -> int:
    """The bucket, 0 to ``buckets`` - 1, of an n-gram: BLAKE2b (8 bytes, big endian) of ``salt``, NUL, n-gram, modulo.

    ``salt`` is the name of the input, so that the same n-gram of two inputs is two features. The same on every
    machine and in every version of Python.
    """
    digest = hashlib.blake2b(f"{salt}\0{gram}".encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big") % buckets


class BucketCounter:
    """Counts the buckets of texts; remembers the bucket of n-grams it has seen, for speed only.

    Attributes:
        sizes: lengths of n-grams.
        buckets: how many buckets there are.
        salt: name of the input.
    """

    def __init__(self, sizes: Sequence[int], buckets: int, salt: str) -> None:
        self.sizes = tuple(sizes)
        self.buckets = buckets
        self.salt = salt
        self._seen: dict[str, int] = {}

    def count(self, text: str | None) -> tuple[np.ndarray, np.ndarray]:
        """Buckets of a text, ascending and unique, and how often each occurs (both int64; empty for no text)."""
        if text is None:
            return np.empty(0, np.int64), np.empty(0, np.int64)
        if len(self._seen) > _CACHE_LIMIT:
            self._seen.clear()
        seen = self._seen
        hits = []
        for gram in ngrams(normalise_text(text), self.sizes):
            number = seen.get(gram)
            if number is None:
                number = seen[gram] = bucket(gram, self.buckets, self.salt)
            hits.append(number)
        return np.unique(np.array(hits, np.int64), return_counts=True)


def log_frequency(counts: np.ndarray) -> np.ndarray:
    """Weight of a bucket that occurs ``counts`` times in a text: 1 + ln(counts), counts >= 1."""
    return 1.0 + np.log(np.asarray(counts, np.float64))


def inverse_patient_frequency(patients: np.ndarray, total: float) -> np.ndarray:
    """Weight of a bucket that ``patients`` of ``total`` patients have: 1 + ln((1 + total) / (1 + patients))."""
    return 1.0 + math.log(1.0 + total) - np.log1p(np.asarray(patients, np.float64))
