from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import pytest

from federated.site.supernode import ACQUIRE_PATH, FINISH_PATH, REPLY_PATH, REPLY_PATHS, StartOver, Wakes, Waking


async def application(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": scope["path"]})


async def call(waking: Waking, path: str) -> list[Any]:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message["type"])

    async def receive() -> Any:
        return {"type": "http.request"}

    await waking({"type": "http", "path": path}, receive, send)
    return sent


def test_a_question_for_a_task_is_held_until_a_message_arrives() -> None:
    async def scenario() -> float:
        wakes = Wakes()
        question = asyncio.create_task(call(Waking(application, wakes), ACQUIRE_PATH))
        await asyncio.sleep(0.05)
        assert not question.done()
        started = time.monotonic()
        threading.Thread(target=wakes.ring_arrival).start()
        assert await question == [ACQUIRE_PATH]
        return time.monotonic() - started

    assert asyncio.run(scenario()) < 0.5


def test_a_question_is_passed_on_after_a_while_even_when_nothing_arrives() -> None:
    started = time.monotonic()
    assert asyncio.run(call(Waking(application, Wakes()), ACQUIRE_PATH)) == [ACQUIRE_PATH]
    assert 0.5 < time.monotonic() - started < 5.0


def test_a_reply_wakes_the_main_loop() -> None:
    wakes = Wakes()
    for path in sorted(REPLY_PATHS):
        ringing = threading.Timer(0.05, lambda path=path: asyncio.run(call(Waking(application, wakes), path)))
        ringing.start()
        started = time.monotonic()
        wakes.sleep(0.9)
        ringing.join()
        assert time.monotonic() - started < 0.8


def test_other_calls_ring_nothing_and_the_idle_sleep_is_short() -> None:
    wakes = Wakes()
    asyncio.run(call(Waking(application, wakes), "/v1/runtime/pull-messages"))
    started = time.monotonic()
    wakes.sleep(0.2)
    assert time.monotonic() - started > 0.15
    started = time.monotonic()
    wakes.sleep(3)
    assert time.monotonic() - started < 1.0


def worker_calls(*paths: str) -> Wakes:
    """Calls of a site's worker, all answered with success; an acquired task has a body."""

    async def runtime_api(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": b"task" if scope["path"] == ACQUIRE_PATH else b""})

    async def scenario() -> Wakes:
        wakes = Wakes()
        waking = Waking(runtime_api, wakes)
        for path in paths:
            wakes.ring_arrival()
            await call(waking, path)
        return wakes

    return asyncio.run(scenario())


def test_the_main_loop_starts_over_when_the_worker_lost_its_task() -> None:
    for lost in ((ACQUIRE_PATH, ACQUIRE_PATH), (ACQUIRE_PATH, REPLY_PATH, ACQUIRE_PATH), (ACQUIRE_PATH, FINISH_PATH)):
        wakes = worker_calls(*lost)
        with pytest.raises(StartOver):
            wakes.sleep(0.5)


def test_what_a_worker_lost_in_an_earlier_life_of_the_main_loop_does_not_count() -> None:
    wakes = worker_calls(ACQUIRE_PATH, ACQUIRE_PATH, ACQUIRE_PATH)
    wakes.begin()
    wakes.sleep(0.01)
    assert not wakes.is_task_out


def test_a_worker_that_replies_and_finishes_lost_nothing() -> None:
    task = (ACQUIRE_PATH, REPLY_PATH, FINISH_PATH)
    worker_calls(*task, *task, ACQUIRE_PATH).sleep(0.01)
