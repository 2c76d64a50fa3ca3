"""What a run has received over the wire, by site; kept with the checkpoint, so that a restart forgets none of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from contracts.messages import TermHeader
from federated.coordinator.checkpoint import Checkpoint

SLOTS = 4096


@dataclass
class Tally:
    """Attributes:
    snapshots: digest of each contributing site's data.
    bytes_out: bytes of all frames that each site sent.
    ciphertexts: how many each site sent.
    ciphertext_bytes: of all of them.
    """

    snapshots: dict[str, str] = field(default_factory=dict)
    bytes_out: Counter[str] = field(default_factory=Counter)
    ciphertexts: Counter[str] = field(default_factory=Counter)
    ciphertext_bytes: int = 0

    @classmethod
    def read(cls, checkpoint: Checkpoint) -> Tally:
        """What was kept of a run, or nothing yet."""
        kept = checkpoint.tally
        return cls(
            kept.get("snapshots", {}),
            Counter(kept.get("bytes_out", {})),
            Counter(kept.get("ciphertexts", {})),
            kept.get("ciphertext_bytes", 0),
        )

    @property
    def bytes_per_slot(self) -> float:
        return self.ciphertext_bytes / (SLOTS * max(1, sum(self.ciphertexts.values())))

    def add_bytes(self, site: str, count: int) -> None:
        self.bytes_out[site] += count

    def add_term(self, header: TermHeader, parts: Sequence[memoryview]) -> None:
        """A term that was added to the sum."""
        self.snapshots[header.site] = header.snapshot
        self.ciphertexts[header.site] += header.ciphertexts
        self.ciphertext_bytes += sum(len(part) for part in parts[: header.ciphertexts])

    def as_json(self) -> dict[str, Any]:
        return {
            "snapshots": dict(sorted(self.snapshots.items())),
            "bytes_out": dict(sorted(self.bytes_out.items())),
            "ciphertexts": dict(sorted(self.ciphertexts.items())),
            "ciphertext_bytes": self.ciphertext_bytes,
        }
