"""Where each party keeps its things below a work directory: paths only, nothing is opened here.

WORK/sites/<site>/      landing/<day>/ files as delivered   lake/<table>/ Delta
                        secrets/   governance/   egress/   logs/   runs/<run>/ while it lasts
WORK/authority/         secrets/   ledger/   approvals/   revoked/   audit.jsonl   unlock.toml
WORK/approvers/<name>/  secrets/   approver.pub
WORK/passphrases/       what unlocks the authority's keys; on a medium of its own in a real region
WORK/coordinator/       checkpoint and logs of runs
WORK/registry/<task>/   released models
WORK/gateway/           TLS, registered clinics
WORK/pki/               the region's roots: certificates only the public side of which is shared
WORK/dagster/           DAGSTER_HOME: runs, events
WORK/report.json
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

SITE_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")
TABLE_NAME = re.compile(r"[a-z]+_[a-z0-9]+__[a-z0-9_]+|feature__[a-z0-9_]+|[a-z]+__[a-z0-9_]+")


@dataclass(frozen=True)
class SiteZone:
    """The folder of one hospital: all that its processes may see."""

    root: Path
    site: str

    @property
    def landing(self) -> Path:
        """Delivered files, one folder ``YYYY-MM-DD`` a day of delivery. Read only for Cloister, erasure excepted."""
        return self.root / "landing"

    @property
    def lake(self) -> Path:
        return self.root / "lake"

    @property
    def secrets(self) -> Path:
        return self.root / "secrets"

    @property
    def egress(self) -> Path:
        return self.root / "egress"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def runs(self) -> Path:
        """Papers of the runs that the site takes part in, for as long as they last."""
        return self.root / "runs"

    @property
    def governance(self) -> Path:
        """The suppression list, the mark of an erasure that is not finished, the audit chain of both."""
        return self.root / "governance"

    def table(self, name: str) -> Path:
        """Folder of a Delta table named ``{layer}_{source}__{entity}``."""
        if not TABLE_NAME.fullmatch(name):
            raise ValueError(f"table name {name!r} is not of the form layer_source__entity")
        return self.lake / name


@dataclass(frozen=True)
class WorkArea:
    """All zones of a region whose parties share one machine (the demo, tests)."""

    root: Path

    def site(self, name: str) -> SiteZone:
        return SiteZone(self.root / "sites" / name, name)

    @property
    def authority(self) -> Path:
        return self.root / "authority"

    @property
    def coordinator(self) -> Path:
        return self.root / "coordinator"

    @property
    def registry(self) -> Path:
        return self.root / "registry"

    @property
    def gateway(self) -> Path:
        return self.root / "gateway"

    @property
    def pki(self) -> Path:
        return self.root / "pki"

    @property
    def dagster(self) -> Path:
        return self.root / "dagster"

    @property
    def report(self) -> Path:
        return self.root / "report.json"
