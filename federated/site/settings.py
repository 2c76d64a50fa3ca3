"""Settings of a site's worker, read once from a JSON file that the hospital's set-up writes."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from contracts.errors import UsageError
from contracts.feature_spec import Frozen
from contracts.zone import SiteZone
from federated.keys import SUPEREXEC_SECRET
from federated.runtime import Endpoint
from governance.files import read_private

IDENTITY_KEY = "identity.key"


class WorkerSettings(Frozen):
    """What one worker needs to know.

    Attributes:
        site: the site's name.
        zone: the site's own folder (contracts.zone): lake, secrets, egress, logs.
        region: the site's own copy of the region folder: its tasks and programs come from there, never from a message.
        roster: the signed roster.
        commission: the commission's public key (hex), compared by the hospital with what it was told in person.
        runtime: address of the site's own SuperNode, ``127.0.0.1:port``.
        ca: PEM root that signed the SuperNode's certificate.
        programs: the installed module that gives ``program_for(task)`` and ``program_digest(task)``.
        log_file: where the worker writes its log; never leaves the site.
    """

    site: str
    zone: Path
    region: Path
    roster: Path
    commission: str
    runtime: str
    ca: Path
    programs: str = "federated.programs"
    log_file: Path

    @classmethod
    def load(cls, path: Path) -> WorkerSettings:
        """Read the file. Raises UsageError naming what is wrong with it."""
        try:
            return cls.model_validate_json(path.read_bytes())
        except (OSError, ValidationError) as error:
            raise UsageError(f"{path}: no worker settings: {error}") from error

    @property
    def site_zone(self) -> SiteZone:
        return SiteZone(self.zone, self.site)

    def endpoint(self) -> Endpoint:
        """Where the worker takes its tasks. Raises CredentialError for a secret that others may read."""
        return Endpoint(self.runtime, self.ca, read_private(self.site_zone.secrets / SUPEREXEC_SECRET))
