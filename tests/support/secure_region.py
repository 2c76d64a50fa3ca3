"""A small region with real keys, a real authority and real ciphertexts, for tests of the secure sum."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from contracts.messages import OpenRequest, TermHeader, first_state, parse_site_message
from contracts.sums import Layout
from contracts.wire import canonical, digest, pack, parts_digest, unpack
from governance.approvals import Approval, sign_approval
from governance.audit import read_audit
from governance.files import write_durable, write_private
from governance.roster import Roster, make_roster, read_roster
from governance.signing import Identity, make_identity, open_message
from governance.vault import Unlock, make_vault
from secure_compute.aggregate import Aggregator
from secure_compute.authority.opener import Opener
from secure_compute.authority_client import AuthorityClient
from secure_compute.head_memory import HeadMemory
from secure_compute.run_messages import Total
from secure_compute.site_session import SiteSession

REGION, TASK, PROGRAM = "testland", "sepsis", digest(b"a program")
SNAPSHOT = digest(b"a snapshot")


class DirectAuthority(AuthorityClient):
    """The coordinator's client, wired to an opener in this process instead of HTTPS."""

    def __init__(self, opener: Opener, roster: Roster, memory: Path) -> None:
        self.opener = opener
        self._roster = roster
        self._memory = HeadMemory(memory)

    def _call(self, method: str, path: str, body: bytes = b"", *, patience: float | None = None) -> bytes:
        parts = path.strip("/").split("/")
        if parts[1:] == ["runs"]:
            return self.opener.create_run(body)
        act = {"keys": self.opener.register_keys, "open": self.opener.open, "model": self.opener.sign_model}
        run, name = parts[2], parts[3]
        if name == "status":
            return self.opener.status(run)
        return self.opener.close_run(run) if name == "close" else act[name](run, body)

    def close(self) -> None:
        self.opener.close()


@dataclass
class RunningRun:
    """A run with all sites joined."""

    run: str
    descriptor: bytes
    sessions: dict[str, SiteSession]
    aggregator: Aggregator
    authority: AuthorityClient

    def contributions(
        self,
        layout: Layout,
        terms: Mapping[str, Mapping[str, np.ndarray]],
        attempt: int = 0,
        members: Sequence[str] | None = None,
    ) -> dict[str, bytes]:
        """Frames of the sites of ``terms``, masked among ``members`` (default: these sites)."""
        among = sorted(terms if members is None else members)
        return {
            site: self.sessions[site].contribute(self.aggregator.round, attempt, layout, term, SNAPSHOT, among)
            for site, term in terms.items()
        }

    def closed(
        self,
        layout: Layout,
        contributions: Mapping[str, bytes],
        attempt: int = 0,
        members: Sequence[str] | None = None,
    ) -> bytes:
        """Add the contributions up and close the round; what the coordinator keeps of it."""
        among = sorted(contributions if members is None else members)
        self.aggregator.start(self.aggregator.round, attempt, layout, self.aggregator.state, among)
        for contribution in contributions.values():
            self.aggregator.add(contribution)
        return self.aggregator.close()

    def request(
        self,
        layout: Layout,
        contributions: Mapping[str, bytes],
        attempt: int = 0,
        members: Sequence[str] | None = None,
        silent: Sequence[str] = (),
    ) -> bytes:
        """An honest coordinator's request to open the sum of these contributions; ``silent`` sites reveal nothing."""
        self.closed(layout, contributions, attempt, members)
        self.unmask(attempt, silent)
        return self.aggregator.request()

    def unmask(self, attempt: int = 0, silent: Sequence[str] = ()) -> None:
        """Let the survivors agree, where a member dropped out, and reveal."""
        added = self.aggregator
        survivors, place = added.sites, (added.round, attempt, added.members)
        if survivors != added.members:
            for site in survivors:
                added.agree(self.sessions[site].agree(*place, survivors))
        for site in survivors:
            if site not in silent:
                sealed = added.sealed_for(site)
                added.reveal(self.sessions[site].reveal(*place, survivors, sealed, added.agreements))

    def open(
        self,
        layout: Layout,
        terms: Mapping[str, Mapping[str, np.ndarray]],
        members: Sequence[str] | None = None,
        silent: Sequence[str] = (),
    ) -> Total:
        """A whole honest round: contribute, add, unmask, open, and every site accepts the total.

        Args:
            members: sites that are asked; those without a term drop out. Default: the sites of ``terms``.
            silent: sites that contribute and then reveal nothing.
        """
        frames = self.contributions(layout, terms, members=members)
        signed = self.authority.open(self.run, self.request(layout, frames, members=members, silent=silent))
        total = self.aggregator.accept_total(signed)
        for site, session in self.sessions.items():
            values = session.accept_total(signed)
            assert all(np.array_equal(values[name], total.values()[name]) for name in values), site
        return total


