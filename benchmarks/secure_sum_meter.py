"""CPU seconds of named steps of the real code, wrapped where they are looked up; a step excludes those inside it."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from typing import Any

from secure_compute import site_session, unmask
from secure_compute.aggregate import Aggregator
from secure_compute.authority import opener
from secure_compute.authority.ledger import Ledger
from secure_compute.bfv import BfvContext, Ciphertext
from secure_compute.site_session import SiteSession

Hook = tuple[Any, str, str]
"""Owner, attribute, name of the step."""

SITE: Sequence[Hook] = (
    (site_session, "encode", "clip, encode"),
    (site_session, "append_tags", "tag"),
    (SiteSession, "_mask", "masks"),
    (site_session, "add", "masks"),
    (SiteSession, "_seal_shares", "sealed shares"),
    (BfvContext, "encrypt", "encrypt"),
    (Ciphertext, "to_bytes", "serialise"),
    (SiteSession, "_write", "write down, fsync"),
    (site_session, "parts_digest", "digest, sign"),
    (site_session, "sign_message", "digest, sign"),
)
COORDINATOR: Sequence[Hook] = (
    (BfvContext, "read", "read ciphertexts"),
    (Ciphertext, "add", "add"),
    (Ciphertext, "to_bytes", "serialise"),
    (Aggregator, "close", "keep the round"),
    (unmask.Reveals, "mask_sum", "sum of the masks"),
    (Ciphertext, "subtract_plain", "remove the masks"),
)
AUTHORITY: Sequence[Hook] = (
    (opener, "judge_opening", "read headers, judge"),
    (BfvContext, "read", "read ciphertexts"),
    (BfvContext, "decrypt", "decrypt"),
    (opener, "holds", "check tags"),
    (opener, "pads", "check tags"),
    (Ledger, "record", "ledger, fsync"),
    (Ledger, "store_answer", "ledger, fsync"),
)


class Meter:
    """Adds up this thread's CPU seconds by step. ``rest``: what a part took beside its steps."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._inner = [0.0]

    def __call__(self, step: str, work: Callable[[], Any]) -> Any:
        began = time.thread_time()
        self._inner.append(0.0)
        try:
            return work()
        finally:
            took = time.thread_time() - began
            self.seconds[step] += took - self._inner.pop()
            self._inner[-1] += took

    @contextmanager
    def part(self, name: str, hooks: Sequence[Hook]) -> Iterator[None]:
        """Count the steps of ``hooks``; what no step explains is ``name: rest``."""
        before = [(owner, attribute, getattr(owner, attribute)) for owner, attribute, _ in hooks]
        for (owner, attribute, step), (_, _, original) in zip(hooks, before, strict=True):
            setattr(owner, attribute, self._wrapped(f"{name}: {step}", original))
        began = time.thread_time()
        self._inner.append(0.0)
        try:
            yield
        finally:
            took = time.thread_time() - began
            self.seconds[f"{name}: rest"] += took - self._inner.pop()
            for owner, attribute, original in before:
                setattr(owner, attribute, original)

    def _wrapped(self, step: str, original: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(original)
        def counted(*arguments: Any, **named: Any) -> Any:
            return self(step, lambda: original(*arguments, **named))

        return counted
