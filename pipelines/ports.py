"""Ports on this machine: is one free, find one, wait until one answers."""

from __future__ import annotations

import socket
import time

from contracts.errors import CloisterError, UsageError

LOOPBACK = "127.0.0.1"


def require_free(port: int, option: str) -> None:
    """Raise UsageError when another program listens on the port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError as error:
            raise UsageError(f"port {port} is taken by another program; choose another with {option}") from error


def free_ports(count: int) -> list[int]:
    """Ports that are free now, all different."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind((LOOPBACK, 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


def wait_for(port: int, what: str, seconds: float = 60.0) -> None:
    """Return when something accepts connections on the port. Raises CloisterError after ``seconds``."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            socket.create_connection((LOOPBACK, port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise CloisterError(f"{what} did not answer on port {port} within {seconds:.0f} s; see its log")
