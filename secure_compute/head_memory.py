"""What a party remembers of the authority's audit chain, so that a restored old ledger is noticed (SECURE_SUM 10)."""

from __future__ import annotations

from pathlib import Path

from contracts.errors import RefusedError
from contracts.messages import Head, RefusalCode
from contracts.wire import canonical, parse_canonical
from governance.files import write_durable


class HeadMemory:
    """The furthest audit head of the authority that this party has seen, in a file of its own."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def last(self) -> Head | None:
        """Read each time: several runs of one party share the file."""
        return parse_canonical(self._path.read_bytes(), Head) if self._path.exists() else None

    def remember(self, head: Head) -> None:
        """Keep a head that the authority signed. Older heads change nothing: messages may arrive late.

        Raises:
            RefusedError: ledger_restored when the chain stood differently at the same length.
        """
        last = self.last
        if last is not None and head.entries == last.entries and head.last != last.last:
            raise RefusedError(RefusalCode.LEDGER_RESTORED, f"the authority has two chains of {head.entries} entries")
        if last is None or head.entries > last.entries:
            write_durable(self._path, canonical(head))

    def require_fresh(self, head: Head, shown: Head | None) -> None:
        """Keep a head that the authority made after we showed it ``shown`` (what we remembered then).

        Raises:
            RefusedError: ledger_restored when it is behind what we showed, or differs from what was seen before.
        """
        if shown is not None and head.entries < shown.entries:
            raise RefusedError(
                RefusalCode.LEDGER_RESTORED,
                f"the authority's audit chain has {head.entries} entries; it had {shown.entries}: it was restored",
            )
        self.remember(head)
