"""A site's worker goes on, and says nothing, whatever the coordinator sends."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import httpx
import pytest

from contracts.messages import RefusalCode
from federated.envelope import Request
from federated.runtime import RuntimeConnection
from federated.site.worker import Worker


class Connection:
    """A SuperNode with one task whose message fails to be read."""

    def __init__(self, error: Exception) -> None:
        self.error = error
        self.finished: list[bool] = []
        self.pushed: list[Any] = []

    def acquire(self, task_types: object) -> Any:
        return SimpleNamespace(type="flwr-clientapp")

    def pull_input(self) -> None:
        return None

    def pull(self) -> list[Any]:
        raise self.error

    def push(self, messages: list[Any]) -> None:
        self.pushed += messages

    def finish(self, *, completed: bool) -> None:
        self.finished.append(completed)

    def beat(self) -> bool:
        return True


class NeverAsked:
    def answer(self, request: Request) -> bytes:
        raise AssertionError("there is no request")

    def refuse(self, code: RefusalCode, run: str = "", round_no: int | None = None, about: str = "") -> bytes:
        raise AssertionError("there is nothing to refuse")


def test_a_message_that_cannot_be_read_ends_its_task_and_not_the_worker() -> None:
    connection = Connection(ValueError("not an object of Flower"))
    assert Worker(cast(RuntimeConnection, connection), NeverAsked()).step()
    assert (connection.finished, connection.pushed) == ([False], [])


def test_a_supernode_that_fails_is_told_apart_from_a_bad_message() -> None:
    connection = Connection(httpx.ConnectError("away"))
    with pytest.raises(httpx.ConnectError):
        Worker(cast(RuntimeConnection, connection), NeverAsked()).step()
    assert connection.finished == []
