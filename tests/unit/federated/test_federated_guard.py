from __future__ import annotations

import asyncio
from typing import Any

import pytest

from federated.guard import FLEET_CALLS, TOKEN_HEADER, TokenGuard

TOKEN = b"a" * 64


async def application(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"served"})


def status(path: str, token: bytes | None = None, **more: Any) -> int:
    headers = [] if token is None else [(TOKEN_HEADER.encode(), token)]
    scope = {"type": "http", "path": path, "headers": headers, **more}
    sent: list[dict[str, Any]] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    asyncio.run(TokenGuard(application, TOKEN)(scope, receive, send))
    return int(sent[0]["status"])


@pytest.mark.parametrize("path", sorted(FLEET_CALLS | {"/health"}))
def test_a_supernode_needs_no_token_for_the_calls_it_makes(path: str) -> None:
    assert status(path) == 200


@pytest.mark.parametrize(
    "path",
    [
        "/v1/control/start-run",
        "/v1/runtime/acquire-task",
        "/v1/fleet/register-node",
        "/v1/fleet/unregister-node",
        "/v1/fleet/pull-messages/../../control/start-run",
        "/V1/FLEET/pull-messages",
        "/docs",
        "/openapi.json",
        "/",
        "",
    ],
)
def test_everything_else_is_refused_without_the_token_and_served_with_it(path: str) -> None:
    assert status(path) == 401
    assert status(path, TOKEN[:-1] + b"b") == 401
    assert status(path, b"") == 401
    assert status(path, TOKEN) == 200


def test_a_root_path_cannot_turn_an_open_path_into_another() -> None:
    assert status("/v1/fleet/get-run", root_path="/v1/fleet") == 401


def test_a_websocket_is_closed() -> None:
    sent: list[dict[str, Any]] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    scope = {"type": "websocket", "path": "/health", "headers": [(TOKEN_HEADER.encode(), TOKEN)]}
    asyncio.run(TokenGuard(application, TOKEN)(scope, receive, send))
    assert sent == [{"type": "websocket.close", "code": 1008}]
