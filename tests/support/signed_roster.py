"""A signed roster in a work directory, and an identity in each zone, without certificates and processes."""

from __future__ import annotations

from contracts.region import Region
from contracts.zone import WorkArea
from governance.files import write_durable
from governance.roster import make_roster
from governance.signing import Identity, make_identity
from pipelines.rosters import COMMISSION_KEY, ROSTER

OTHERS = ("far", "near")
"""Sites that fill the roster of a small region; their identities lie in their zones too."""


def sign_roster(area: WorkArea, region: Region) -> dict[str, Identity]:
    """Identities by site, those of the region and two others."""
    names = sorted({*(site.name for site in region.sites), *OTHERS})
    identities = {name: make_identity(area.site(name).secrets / "identity.key") for name in names}
    commission, authority = (make_identity(area.root / "keys" / name) for name in ("commission", "authority"))
    public = {name: identity.public for name, identity in identities.items()}
    roster = make_roster(region.name, public, authority=authority.public, commission=commission, tls_root="0" * 64)
    write_durable(area.pki / ROSTER, roster)
    write_durable(area.pki / COMMISSION_KEY, commission.public.encode())
    return identities
