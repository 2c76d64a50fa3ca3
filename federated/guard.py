"""Middleware of the SuperLink: only Fleet calls are open; everything else needs the coordinator's token.

Flower 1.41's Control API has no account authentication without a paid plug-in and shares one port with the Fleet API:
whoever reaches it could register nodes and start runs. Here a request passes without the token only when its path is
a Fleet call a registered SuperNode makes (those are authenticated by the node's key) or the health check.
"""

from __future__ import annotations

import hashlib
import hmac

from starlette.types import ASGIApp, Receive, Scope, Send

TOKEN_HEADER = "x-cloister-token"
FLEET_CALLS = frozenset(
    f"/v1/fleet/{call}"
    for call in (
        "activate-node",
        "deactivate-node",
        "send-node-heartbeat",
        "pull-messages",
        "push-messages",
        "pull-object",
        "push-object",
        "confirm-message-received",
        "get-run",
        "get-fab",
    )
)
OPEN_PATHS = FLEET_CALLS | {"/health"}
REFUSAL = b'{"detail":"this interface is for the coordinator of the region"}'


class TokenGuard:
    """Refuses with 401 what needs the token and does not carry it; a websocket is refused always."""

    def __init__(self, app: ASGIApp, token: bytes) -> None:
        self.app = app
        self.expected = hashlib.sha256(token).digest()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan" or (scope["type"] == "http" and self.admits(scope)):
            await self.app(scope, receive, send)
        elif scope["type"] == "http":
            headers = [(b"content-type", b"application/json"), (b"content-length", str(len(REFUSAL)).encode())]
            await send({"type": "http.response.start", "status": 401, "headers": headers})
            await send({"type": "http.response.body", "body": REFUSAL})
        else:
            await send({"type": "websocket.close", "code": 1008})

    def admits(self, scope: Scope) -> bool:
        """Whether the path is open or the token is right; compared in constant time, over digests of equal length."""
        if scope["path"] in OPEN_PATHS and not scope.get("root_path"):
            return True
        given = dict(scope["headers"]).get(TOKEN_HEADER.encode(), b"")
        return hmac.compare_digest(hashlib.sha256(given).digest(), self.expected)
