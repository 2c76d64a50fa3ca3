"""The outermost layer: bodies of a limited size, and failures that tell nobody what was being worked on."""

from __future__ import annotations

import logging

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.outcome import CallError, outcome

log = logging.getLogger("gateway")


class Guard:
    """Refuses large bodies while they arrive, and answers 500 for what nobody foresaw.

    A traceback or an exception's text may quote a request, so of an unforeseen failure only its class is logged.
    """

    def __init__(self, app: ASGIApp, max_body_bytes: int) -> None:
        self._app = app
        self._limit = max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def watched(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, self._limited(receive), watched)
        except Exception as error:
            log.error("unforeseen %s", type(error).__name__)
            if not started:
                reply = outcome(500, "exception", "the gateway failed; what was sent was not kept")
                await reply(scope, receive, send)

    def _limited(self, receive: Receive) -> Receive:
        size = 0

        async def counted() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > self._limit:
                raise CallError(413, "too-long", f"the body is larger than {self._limit} bytes")
            return message

        return counted
