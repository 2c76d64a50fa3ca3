"""Bulletins: a hospital's operations messages, signed with its identity, and what the commission accepts of them.

A bulletin is a signed record ``operations`` (governance.signing): region, site, the instant it was made, the messages.
Who reads it takes the site's key from the roster that the commission signed. Of each site the latest bulletin alone
counts, and none that is older than the last one seen: ``WORK/authority/operations.json`` remembers instant and digest.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from contracts.errors import CredentialError, IntegrityError, UsageError
from contracts.operations import Bulletin, OperationsMessage, parse_operations_message
from contracts.wire import FrameError, canonical, digest
from contracts.zone import SiteZone, WorkArea
from governance.files import write_durable, write_private
from governance.roster import Roster
from governance.signing import load_identity, open_record, sign_record
from pipelines.rosters import read_region_roster

KIND = "operations"
IDENTITY = "identity.key"
MEMORY = "operations.json"
AHEAD = timedelta(minutes=10)
"""So far may a hospital's clock be ahead of the reader's. A bulletin from further ahead is not accepted, so it is not
remembered either, and does not stand before those that the hospital sends when its clock is right."""

_INSTANT = "%Y-%m-%dT%H:%M:%S.%fZ"


@dataclass(frozen=True)
class Signed:
    """A bulletin as it is sent (JSON text), and where it was found."""

    data: bytes
    place: str


@dataclass(frozen=True)
class Refused:
    """A bulletin whose numbers are not used.

    Attributes:
        site: that it claims to be of; None where it does not say so.
    """

    site: str | None
    place: str
    reason: str


@dataclass(frozen=True)
class Accepted:
    """A bulletin that its hospital signed and that none later replaces."""

    bulletin: Bulletin
    messages: tuple[OperationsMessage, ...]
    signed: Signed

    @property
    def digest(self) -> str:
        return digest(canonical(self.bulletin))


def sign_messages(zone: SiteZone, region: str, messages: Sequence[OperationsMessage]) -> Signed:
    """A hospital's bulletin of now. Raises CredentialError when the zone has no identity."""
    path = zone.secrets / IDENTITY
    if not path.exists():
        raise CredentialError(
            f"site '{zone.site}' has no identity to sign its messages with ({path}): make one with cloister key make"
        )
    at = datetime.now(UTC).strftime(_INSTANT)
    told = tuple(message.model_dump(mode="json") for message in messages)
    bulletin = Bulletin(region=region, site=zone.site, at=at, messages=told)
    return Signed(sign_record(load_identity(path), KIND, bulletin), f"made at {at}")


def read_signed(paths: Iterable[Path]) -> list[Signed]:
    """What files hold, unchecked. Raises UsageError when one is not there or holds no bulletins."""
    found = []
    for path in paths:
        try:
            bodies: list[Any] = json.loads(path.read_text(encoding="utf-8"))["bulletins"]
            found += [Signed(json.dumps(body).encode(), path.name) for body in bodies]
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise UsageError(f"{path} is no file of operations messages ({type(error).__name__})") from error
    return found


def write_signed(path: Path, bulletins: Sequence[Signed]) -> None:
    """Bulletins as one file to send."""
    body = {"bulletins": [json.loads(one.data) for one in bulletins]}
    write_durable(path, (json.dumps(body, ensure_ascii=False, indent=1) + "\n").encode())


def accept(
    bulletins: Sequence[Signed], roster: Roster, seen: Mapping[str, Mapping[str, str]]
) -> tuple[list[Accepted], list[Refused]]:
    """The latest bulletin of each site, and those whose numbers may not be used.

    Args:
        seen: ``site -> {"at", "digest"}`` of the last one seen.
    """
    accepted: dict[str, Accepted] = {}
    refused = []
    for signed in bulletins:
        found = _check(signed, roster)
        if isinstance(found, Refused):
            refused.append(found)
            continue
        site = found.bulletin.site
        last = seen.get(site)
        if (
            last
            and (found.bulletin.at, found.digest) != (last["at"], last["digest"])
            and found.bulletin.at <= last["at"]
        ):
            refused.append(Refused(site, signed.place, f"older than the last one seen, of {last['at']}"))
            continue
        earlier, later = sorted((accepted.get(site, found), found), key=lambda one: one.bulletin.at)
        if earlier.digest != later.digest:
            refused.append(Refused(site, earlier.signed.place, f"a later one is here, of {later.bulletin.at}"))
        accepted[site] = later
    return [accepted[site] for site in sorted(accepted)], refused


def _check(signed: Signed, roster: Roster) -> Accepted | Refused:
    """Whether a site of this region signed it, and about itself only."""
    body = json.loads(signed.data)
    record = body.get("record") if isinstance(body, dict) else None
    claimed = record.get("site") if isinstance(record, dict) else None
    known = claimed if isinstance(claimed, str) and claimed in roster.sites else None

    def refuse(reason: str) -> Refused:
        return Refused(known, signed.place, reason)

    if not isinstance(body, dict) or not isinstance(record, dict) or not body.get("signature"):
        return refuse("not signed")
    identity = roster.identity(known) if known else None
    if known is None or identity is None:
        return refuse("foreign: of no hospital on the roster")
    try:
        bulletin = open_record(signed.data, KIND, Bulletin, identity)
        made = _instant(bulletin.at)
    except (IntegrityError, ValueError):
        return refuse("altered, or signed by another than the hospital that it names")
    if bulletin.region != roster.region:
        return refuse("foreign: made for another region")
    now = datetime.now(UTC)
    if made > now + AHEAD:
        return refuse(
            f"dated in the future: '{known}' made it at {bulletin.at}, and here it is {now.strftime(_INSTANT)}. Set "
            "the clock that is wrong, and let the hospital make its messages again"
        )
    try:
        messages = tuple(parse_operations_message(canonical(message)) for message in bulletin.messages)
    except (FrameError, ValueError):
        return refuse("holds something that is not on the list of operations messages")
    if any(message.site != bulletin.site for message in messages):
        return refuse("foreign: speaks of another hospital")
    return Accepted(bulletin, messages, signed)


def _instant(text: str) -> datetime:
    return datetime.strptime(text, _INSTANT).replace(tzinfo=UTC)


def receive(area: WorkArea, paths: Sequence[Path]) -> tuple[list[Accepted], list[Refused]]:
    """What hospitals sent, checked by the roster of the work directory; what is accepted is remembered.

    Raises:
        UsageError: there is no roster, or a file holds no bulletins.
        IntegrityError: the roster was altered, or what was remembered.
    """
    roster, path = read_region_roster(area), area.authority / MEMORY
    try:
        seen = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        before = {site: {"at": str(one["at"]), "digest": str(one["digest"])} for site, one in seen.items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise IntegrityError(f"{path} was altered: restore it from a backup") from error
    accepted, refused = accept(read_signed(paths), roster, before)
    now = {one.bulletin.site: {"at": one.bulletin.at, "digest": one.digest} for one in accepted}
    if {**before, **now} != before:
        write_private(path, json.dumps({**before, **now}, indent=1).encode() + b"\n")
    return accepted, refused