@dataclass
class SecureRegion:
    """Keys, roster and approvals of a region below ``root``; ``authority()`` starts an opener in this process."""

    root: Path
    sites: tuple[str, ...]
    quorum: int | None = None
    approvals: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.commission = make_identity(self.root / "commission.key")
        self.unlock = Unlock(passphrase_file=self.root / "authority.passphrase")
        write_private(self.root / "authority.passphrase", b"a passphrase of this test")
        self.vault = make_vault(self.folder, self.unlock, cost=2)
        self.authority_identity = make_identity(self.folder / "secrets" / "authority.key", self.vault)
        self.identities: dict[str, Identity] = {
            site: make_identity(self.root / site / "identity.key") for site in self.sites
        }
        self.signed_roster = make_roster(
            REGION,
            {site: identity.public for site, identity in self.identities.items()},
            authority=self.authority_identity.public,
            commission=self.commission,
            tls_root=digest(b"root"),
            quorum=self.quorum,
        )
        self.roster = read_roster(self.signed_roster, self.commission.public)
        self.approve(**self.approvals)

    @property
    def folder(self) -> Path:
        return self.root / "authority"

    def approve(self, *, days: float = 30.0, **changes: object) -> Approval:
        """Sign an approval for ``days`` from yesterday on (negative: it is over)."""
        now = datetime.now(UTC)
        body = {
            "name": "test",
            "region": REGION,
            "task": TASK,
            "program": PROGRAM,
            "purpose": "tests",
            "valid_from": (now - timedelta(days=400)).isoformat(),
            "valid_until": (now + timedelta(days=days)).isoformat(),
            "at_least": 2,
            "bilateral": len(self.sites) < 3,
        } | changes
        approval = Approval.model_validate(body)
        write_durable(self.folder / "approvals" / "test.json", sign_approval(self.commission, approval))
        return approval

    def opener(self) -> Opener:
        return Opener(self.folder, self.authority_identity, self.roster, self.vault)

    def authority(self) -> DirectAuthority:
        return DirectAuthority(self.opener(), self.roster, self.root / "coordinator.head")

    def session(self, site: str) -> SiteSession:
        return SiteSession(
            site, self.identities[site], self.roster, self.root / site / "authority.head", self.root / site / "runs"
        )

    def start(self, authority: AuthorityClient, sites: Sequence[str] | None = None) -> RunningRun:
        """Grant a run and let sites join it."""
        descriptor = authority.create_run(TASK, PROGRAM)
        sessions = {site: self.session(site) for site in (sites or self.sites)}
        keys = {site: session.join(descriptor, PROGRAM) for site, session in sessions.items()}
        aggregator = Aggregator(descriptor, self.roster)
        run = aggregator.run.descriptor.run
        aggregator.learn_keys(keys.values())
        for site, sealed in authority.register_keys(run, keys).items():
            sessions[site].receive_seed(sealed)
            sessions[site].receive_keys(keys.values())
        assert all(session.state == first_state(PROGRAM) for session in sessions.values())
        return RunningRun(run, descriptor, sessions, aggregator, authority)

    def refusals(self) -> list[str]:
        """Codes of the refusals in the authority's audit chain, which is proved on the way."""
        return [str(e.facts["code"]) for e in read_audit(self.folder / "audit.jsonl") if e.event == "refused"]


def forge(
    request: bytes, *, heads: Sequence[bytes] | None = None, sums: Sequence[bytes] | None = None, **fields: object
) -> bytes:
    """What a malicious coordinator sends: an honest request with other signed headers, ciphertexts or fields.

    ``heads``: with the agreements behind them, if there are any.
    """
    header, parts = open_message(request, OpenRequest, None)
    count = len(header.sites) + header.agreements
    new_parts = [*(parts[:count] if heads is None else heads), *(parts[count:] if sums is None else sums)]
    forged = header.model_copy(update={"content": parts_digest(new_parts), **fields})
    return pack(canonical(forged), b"", new_parts)


def ciphertexts_of(contribution: bytes) -> list[bytes]:
    """The ciphertexts of a site's contribution, without the sealed shares behind them."""
    header = parse_site_message(contribution)
    assert isinstance(header, TermHeader)
    return [bytes(part) for part in unpack(contribution).parts[: header.ciphertexts]]


def head_of(contribution: bytes) -> bytes:
    """A contribution's signed header without its ciphertexts."""
    frame = unpack(contribution)
    return pack(frame.header, frame.signature)
