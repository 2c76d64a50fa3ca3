"""``python -m federated.site.supernode ...``: Flower's own SuperNode, quick in rounds and back at once after a loss.

All code that talks to the SuperLink is Flower's. Two waits are replaced, because each costs a round half a second:
the main loop looks for the worker's reply every 0.5 s, and the worker has to ask for a task again and again. Here the
arrival of one wakes the other.

Losses cost seconds. A SuperNode that was killed takes its former self off the SuperLink, which would refuse it for a
minute otherwise. One whose SuperLink forgot it (its state is in memory), or whose worker died with a task in hand
(Flower waits for that reply for a minute, in one case for ever), starts its main loop over with an empty state, in the
same process, and waits until the coordinator registered it. The coordinator sees when a SuperNode came online and
sends again what was lost.

Names of flwr 1.41.0 that are replaced: in ``start_client_internal``, ``time`` (only its ``sleep``), ``pull_objects``
and ``_pull_and_store_message``; ``supernode.main.create_app``; ``flower_supernode.start_client_internal``; in
``fleet_http_connection``, ``FleetHttpClient`` and ``make_simple_http_retry_invoker``.
"""

from __future__ import annotations

import asyncio
import importlib
import itertools
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any, NoReturn

import httpx
from flwr.proto.fleet_pb2 import ActivateNodeRequest, ActivateNodeResponse, DeactivateNodeRequest
from flwr.supercore.inflatable.inflatable_utils import pull_objects
from flwr.supernode.fleet_http_client import FleetHttpClient
from flwr.supernode.nodestate import NodeStateFactory
from starlette.types import ASGIApp, Message, Receive, Scope, Send

ACQUIRE_PATH = "/v1/runtime/acquire-task"
FINISH_PATH = "/v1/runtime/push-task-output"
REPLY_PATH = "/v1/runtime/push-messages"
REPLY_PATHS = frozenset({REPLY_PATH, "/v1/runtime/push-object"})
PLACE_PATHS = frozenset({"/v1/fleet/activate-node", "/v1/fleet/deactivate-node"})
HEARTBEAT_PATH = "/v1/fleet/send-node-heartbeat"
ACQUIRE_HOLD_SECONDS = 1.0
IDLE_SECONDS = 0.05
"""Pause after a pull that found nothing; the SuperLink held that pull for long already."""

NODE_ID = "node.id"
"""File in the SuperNode's home: the id under which it was last activated."""

PLACE_PAUSES_SECONDS = (0.3, 0.6, 1.2, 2.0)
"""Between attempts to reach the SuperLink or to be activated; the last one from then on. Flower's own rise to 20 s."""

OBJECT_SECONDS = 20.0
"""Longest wait for the objects of a message; a coordinator that was killed never uploads them."""

OVER_PAUSE_SECONDS = 0.1


class StartOver(BaseException):
    """The main loop begins again with an empty state. Not an Exception: Flower's loop goes on after most of those."""


class Wakes:
    """Bells between the SuperNode's main loop (a thread) and its Runtime API (an event loop).

    Attributes:
        is_task_out: whether the worker holds a task of this life of the main loop.
        is_replied: whether it pushed the reply to it.
    """

    def __init__(self) -> None:
        self.is_task_out = False
        self.is_replied = False
        self._reply = threading.Event()
        self._lost = threading.Event()
        self._arrived = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    def begin(self) -> None:
        """The main loop begins: nothing of an earlier life counts."""
        self.is_task_out = self.is_replied = False
        self._reply.clear()
        self._lost.clear()

    def sleep(self, seconds: float) -> None:
        """In place of ``time.sleep`` in Flower's main loop: ends early when the worker pushed something.

        Raises StartOver when the worker lost what it was given.
        """
        if self._lost.is_set():
            raise StartOver
        if seconds > 1.0:
            threading.Event().wait(IDLE_SECONDS)
        elif self._reply.wait(seconds):
            self._reply.clear()

    def ring_reply(self) -> None:
        """The worker pushed a reply or one of its objects."""
        self._reply.set()

    def ring_lost(self) -> None:
        """The worker lost its task: there will be no reply."""
        self._lost.set()
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
    """Middleware of the SuperNode's Runtime API: holds AcquireTask until a message is there, rings for replies.

    It rings too when the worker lost a task. The worker takes one at a time, so it lost one when it asks for the next
    and has not given that one back (it is another process, or a call failed), or gives it back without a reply.
    """

    def __init__(self, app: ASGIApp, wakes: Wakes) -> None:
        self.app = app
        self.wakes = wakes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"] if scope["type"] == "http" else ""
        if path == ACQUIRE_PATH:
            if self.wakes.is_task_out:
                self.wakes.ring_lost()
            # Held before it is asked, once: the request is signed with a nonce and cannot be replayed.
            await self.wakes.wait_arrival(ACQUIRE_HOLD_SECONDS)

        async def look(message: Message) -> None:
            # Before it is passed on: the worker's next call may be here before this one is over.
            self._note(path, message)
            await send(message)

        await self.app(scope, receive, look)
        if path in REPLY_PATHS:
            self.wakes.ring_reply()

    def _note(self, path: str, answer: Message) -> None:
        """Follow the worker's task through the answers to its calls."""
        if path == ACQUIRE_PATH and answer["type"] == "http.response.body" and answer.get("body"):
            self.wakes.is_task_out, self.wakes.is_replied = True, False
        elif answer["type"] == "http.response.start" and answer["status"] == HTTPStatus.OK:
            self.wakes.is_replied |= path == REPLY_PATH
            if path == FINISH_PATH:
                self.wakes.is_task_out = False
                if not self.wakes.is_replied:
                    self.wakes.ring_lost()


