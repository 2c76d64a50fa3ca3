"""How a text becomes n-gram buckets: the same steps in a hospital's training process and where a request is scored.

No n-gram string is ever part of a model: a bucket, a number from a stable hash, is the feature (SECURE_SUM rule 14).
Several n-grams may share a bucket, and nobody can tell from the model which n-grams a bucket holds.
"""

from __future__ import annotations

import hashlib
import math
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

_BREAK = re.compile(r"[\W_]+")


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


class BucketCounts(NamedTuple):
    """How often each bucket occurs in the texts of each row: three arrays of one length, ordered by row and bucket.

    Attributes:
        row, bucket: int64; a pair stands once.
        times: float64, at least 1.
    """

    row: np.ndarray
    bucket: np.ndarray
    times: np.ndarray


def count_buckets(
    columns: Mapping[str, np.ndarray], names: Sequence[str], sizes: Sequence[int], buckets: int
) -> BucketCounts:
    """Count the buckets of the text columns ``names``, all together; rows without text have none.

    Buckets of n-grams already met are remembered for the length of the call, not longer: they are pieces of texts.
    """
    rows, numbers = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for name in names:
        seen: dict[str, int] = {}
        for row, text in enumerate(columns[name]):
            if text is None:
                continue
            hits = []
            for gram in ngrams(normalise_text(text), sizes):
                number = seen.get(gram)
                if number is None:
                    number = seen[gram] = bucket(gram, buckets, name)
                hits.append(number)
            rows.append(np.full(len(hits), row, np.int64))
            numbers.append(np.array(hits, np.int64))
    pairs, counts = np.unique(np.concatenate(rows) * buckets + np.concatenate(numbers), return_counts=True)
    return BucketCounts(*np.divmod(pairs, buckets), counts.astype(np.float64))


def log_frequency(counts: np.ndarray) -> np.ndarray:
    """Weight of a bucket that occurs ``counts`` times in a text: 1 + ln(counts), counts >= 1."""
    return 1.0 + np.log(np.asarray(counts, np.float64))


def inverse_patient_frequency(patients: np.ndarray, total: float) -> np.ndarray:
    """Weight of a bucket that ``patients`` of ``total`` patients have: 1 + ln((1 + total) / (1 + patients))."""
    return 1.0 + math.log(1.0 + total) - np.log1p(np.asarray(patients, np.float64))
