"""Messages that wait to be durable: all of a store in one write, then everyone who waits is told."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from pipelines.listen_store import Store


@dataclass(frozen=True)
class Waiting:
    """A message on its way to a store, and who waits for it to be durable."""

    store: Store
    data: bytes
    rule: str
    done: asyncio.Future[None]


def commit(waiting: Sequence[Waiting]) -> None:
    """On the disk's thread: all messages of a store in one write."""
    for store in {id(one.store): one.store for one in waiting}.values():
        own = [one for one in waiting if one.store is store and not one.rule]
        if own:
            _settle(own, partial(store.keep, [one.data for one in own]))
        for one in waiting:
            if one.store is store and one.rule:
                _settle([one], partial(store.set_aside, one.data, one.rule))
        close_if_due(store)


def close_if_due(store: Store) -> None:
    """Close a file whose time has come; where the disk refuses, the next look tries again."""
    with contextlib.suppress(OSError):
        store.close_if_due()


def _settle(waiting: Sequence[Waiting], work: Callable[[], object]) -> None:
    """Do the work and tell those who wait for it how it went."""
    failed: OSError | None = None
    try:
        work()
    except OSError as error:
        failed = error
    for one in waiting:
        loop = one.done.get_loop()
        loop.call_soon_threadsafe(_tell, one.done, failed)


def _tell(done: asyncio.Future[None], failed: OSError | None) -> None:
    if done.done():
        return
    if failed is None:
        done.set_result(None)
    else:
        done.set_exception(failed)
