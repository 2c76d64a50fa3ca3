"""Which tokens were used: kept until they expire, across restarts too."""

from __future__ import annotations

import hashlib
import os
import threading
from pathlib import Path

from governance.files import write_durable


class UsedTokens:
    """A file of digests, one line a token: ``<expiry> <SHA-256 of issuer and jti>``."""

    def __init__(self, path: Path, now: float) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._expiry = {digest: expiry for digest, expiry in _read(path) if expiry > now}
        self._descriptor = self._rewrite()

    def take(self, name: str, expires: float, now: float) -> bool:
        """Mark a token as used. False when it was already; the mark is in the file before this returns."""
        digest = hashlib.sha256(name.encode()).hexdigest()
        with self._lock:
            if self._expiry.get(digest, 0) > now:
                return False
            if len(self._expiry) > 2 * self._kept + 1000:
                self._expiry = {one: expiry for one, expiry in self._expiry.items() if expiry > now}
                os.close(self._descriptor)
                self._descriptor = self._rewrite()
            self._expiry[digest] = expires
            # one short write in append mode: whole or absent after a crash
            os.write(self._descriptor, f"{expires} {digest}\n".encode())
        return True

    def close(self) -> None:
        os.close(self._descriptor)

    def _rewrite(self) -> int:
        """Write the file anew without what expired; a descriptor that appends to it."""
        lines = "".join(f"{expiry} {digest}\n" for digest, expiry in self._expiry.items())
        write_durable(self._path, lines.encode(), 0o600)
        self._kept = len(self._expiry)
        return os.open(self._path, os.O_WRONLY | os.O_APPEND)


def _read(path: Path) -> list[tuple[str, float]]:
    if not path.exists():
        return []
    pairs = [line.split(" ") for line in path.read_text(encoding="ascii").splitlines()]
    return [(pair[1], float(pair[0])) for pair in pairs if len(pair) == 2 and len(pair[1]) == 64]
