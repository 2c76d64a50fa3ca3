"""Sail (lakehq/sail): a Spark Connect server in Rust inside this process. No Java, no other process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from lake.environment import environment


@contextmanager
def serve(memory_bytes: int) -> Iterator[str]:
    """Run the server on a free loopback port and give its address.

    Sorts and joins spill to disk beyond ``memory_bytes``. The server has no authentication: whoever can open
    loopback connections on this machine can reach it while it runs.
    """
    # read once, when the server's native code starts; it logs at INFO to standard error unless told otherwise
    limits = {
        "RUST_LOG": "error",
        "SAIL_RUNTIME__MEMORY_POOL__TYPE": "fair",
        "SAIL_RUNTIME__MEMORY_POOL__FAIR__MAX_SIZE": str(memory_bytes),
        # Footers tell how many nulls a column has; nothing here asks for the least and greatest values of each page.
        "SAIL_PARQUET__STATISTICS_ENABLED": "chunk",
        # By default its allocator keeps most of what was freed for good.
        "MIMALLOC_PURGE_DELAY": "100",
        "MIMALLOC_ARENA_PURGE_MULT": "1",
    }
    with environment(**limits):
        from pysail.spark import SparkConnectServer

        server = SparkConnectServer(ip="127.0.0.1", port=0)
        server.start(background=True)
    try:
        _, port = server.listening_address
        yield f"sc://127.0.0.1:{port}"
    finally:
        server.stop()
