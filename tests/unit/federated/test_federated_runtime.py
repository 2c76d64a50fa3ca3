from __future__ import annotations

import time
from typing import cast

import httpx
import pytest
from flwr.proto.runtime_pb2 import GetNodesRequest
from flwr.supercore.inflatable.inflatable_utils import ObjectPullError, ObjectPushError, ObjectUnavailableError
from flwr.supercore.protobuf.client import ProtobufRequestContext

from federated import runtime
from federated.runtime import Heartbeat, RetryInterceptor, taken_for_lost, while_alive


class Server:
    """Answers, or fails the first times with the errors given."""

    def __init__(self, *errors: httpx.HTTPError) -> None:
        self.errors = list(errors)
        self.calls = 0

    def __call__(self, context: ProtobufRequestContext) -> httpx.Response:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return httpx.Response(200)

    def beat(self) -> bool:
        return self(CONTEXT).is_success


CONTEXT = cast(ProtobufRequestContext, GetNodesRequest())


def test_a_request_on_a_connection_that_was_just_closed_is_sent_again() -> None:
    server = Server(httpx.RemoteProtocolError("closed"), httpx.ConnectError("starting"))
    assert RetryInterceptor().intercept(CONTEXT, server).status_code == 200
    assert server.calls == 3


def test_a_request_that_may_have_been_served_is_not_sent_again() -> None:
    server = Server(httpx.ReadTimeout("slow"))
    with pytest.raises(httpx.ReadTimeout):
        RetryInterceptor().intercept(CONTEXT, server)
    assert server.calls == 1


def test_a_server_that_stays_away_is_reported() -> None:
    server = Server(*[httpx.ConnectError("away")] * 9)
    with pytest.raises(httpx.ConnectError):
        RetryInterceptor().intercept(CONTEXT, server)


def test_a_short_task_sends_no_heartbeat_and_a_long_one_goes_on_through_a_restart_of_the_server() -> None:
    short, long = Server(), Server(httpx.ConnectError("restarting"))
    with Heartbeat(short, seconds=30.0):
        pass
    with Heartbeat(long, seconds=0.01):
        end = time.monotonic() + 10
        while long.calls < 4 and time.monotonic() < end:
            time.sleep(0.01)
    assert short.calls == 0 and long.calls >= 4


def test_a_task_that_the_server_has_forgotten_is_not_beaten_for_any_more() -> None:
    request = httpx.Request("POST", "https://link")
    gone = Server(httpx.HTTPStatusError("gone", request=request, response=httpx.Response(401, request=request)))
    with Heartbeat(gone, seconds=0.01):
        time.sleep(0.2)
    assert gone.calls == 1


def test_an_object_is_waited_for_while_its_sender_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "SENDER_PATIENCE_SECONDS", 0.0)
    monkeypatch.setattr(runtime, "SENDER_LOOK_SECONDS", 0.0)
    answers = [False, True]

    def never_there(object_id: str) -> bytes:
        raise ObjectUnavailableError(object_id)

    pull = while_alive(never_there, lambda: answers.pop(0))
    with pytest.raises(ObjectUnavailableError):
        pull("object")
    with pytest.raises(ObjectPullError):
        pull("object")
    assert while_alive(lambda object_id: b"content", lambda: True)("object") == b"content"


def test_a_server_that_forgot_a_message_between_its_head_and_its_objects_was_lost() -> None:
    with pytest.raises(httpx.HTTPError, match="forgotten"), taken_for_lost():
        raise ObjectPushError("object", 1, "session")
