"""Settings of the coordinator's process, read once from a JSON file."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, ValidationError

from contracts.errors import UsageError
from contracts.feature_spec import Frozen
from federated.coordinator.flower_run import Credentials
from federated.keys import LINK_TOKEN, SUPEREXEC_SECRET
from federated.processes import LinkAddress
from governance.files import read_private


class CoordinatorSettings(Frozen):
    """What one run of the coordinator needs to know.

    Attributes:
        region: the region folder.
        tasks: names of the tasks to train, all in one session of Flower, their rounds side by side.
        folder: where checkpoints and results go, one sub-folder a task.
        roster, commission: the signed roster and the commission's public key (hex).
        host, port, ca: the SuperLink, and the region's root (PEM).
        secrets: folder of ``link.token``, ``superexec.secret`` and ``authority.token``, mode 0600.
        authority: URL of the key authority.
        memory: file that remembers the authority's last audit head between runs.
        node_keys: site -> its SuperNode's public key, an OpenSSH line; the coordinator registers them.
        programs: the installed module that gives ``program_for(task)`` and ``program_digest(task)``.
        online_seconds: how long sites are waited for at the start; when a run is gone on with, only until a quorum
            is there and ``grace_seconds`` more.
        round_seconds: how long answers of one exchange are waited for, when they are needed.
        grace_seconds: how long stragglers are waited for, once a quorum has answered; they may come back later.
        link_seconds: how long a SuperLink that is away is waited for, at the start and each time it is lost.
    """

    region: Path
    tasks: tuple[str, ...] = Field(min_length=1)
    folder: Path
    roster: Path
    commission: str
    host: str = "127.0.0.1"
    port: int
    ca: Path
    secrets: Path
    authority: str
    memory: Path
    node_keys: dict[str, str]
    programs: str = "federated.programs"
    online_seconds: float = 60.0
    round_seconds: float = 300.0
    grace_seconds: float = 10.0
    link_seconds: float = 120.0

    @classmethod
    def load(cls, path: Path) -> CoordinatorSettings:
        """Read the file. Raises UsageError naming what is wrong with it."""
        try:
            return cls.model_validate_json(path.read_bytes())
        except (OSError, ValidationError) as error:
            raise UsageError(f"{path}: no coordinator settings: {error}") from error

    @property
    def link(self) -> LinkAddress:
        return LinkAddress(self.host, self.port, self.ca)

    def credentials(self) -> Credentials:
        """Raises CredentialError for a secret that others may read."""
        return Credentials(read_private(self.secrets / LINK_TOKEN), read_private(self.secrets / SUPEREXEC_SECRET))

    def authority_token(self) -> str:
        """The bearer token that the authority knows this coordinator by."""
        return read_private(self.secrets / "authority.token").decode().strip()
