"""``python -m federated.site.supernode ...``: Flower's own SuperNode, waking where Flower sleeps.

All code that talks to the SuperLink is Flower's. Two waits are replaced, because each costs a round half a second:
the main loop looks for the worker's reply every 0.5 s, and the worker has to ask for a task again and again. Here the
arrival of one wakes the other. Names of flwr 1.41.0 used for it: ``start_client_internal.time`` (only its ``sleep``)
and ``_pull_and_store_message``, ``supernode.main.create_app``.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

ACQUIRE_PATH = "/v1/runtime/acquire-task"
REPLY_PATHS = frozenset({"/v1/runtime/push-messages", "/v1/runtime/push-object"})
ACQUIRE_HOLD_SECONDS = 1.0
IDLE_SECONDS = 0.05
"""Pause after a pull that found nothing; the SuperLink held that pull for long already."""


class Wakes:
    """Two bells between the SuperNode's main loop (a thread) and its Runtime API (an event loop)."""

    def __init__(self) -> None:
        self._reply = threading.Event()
        self._arrived = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    def sleep(self, seconds: float) -> None:
        """In place of ``time.sleep`` in Flower's main loop: ends early when the worker pushed something."""
        if seconds > 1.0:
            threading.Event().wait(IDLE_SECONDS)
        elif self._reply.wait(seconds):
            self._reply.clear()

    def ring_reply(self) -> None:
        """The worker pushed a reply or one of its objects."""
        self._reply.set()

    def ring_arrival(self) -> None:
        """The main loop stored a message whole, so its task can be taken."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._arrived.set)

    async def wait_arrival(self, seconds: float) -> None:
        """Wait for a message, at most ``seconds``."""
        self._loop = asyncio.get_running_loop()
        try:
            await asyncio.wait_for(self._arrived.wait(), seconds)
        except TimeoutError:
            return
        self._arrived.clear()


class Waking:
    """Middleware of the SuperNode's Runtime API: holds AcquireTask until a message is there, rings for replies."""

    def __init__(self, app: ASGIApp, wakes: Wakes) -> None:
        self.app = app
        self.wakes = wakes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"] if scope["type"] == "http" else ""
        if path == ACQUIRE_PATH:
            # Held before it is asked, once: the request is signed with a nonce and cannot be replayed.
            await self.wakes.wait_arrival(ACQUIRE_HOLD_SECONDS)
        await self.app(scope, receive, send)
        if path in REPLY_PATHS:
            self.wakes.ring_reply()


def install(wakes: Wakes) -> None:
    """Put the bells into Flower's modules."""
    from flwr.supernode import main as runtime_api
    from flwr.supernode import start_client_internal as main_loop

    create_app, pull = runtime_api.create_app, main_loop._pull_and_store_message

    def create_waking_app(*arguments: Any, **options: Any) -> Any:
        app = create_app(*arguments, **options)
        app.add_middleware(Waking, wakes=wakes)
        return app

    runtime_api.create_app = create_waking_app
    main_loop._pull_and_store_message = _ringing(pull, wakes)
    main_loop.time = wakes


def _ringing(pull: Callable[..., int | None], wakes: Wakes) -> Callable[..., int | None]:
    def pull_and_ring(*arguments: Any, **options: Any) -> int | None:
        run_id = pull(*arguments, **options)
        if run_id is not None:
            wakes.ring_arrival()
        return run_id

    return pull_and_ring


def main() -> None:
    """Run the SuperNode with this process's arguments until it is told to stop."""
    from flwr.supernode.cli.flower_supernode import flower_supernode

    install(Wakes())
    flower_supernode()


if __name__ == "__main__":
    main()
