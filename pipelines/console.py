"""What a person sees while a job runs: one line a finished stage, with the time since the start."""

from __future__ import annotations

import sys
import time
from typing import TextIO


class Console:
    """Progress lines ``[ 12.3s] north     silver    1,204 records: ...`` on one stream."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout
        self._start = time.monotonic()

    @property
    def seconds(self) -> float:
        """Seconds since the console was made."""
        return time.monotonic() - self._start

    def say(self, words: str = "") -> None:
        """Print a line as it is."""
        print(words, file=self._stream, flush=True)

    def stage(self, who: str, stage: str, words: str) -> None:
        """Print that ``who`` (a site, ``region``) finished a stage."""
        self.say(f"[{self.seconds:6.1f}s] {who:<12} {stage:<10} {words}")
