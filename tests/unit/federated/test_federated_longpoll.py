from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from federated.longpoll import MAX_PULL_BODY, Holding, LongPoll

PULL, PUSH = "/v1/fleet/pull-messages", "/v1/runtime/push-messages"
OBJECT, OTHER = "/v1/runtime/push-object", "/v1/fleet/get-run"


class Link:
    """A SuperLink of one mailbox: a push adds its body, a pull takes everything out."""

    def __init__(self) -> None:
        self.mail: list[bytes] = []
        self.pulls = 0
        self.push_seconds = 0.0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body = (await receive())["body"]
        answer = b""
        if scope["path"] == PULL:
            self.pulls += 1
            answer = b"".join(self.mail)
            self.mail.clear()
        else:
            self.mail.append(body)
            await asyncio.sleep(self.push_seconds)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": answer})


async def call(app: Callable[..., Awaitable[None]], path: str, body: bytes = b"", leave: float = 60.0) -> list[Any]:
    """One request; the caller hangs up after ``leave`` seconds. Returns what was sent to it."""
    sent: list[Any] = []
    first = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Any:
        if first:
            return first.pop()
        await asyncio.sleep(leave)
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    await app({"type": "http", "path": path, "headers": []}, receive, send)
    return sent


def held(link: Link, **seconds: float) -> LongPoll:
    return LongPoll(link, Holding(**{"sites": 5.0, "coordinator": 5.0, **seconds}))


def test_a_pull_is_answered_at_once_when_there_is_something() -> None:
    link = Link()
    link.mail.append(b"term")
    assert asyncio.run(call(held(link), PULL))[1]["body"] == b"term"
    assert link.pulls == 1


def test_a_pull_waits_for_a_push_and_then_gets_it() -> None:
    async def scenario() -> tuple[list[Any], float]:
        app = held(link)
        pull = asyncio.create_task(call(app, PULL))
        await asyncio.sleep(0.1)
        assert not pull.done()
        started = time.monotonic()
        await call(app, PUSH, b"request")
        return await pull, time.monotonic() - started

    link = Link()
    answer, seconds = asyncio.run(scenario())
    assert answer[1]["body"] == b"request" and len(answer) == 2
    assert seconds < 1.0 and link.pulls == 2


def test_a_pull_with_nothing_to_get_is_answered_empty_when_the_hold_ends() -> None:
    link = Link()
    started = time.monotonic()
    answer = asyncio.run(call(held(link, sites=0.2), PULL))
    assert answer[0]["status"] == 200 and not answer[1]["body"]
    assert 0.15 < time.monotonic() - started < 2.0


def test_a_pull_looks_only_after_the_objects_of_a_message_are_uploaded() -> None:
    async def scenario() -> list[Any]:
        app = held(link)
        pull = asyncio.create_task(call(app, PULL))
        await asyncio.sleep(0.05)
        link.push_seconds = 0.1
        await asyncio.gather(call(app, PUSH, b"head "), call(app, OBJECT, b"object"))
        return await pull

    link = Link()
    assert asyncio.run(scenario())[1]["body"] == b"head object"


def test_uploads_without_end_do_not_starve_a_pull() -> None:
    async def scenario() -> float:
        app = held(link, settle_limit=0.1)
        pull = asyncio.create_task(call(app, PULL))
        await asyncio.sleep(0.05)
        started = time.monotonic()
        link.push_seconds = 3.0
        slow = asyncio.create_task(call(app, OBJECT, b"large"))
        await asyncio.sleep(0)
        link.push_seconds = 0.0
        await call(app, PUSH, b"request")
        await pull
        slow.cancel()
        return time.monotonic() - started

    link = Link()
    assert asyncio.run(scenario()) < 1.5


def test_a_caller_that_hangs_up_is_not_held() -> None:
    started = time.monotonic()
    asyncio.run(call(held(Link()), PULL, leave=0.1))
    assert time.monotonic() - started < 2.0


def test_other_calls_pass_untouched() -> None:
    link = Link()
    assert asyncio.run(call(held(link), OTHER, b"x"))[0]["status"] == 200
    assert link.mail == [b"x"]


def test_a_pull_too_large_to_be_one_is_refused_before_the_application_sees_it() -> None:
    link = Link()
    assert asyncio.run(call(held(link), PULL, b"x" * (MAX_PULL_BODY + 1)))[0]["status"] == 413
    assert link.pulls == 0
