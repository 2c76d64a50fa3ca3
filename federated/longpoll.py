"""Middleware of the SuperLink: a PullMessages call is held until there is something to pull.

As shipped, a SuperNode that finds nothing sleeps 3 s and a round with no work takes 6 to 9 s. Its first call after a
reply comes at once, so holding that call removes the sleep; the coordinator's own pull is held the same way instead
of polled. Faster polling is no substitute: the SuperLink's CPU a request (7 ms) is what bounds a round.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

PULL_PATHS = {"/v1/fleet/pull-messages": "sites", "/v1/runtime/pull-messages": "coordinator"}
PUSH_PATHS = {
    "/v1/runtime/push-messages": "sites",
    "/v1/runtime/push-object": "sites",
    "/v1/fleet/push-messages": "coordinator",
    "/v1/fleet/push-object": "coordinator",
}
MAX_PULL_BODY = 1 << 20
"""Largest body of a pull that is buffered, bytes; a real one is a node id or a list of message ids."""


@dataclass(frozen=True)
class Holding:
    """Seconds. ``sites`` and ``coordinator``: longest hold (the SuperNode's HTTP client gives up after 30).

    ``settle``: quiet time after a push before a held call looks again, because a message becomes visible before its
    objects are uploaded and a SuperNode that finds one missing backs off for a whole second; never longer than
    ``settle_limit``, so that a busy SuperLink still delivers.
    """

    sites: float = 25.0
    coordinator: float = 2.0
    settle: float = 0.008
    settle_limit: float = 0.25


@dataclass
class _Side:
    """Who waits on one side, and what the other side is just uploading."""

    hold: float
    woken: asyncio.Event = field(default_factory=asyncio.Event)
    uploads: int = 0
    last_upload: float = 0.0

    def wake(self) -> None:
        """Release every held call of this side; later ones wait for the next event."""
        released, self.woken = self.woken, asyncio.Event()
        released.set()


class LongPoll:
    """Answers a pull when there is something to pull, the hold ends or the caller goes, whichever is first."""

    def __init__(self, app: ASGIApp, holding: Holding | None = None) -> None:
        self.app = app
        self.holding = holding or Holding()
        self.sides = {"sites": _Side(self.holding.sites), "coordinator": _Side(self.holding.coordinator)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"] if scope["type"] == "http" else ""
        if path in PUSH_PATHS:
            await self._pass_push(self.sides[PUSH_PATHS[path]], scope, receive, send)
        elif path in PULL_PATHS:
            await self._hold_pull(self.sides[PULL_PATHS[path]], scope, receive, send)
        else:
            await self.app(scope, receive, send)

    async def _pass_push(self, side: _Side, scope: Scope, receive: Receive, send: Send) -> None:
        side.uploads += 1
        try:
            await self.app(scope, receive, send)
        finally:
            side.uploads -= 1
            side.last_upload = time.monotonic()
            side.wake()

    async def _hold_pull(self, side: _Side, scope: Scope, receive: Receive, send: Send) -> None:
        body = await _read_body(receive)
        if body is None:
            return
        if len(body) > MAX_PULL_BODY:
            await send({"type": "http.response.start", "status": 413, "headers": [(b"content-length", b"0")]})
            await send({"type": "http.response.body", "body": b""})
            return
        gone = asyncio.ensure_future(receive())  # completes when the caller hangs up
        try:
            for message in await self._ask_until_filled(side, scope, body, gone):
                await send(message)
        finally:
            gone.cancel()

    async def _ask_until_filled(
        self, side: _Side, scope: Scope, body: bytes, gone: asyncio.Future[Message]
    ) -> list[Message]:
        """Ask the application again after each push until its answer is not empty; returns the answer's messages."""
        end = time.monotonic() + side.hold
        while True:
            woken = side.woken  # taken before asking, so that a push in between is not missed
            answer = await self._ask(scope, body, gone)
            left = end - time.monotonic()
            if not _is_empty(answer) or left <= 0 or gone.done():
                return answer
            waiting = asyncio.ensure_future(woken.wait())
            either: set[asyncio.Future[Any]] = {waiting, gone}
            await asyncio.wait(either, timeout=left, return_when=asyncio.FIRST_COMPLETED)
            waiting.cancel()
            await self._settle(side, gone)

    async def _ask(self, scope: Scope, body: bytes, gone: asyncio.Future[Message]) -> list[Message]:
        """Replay the request against the application and collect its answer."""
        answer: list[Message] = []
        request: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def replay() -> Message:
            return request.pop() if request else await asyncio.shield(gone)

        async def collect(message: Message) -> None:
            answer.append(message)

        await self.app(dict(scope, state=dict(scope.get("state", {}))), replay, collect)
        return answer

    async def _settle(self, side: _Side, gone: asyncio.Future[Message]) -> None:
        end = time.monotonic() + self.holding.settle_limit
        while not gone.done() and time.monotonic() < end:
            if not side.uploads and time.monotonic() - side.last_upload >= self.holding.settle:
                return
            await asyncio.sleep(self.holding.settle / 2)


def _is_empty(answer: list[Message]) -> bool:
    """An empty protobuf message is zero bytes: status 200 and no body means there is nothing to pull yet."""
    return bool(answer) and answer[0]["status"] == 200 and not any(part.get("body") for part in answer[1:])


async def _read_body(receive: Receive) -> bytes | None:
    """The whole request body (at most a little over MAX_PULL_BODY is read), or None when the caller is gone."""
    body = b""
    while len(body) <= MAX_PULL_BODY:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    return body
