"""The egress guard: the last thing a message passes before it leaves the site, and the ledger of all that left.

It knows the closed list of ``contracts.messages`` and nothing of programs: a frame passes when it is one of these
kinds, speaks for this site alone, is signed by this site, and carries exactly the parts its header declares:
ciphertexts of the one length that a BFV ciphertext has, sealed shares, shares and seeds of one round's masks. So every
number about patients that leaves is an encrypted one.
Each passed frame is written to the hash-chained ledger, durably, before it is handed on.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from contracts.errors import CloisterError, EgressError
from contracts.messages import (
    SEALED_SHARE_BYTES,
    SEED_BYTES,
    SHARE_BYTES,
    Header,
    Refusal,
    RefusalCode,
    ShareMessage,
    TermHeader,
    parse_site_message,
)
from contracts.wire import FrameError, digest, parts_digest, unpack
from governance.audit import AuditLog
from governance.signing import open_message

SLOTS = 4096
"""Slots of one ciphertext; the last holds the tag (SECURE_SUM rules 1 and 3)."""

MIN_CIPHERTEXT, MAX_CIPHERTEXT = 16 * SLOTS, int(16.5 * SLOTS)
"""Bytes of one ciphertext: two polynomials of 4096 64-bit coefficients, and their serialisation's frame."""

_KEPT_FACTS = {"kind", "run", "round", "attempt", "slots", "ciphertexts", "survivors", "shares", "seeds"}

LEDGER = "ledger.jsonl"
AUDIT = "audit.jsonl"


class EgressGuard:
    """Admits frames of the closed list and records them; one writer a site."""

    def __init__(self, folder: Path, site: str, public: str) -> None:
        """Open (or begin) ``ledger.jsonl`` and ``audit.jsonl`` in ``folder``; ``public`` is the site's identity, hex.

        Raises AuditChainError when a chain is broken, UsageError when another process writes it.
        """
        self.site = site
        self.public = public
        self.ledger = AuditLog(folder / LEDGER)
        self.audit = AuditLog(folder / AUDIT)

    def admit(self, frame: bytes) -> bytes:
        """Check and record a frame; returns it. Raises EgressError, audited, when it may not leave."""
        try:
            header = self._check(frame)
        except (CloisterError, FrameError) as error:
            self.audit.append("egress_blocked", {"bytes": len(frame), "sha256": digest(frame)})
            raise EgressError(
                f"a message of {len(frame)} bytes is not on the closed list ({error}); expected one of key, term, "
                "refusal, heartbeat, signed by this site. Nothing was sent."
            ) from error
        self.ledger.append("sent", _facts(header, frame))
        return frame

    def note_refusal(self, code: RefusalCode, run: str, about: str = "") -> None:
        """Say in the audit chain that the site declined, and why; ``about``: digest of what was refused."""
        self.audit.append("refused", {"code": code.value, "run": run, "about": about})

    def close(self) -> None:
        self.ledger.close()
        self.audit.close()

    def _check(self, frame: bytes) -> Header:
        header = parse_site_message(frame)
        _, parts = open_message(frame, type(header), self.public)
        if getattr(header, "site", None) != self.site:
            raise EgressError("it speaks for another site")
        if header.content != parts_digest(parts) or len(unpack(frame).signature) != 64:
            raise EgressError("its parts or its signature are not bound by its header")
        allowed = _allowed_lengths(header)
        if len(parts) != len(allowed):
            raise EgressError(f"it has {len(parts)} parts, its header declares {len(allowed)}")
        if any(not least <= len(part) <= most for part, (least, most) in zip(parts, allowed, strict=True)):
            raise EgressError("a part has not the length that its header declares")
        if isinstance(header, TermHeader) and header.slots > header.ciphertexts * (SLOTS - 1):
            raise EgressError("it declares more slots than its ciphertexts have")
        return header


def _allowed_lengths(header: Header) -> list[tuple[int, int]]:
    """Least and most bytes of each part that a message may have."""
    if isinstance(header, TermHeader):
        sealed = header.shares * SEALED_SHARE_BYTES
        return [(MIN_CIPHERTEXT, MAX_CIPHERTEXT)] * header.ciphertexts + [(sealed, sealed)] * bool(sealed)
    if isinstance(header, ShareMessage):
        revealed = header.shares * SHARE_BYTES + header.seeds * SEED_BYTES
        return [(revealed, revealed)]
    return []


def _facts(header: Header, frame: bytes) -> dict[str, Any]:
    """What the ledger keeps of a sent message: what it was and its digest, never its content."""
    facts = header.model_dump(mode="json", include=_KEPT_FACTS)
    if isinstance(header, Refusal):
        facts["code"] = header.code.value
    return facts | {"bytes": len(frame), "sha256": digest(frame)}
