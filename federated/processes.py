"""Command lines and environments of the federation's processes. Starting and supervising them is pipelines' business.

Every process gets a fixed, small environment: telemetry and update checks off, Flower's home inside its own folder,
warnings only on standard error. Give ``leash()`` from ``federated.leash`` as ``tie`` and the process ends with its
starter.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from federated.keys import LINK_TOKEN, NODE_KEY, SUPEREXEC_SECRET

PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "PYTHONPATH", "VIRTUAL_ENV", "TMPDIR")
"""Variables a child may inherit. Everything else of the starter's environment stays with the starter."""

ONE_THREAD = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}

LARGE_PAGES = {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}
"""A term of 5 million values is a message of 80 MB, copied at each hop: a sixth of its CPU time was giving out small
pages. Where the C library is another, the variable says nothing."""


@dataclass(frozen=True)
class Command:
    """A process to start: ``subprocess.Popen(command.argv, env=command.env)``."""

    argv: tuple[str, ...]
    env: Mapping[str, str]


@dataclass(frozen=True)
class LinkAddress:
    """Where the SuperLink listens and what its clients need to trust it."""

    host: str
    port: int
    ca: Path

    @property
    def address(self) -> str:
        return f"{self.host}:{self.port}"


def environment(home: Path, tie: Mapping[str, str] | None = None) -> dict[str, str]:
    """Environment of a federation process whose Flower home is ``home``."""
    kept = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    flower = {
        "FLWR_TELEMETRY_ENABLED": "0",
        "FLWR_DISABLE_UPDATE_CHECK": "1",
        "FLWR_HOME": str(home),
        "FLWR_LOG_LEVEL": "WARNING",
    }
    return kept | flower | ONE_THREAD | LARGE_PAGES | dict(tie or {})


def superlink(
    link: LinkAddress,
    secrets: Path,
    certificate: Path,
    key: Path,
    home: Path | None = None,
    *,
    tie: Mapping[str, str] | None = None,
) -> Command:
    """The SuperLink, state in memory.

    Args:
        secrets: folder of ``link.token`` and ``superexec.secret``, mode 0600 (``federated.keys.make_link_secrets``).
        home: Flower's own folder; default: ``flwr`` beside ``secrets``.
    """
    return Command(
        (
            *python_module("federated.superlink"),
            *("--token-file", str(secrets / LINK_TOKEN)),
            *("--host", link.host, "--port", str(link.port)),
            *("--ssl-certfile", str(certificate), "--ssl-keyfile", str(key), "--ssl-ca-certfile", str(link.ca)),
            *("--enable-supernode-auth", "--disable-runtime-dependency-installation"),
            *("--isolation", "process", "--superexec-auth-secret-file", str(secrets / SUPEREXEC_SECRET)),
        ),
        environment(home or secrets.parent / "flwr", tie),
    )


def supernode(
    link: LinkAddress, secrets: Path, home: Path, port: int, *, tie: Mapping[str, str] | None = None
) -> Command:
    """A site's stock SuperNode. Its Runtime API listens on loopback ``port`` over TLS, for the site's worker alone.

    ``secrets`` holds ``supernode.key``, ``superexec.secret``, ``runtime.crt`` and ``runtime.key``.
    """
    return Command(
        (
            *python_module("federated.site.supernode"),
            *("--superlink", link.address, "--root-certificates", str(link.ca)),
            *("--auth-supernode-private-key", str(secrets / NODE_KEY)),
            *("--host", "127.0.0.1", "--port", str(port), "--isolation", "process"),
            *("--superexec-auth-secret-file", str(secrets / SUPEREXEC_SECRET)),
            *("--ssl-certfile", str(secrets / "runtime.crt"), "--ssl-keyfile", str(secrets / "runtime.key")),
            *("--ssl-ca-certfile", str(link.ca)),
        ),
        environment(home, tie),
    )


def worker(config: Path, home: Path, *, tie: Mapping[str, str] | None = None) -> Command:
    """A site's warm worker; ``config`` is a ``federated.site.settings.WorkerSettings`` as JSON."""
    return Command((*python_module("federated.site.worker"), "--config", str(config)), environment(home, tie))


def coordinator(config: Path, home: Path, *, tie: Mapping[str, str] | None = None) -> Command:
    """The coordinator; ``config`` is a ``federated.coordinator.settings.CoordinatorSettings`` as JSON."""
    return Command((*python_module("federated.coordinator"), "--config", str(config)), environment(home, tie))


def python_module(name: str) -> tuple[str, ...]:
    """The start of a command line that runs a module with this interpreter, on the leash of its starter."""
    return (sys.executable, "-m", "federated.leash", name)
