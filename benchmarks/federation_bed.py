"""A small federation on loopback for benchmarks and functional tests: real processes, real keys, supervised.

Lays out one work area with roots, identities, a signed roster and secrets, then starts authority, SuperLink,
SuperNodes and workers from ``federated.processes`` under ``pipelines.processes.Supervisor``, which starts again what
ends by itself. To break things, by name (``authority``, ``superlink``, ``supernode-SITE``, ``worker-SITE``):

    bed.kill("superlink")                 kill -9; back by itself after 0.2 s (and the 2 s that it takes to start)
    bed.kill("worker-east", down=True)    kill -9; stays away ...
    bed.restart("worker-east")            ... until now
    bed.ids()                             process ids by name, of those that run

The coordinator is a process too: ``bed.start_coordinator(settings)`` gives it as a Popen, ``bed.run_coordinator``
runs it to its end, ``bed.session()`` is a Session in this process. Logs are ``bed.root/NAME.log``.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from contracts.zone import WorkArea
from federated import keys, processes
from federated.coordinator.flower_run import Credentials
from federated.coordinator.session import Session
from federated.coordinator.settings import CoordinatorSettings
from federated.leash import leash
from federated.processes import Command, LinkAddress
from federated.site.settings import IDENTITY_KEY, WorkerSettings
from governance.approvals import Approval, sign_approval
from governance.certificates import certificate_digest, issue_server, make_root
from governance.files import write_private
from governance.roster import make_roster
from governance.signing import Identity, load_identity, make_identity
from governance.vault import Unlock, make_vault
from pipelines.ports import free_ports, wait_for
from pipelines.processes import Supervisor

LOOPBACK = ("127.0.0.1", "localhost")
PROGRAMS = "federated.programs"
REGION = "bench"
CHECKOUT = Path(__file__).resolve().parent.parent


@dataclass
class Bed:
    """A laid-out federation. ``start_*`` start processes, ``stop`` ends them all."""

    root: Path
    region: Path
    sites: tuple[str, ...]
    programs: str = PROGRAMS
    supervisor: Supervisor = field(default_factory=Supervisor)
    started_in: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.area = WorkArea(self.root)
        ports = free_ports(2 + len(self.sites))
        self.link = LinkAddress("127.0.0.1", ports[0], self.area.pki / "root.crt")
        self.authority_port = ports[1]
        self.node_ports = dict(zip(self.sites, ports[2:], strict=True))
        self.commission = self._lay_out()

    @property
    def roster(self) -> Path:
        return self.area.pki / "roster.json"

    @property
    def passphrase_file(self) -> Path:
        return self.root / "authority.passphrase"

    @property
    def credentials(self) -> Credentials:
        folder = self.area.coordinator / "secrets"
        return Credentials((folder / keys.LINK_TOKEN).read_bytes(), (folder / keys.SUPEREXEC_SECRET).read_bytes())

    @property
    def node_keys(self) -> dict[str, str]:
        return {site: (self.area.site(site).secrets / keys.NODE_PUBLIC_KEY).read_text() for site in self.sites}

    def start(self, sites: Sequence[str] | None = None) -> None:
        """Start authority, SuperLink, and SuperNode and worker of ``sites`` (default: all)."""
        self.start_authority()
        self.start_link()
        chosen = self.sites if sites is None else sites
        for site in chosen:
            self.start_site(site)
        for site in chosen:
            self.wait_port(f"supernode-{site}", self.node_ports[site])

    def session(self, **options: Any) -> Session:
        """A session of the coordinator in this process; ``options`` as Session takes them."""
        return Session(self.link, self.credentials, self.node_keys, **options)

    def kill(self, name: str, *, down: bool = False) -> None:
        """Kill a process hard; it comes back by itself, or, ``down``, by ``restart``."""
        self.supervisor.kill(name, down=down)

    def restart(self, name: str) -> None:
        """Start a process that is down; one that runs is killed first."""
        self.supervisor.restart(name)

    def ids(self) -> dict[str, int]:
        """Process ids by name, of those that run."""
        return self.supervisor.ids()

    def start_link(self) -> None:
        folder = self.area.coordinator / "secrets"
        self.launch("superlink", processes.superlink(self.link, folder, folder / "server.crt", folder / "server.key"))
        self.wait_port("superlink", self.link.port)

    def start_authority(self) -> None:
        """Start the key authority; does not wait."""
        folder = self.area.authority
        settings = {
            "folder": str(folder),
            "port": self.authority_port,
            "certificate": str(folder / "secrets" / "server.crt"),
            "private_key": str(folder / "secrets" / "server.key"),
            "token_file": str(folder / "secrets" / "coordinator.token"),
            "passphrase_file": str(self.passphrase_file),
            "roster": str(self.roster),
            "commission": self.commission.public,
        }
        config = folder / "authority.toml"
        config.write_text("".join(f"{name} = {json.dumps(value)}\n" for name, value in settings.items()))
        argv = (*processes.python_module("secure_compute.authority"), "--config", str(config))
        self.launch("authority", Command(argv, processes.environment(folder / "flwr")))

    def approve(self, task: str, program: str) -> None:
        """Sign an approval of a program for a day."""
        now = datetime.now(UTC)
        approval = Approval(
            name=f"bench-{task}-{program[:8]}",
            region=REGION,
            task=task,
            program=program,
            purpose="measuring and testing",
            valid_from=(now - timedelta(hours=1)).isoformat(),
            valid_until=(now + timedelta(days=1)).isoformat(),
        )
        folder = self.area.authority / "approvals"
        folder.mkdir(exist_ok=True)
        (folder / f"{approval.name}.json").write_bytes(sign_approval(self.commission, approval))

    def coordinator_settings(self, *tasks: str, **changes: object) -> CoordinatorSettings:
        """Settings of a coordinator for these tasks."""
        folder = self.area.coordinator
        settings = CoordinatorSettings(
            region=self.region,
            tasks=tasks,
            folder=folder / "runs",
            roster=self.roster,
            commission=self.commission.public,
            port=self.link.port,
            ca=self.link.ca,
            secrets=folder / "secrets",
            authority=f"https://127.0.0.1:{self.authority_port}",
            memory=folder / "authority.memory",
            node_keys=self.node_keys,
            programs=self.programs,
        )
        return settings.model_copy(update=changes)

    def run_coordinator(self, settings: CoordinatorSettings) -> tuple[int, list[dict[str, Any]]]:
        """Run the coordinator's process to its end; its exit code and its progress."""
        with self.start_coordinator(settings) as process:
            try:
                output, _ = process.communicate(timeout=300)
            finally:
                process.kill()
        return process.returncode, [json.loads(line) for line in output.splitlines()]

    def start_coordinator(self, settings: CoordinatorSettings) -> subprocess.Popen[bytes]:
        """Start the coordinator's process; its progress is on its standard output, a line of JSON an event."""
        config = self.area.coordinator / "coordinator.json"
        config.write_text(settings.model_dump_json(indent=2))
        command = processes.coordinator(config, self.area.coordinator / "flwr", tie=leash())
        with (self.root / "coordinator.log").open("ab") as log:
            return subprocess.Popen(command.argv, env=self._env(command), stdout=subprocess.PIPE, stderr=log)

    def start_site(self, site: str) -> None:
        """Start SuperNode and worker of one site; does not wait."""
        zone = self.area.site(site)
        home = zone.root / "flwr"
        self.launch(f"supernode-{site}", processes.supernode(self.link, zone.secrets, home, self.node_ports[site]))
        self.launch(f"worker-{site}", processes.worker(self.worker_config(site), home))

    def worker_config(self, site: str) -> Path:
        zone = self.area.site(site)
        settings = WorkerSettings(
            site=site,
            zone=zone.root,
            region=self.region,
            roster=self.roster,
            commission=self.commission.public,
            runtime=f"127.0.0.1:{self.node_ports[site]}",
            ca=self.link.ca,
            programs=self.programs,
            log_file=zone.logs / "worker.log",
        )
        path = zone.root / "worker.json"
        path.write_text(settings.model_dump_json(indent=2))
        return path

    def launch(self, name: str, command: Command) -> None:
        """Start a process and keep it running."""
        self.supervisor.start(name, command.argv, self._env(command), self.root / f"{name}.log")
        self.started_in[name] = time.monotonic()

    def wait_port(self, name: str, port: int, seconds: float = 90.0) -> None:
        """Wait until ``name`` listens on ``port``; notes how long its start took. Raises CloisterError with its log."""
        wait_for(port, name, seconds)
        self.started_in[name] = time.monotonic() - self.started_in[name]

    def stop(self) -> None:
        """End all processes, by id, gently and then not."""
        self.supervisor.stop()

    def cpu_seconds(self, name: str) -> float:
        """CPU time a process has used, user and system."""
        fields = Path(f"/proc/{self.ids()[name]}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def _env(self, command: Command) -> dict[str, str]:
        return {**command.env, "PYTHONPATH": os.pathsep.join((str(CHECKOUT), str(CHECKOUT / "tests" / "support")))}

    def _lay_out(self) -> Identity:
        area, root, root_key = self.area, self.area.pki / "root.crt", self.area.pki / "root.key"
        make_root(root, root_key, "bench region")
        write_private(self.passphrase_file, os.urandom(32).hex().encode())
        vault = make_vault(area.authority, Unlock(passphrase_file=self.passphrase_file))
        for folder, own in ((area.coordinator / "secrets", None), (area.authority / "secrets", vault)):
            issue_server(root, root_key, folder / "server.crt", folder / "server.key", LOOPBACK, vault=own)
        keys.make_link_secrets(area.coordinator / "secrets")
        keys.make_secret(area.coordinator / "secrets" / "authority.token")
        token = (area.coordinator / "secrets" / "authority.token").read_bytes()
        write_private(area.authority / "secrets" / "coordinator.token", token)
        for site in self.sites:
            zone = area.site(site)
            keys.make_site_secrets(zone.secrets)
            issue_server(root, root_key, zone.secrets / "runtime.crt", zone.secrets / "runtime.key", LOOPBACK)
            make_identity(zone.secrets / IDENTITY_KEY)
            zone.logs.mkdir(parents=True)
        authority = make_identity(area.authority / "secrets" / "authority.key", vault)
        commission = make_identity(area.pki / "commission.key")
        identities = {site: load_identity(area.site(site).secrets / IDENTITY_KEY).public for site in self.sites}
        roster = make_roster(
            REGION,
            identities,
            authority=authority.public,
            commission=commission,
            tls_root=certificate_digest(root),
        )
        self.roster.write_bytes(roster)
        return commission


def write_result(path: Path, result: object) -> None:
    """Write a benchmark's figures as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result, indent=2) + "\n")