class PlacedClient(FleetHttpClient):
    """Flower's client of the SuperLink, which takes its place there also when something still stands in it."""

    home = Path()
    """Where the node id is kept; set before the first client is made."""

    def ActivateNode(self, request: ActivateNodeRequest) -> ActivateNodeResponse:
        """Activate, as often as it takes: the SuperLink refuses a key that it does not know (the coordinator registers
        it when it starts, and again after a restart of the SuperLink) and a node that it holds for online."""
        pauses = _pauses()
        while (response := self._activate(request)) is None:
            if not self._leave():
                time.sleep(next(pauses))
        self.home.mkdir(parents=True, exist_ok=True)
        (self.home / NODE_ID).write_text(str(response.node_id))
        return response

    def _unary_unary(self, *, path: str, **options: Any) -> Any:
        """One call. A SuperLink that does not know this SuperNode any more was restarted."""
        try:
            return super()._unary_unary(path=path, **options)
        except httpx.HTTPStatusError as error:
            if error.response.status_code != httpx.codes.UNAUTHORIZED or path in PLACE_PATHS:
                raise
            if path == HEARTBEAT_PATH:  # its thread is ended by the main loop
                raise httpx.ConnectError("the SuperLink has forgotten this SuperNode") from error
            raise StartOver from error

    def _activate(self, request: ActivateNodeRequest) -> ActivateNodeResponse | None:
        try:
            return super().ActivateNode(request)
        except httpx.HTTPStatusError as error:
            if error.response.status_code != httpx.codes.PRECONDITION_FAILED:
                raise
            _say("the SuperLink does not know this SuperNode, or holds its former self for online; asking again")
            return None

    def _leave(self) -> bool:
        """Take the former self of this SuperNode off the SuperLink; whether there was one."""
        try:
            former = int((self.home / NODE_ID).read_text())
            self.DeactivateNode(DeactivateNodeRequest(node_id=former))
        except (OSError, ValueError, httpx.HTTPStatusError):
            return False
        return True


def _say(words: str) -> None:
    print(f"supernode: {words}", file=sys.stderr, flush=True)


def _pauses() -> Iterator[float]:
    return itertools.chain(PLACE_PAUSES_SECONDS, itertools.repeat(PLACE_PAUSES_SECONDS[-1]))


def install(wakes: Wakes) -> None:
    """Put bells, client and patience into Flower's modules."""
    from flwr.supernode import fleet_http_connection as connection
    from flwr.supernode import main as runtime_api
    from flwr.supernode import start_client_internal as main_loop

    command: Any = importlib.import_module("flwr.supernode.cli.flower_supernode")  # the package's name is its function
    create_app, make_invoker = runtime_api.create_app, connection.make_simple_http_retry_invoker

    def create_waking_app(*arguments: Any, **options: Any) -> Any:
        app = create_app(*arguments, **options)
        app.add_middleware(Waking, wakes=wakes)
        return app

    def make_quick_invoker() -> Any:
        invoker = make_invoker()
        invoker.wait_gen_factory = _pauses
        return invoker

    runtime_api.create_app = create_waking_app
    main_loop._pull_and_store_message = _ringing(main_loop._pull_and_store_message, wakes)
    main_loop.time = wakes
    main_loop.pull_objects = partial(
        pull_objects, initial_backoff=0.02, backoff_cap=0.5, max_time=OBJECT_SECONDS, max_tries_per_object=None
    )
    connection.FleetHttpClient = PlacedClient
    connection.make_simple_http_retry_invoker = make_quick_invoker
    command.start_client_internal = partial(run_over_and_over, command.start_client_internal, wakes)


def run_over_and_over(
    run: Callable[..., None], wakes: Wakes, *, state_factory: NodeStateFactory, **options: Any
) -> NoReturn:
    """Flower's main loop, begun again with an empty state each time it ends; a signal ends the process."""
    while True:
        wakes.begin()
        with suppress(StartOver):
            run(state_factory=state_factory, **options)
        _say("starting over")
        state_factory.objectstore_factory.store_instance = None
        state_factory.state_instance = None
        time.sleep(OVER_PAUSE_SECONDS)


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

    PlacedClient.home = Path(os.environ.get("FLWR_HOME", Path.home() / ".flwr"))
    install(Wakes())
    flower_supernode()


if __name__ == "__main__":
    main()
