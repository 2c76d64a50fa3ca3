"""The same exchanges in the clear, for comparison only: no tag, no mask, no encryption; 8 bytes a slot on the wire.

    python -m benchmarks.secure_sum_clear MODULE ARGUMENTS...       runs any module of the federation so

Everything else stays as it is: processes, messages, signatures, ledgers. It exists here and nowhere in the product.
"""

from __future__ import annotations

import runpy
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from contracts.messages import SEALED_SHARE_BYTES, SHARE_BYTES
from federated.site import egress
from secure_compute import masks, site_session, unmask
from secure_compute.authority import opener
from secure_compute.bfv import SLOTS, BfvContext, Ciphertext
from secure_compute.modular import Residues, add
from secure_compute.site_session import SiteSession


class ClearVector:
    """Stands where TenSEAL's vector would."""

    def __init__(self, residues: Residues) -> None:
        self.residues = residues

    def serialize(self) -> bytes:
        return self.residues.tobytes()

    def add_(self, other: ClearVector) -> None:
        self.residues = add(self.residues, other.residues)


def _append_no_tags(values: Residues, *_: object) -> Residues:
    tagged = np.zeros((values.shape[0], SLOTS), np.uint64)
    tagged[:, :-1] = values
    return tagged


_PATCHES: tuple[tuple[Any, str, Any], ...] = (
    (BfvContext, "encrypt", lambda _, residues: Ciphertext(ClearVector(residues))),
    (BfvContext, "read", lambda _, data: Ciphertext(ClearVector(np.frombuffer(data, np.uint64)))),
    (BfvContext, "decrypt", lambda _, ciphertext: ciphertext.vector.residues),
    (Ciphertext, "subtract_plain", lambda *_: None),
    (site_session, "append_tags", _append_no_tags),
    (SiteSession, "_mask", lambda *_: np.zeros((), np.uint64)),
    (site_session, "add", lambda tagged, _: tagged),
    (SiteSession, "_seal_shares", lambda _, others, *__: bytes(SEALED_SHARE_BYTES * len(others))),
    (SiteSession, "_share_of", lambda *_: bytes(SHARE_BYTES)),
    (masks, "self_seed", lambda *_: np.zeros(masks.SEED_RESIDUES, np.uint64)),
    (unmask.Reveals, "mask_sum", lambda reveals: [None] * len(reveals._pending.sums)),
    (opener, "holds", lambda *_: True),
    (opener, "pads", lambda seed, binding, site, chunks: np.zeros(chunks, np.uint64)),
    (egress, "MIN_CIPHERTEXT", 8 * SLOTS),
)


@contextmanager
def in_the_clear() -> Iterator[None]:
    """The secure sum of this process without cryptography on values."""
    before = [(owner, name, getattr(owner, name)) for owner, name, _ in _PATCHES]
    for owner, name, plain in _PATCHES:
        setattr(owner, name, plain)
    try:
        yield
    finally:
        for owner, name, original in before:
            setattr(owner, name, original)


def main() -> None:
    """Run the module named first on the command line in the clear, as ``python -m`` would."""
    del sys.argv[0]
    with in_the_clear():
        runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
