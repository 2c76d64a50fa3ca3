"""A SuperNode takes its place at the SuperLink whatever stands in it, and starts over when it is forgotten."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import httpx
import pytest
from flwr.proto.fleet_pb2 import ActivateNodeRequest, ActivateNodeResponse, PullMessagesRequest
from flwr.proto.heartbeat_pb2 import SendNodeHeartbeatRequest
from flwr.supernode.nodestate import NodeStateFactory

from federated.site import supernode
from federated.site.supernode import NODE_ID, PlacedClient, StartOver, Wakes, run_over_and_over

REQUEST = ActivateNodeRequest(public_key=b"key", heartbeat_interval=30)


class SuperLink:
    """Answers calls by a script: for each call its path and then a status, or the id that it gives."""

    def __init__(self, *script: tuple[str, int]) -> None:
        self.script = list(script)
        self.bodies: list[bytes] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path, outcome = self.script.pop(0)
        assert request.url.path == f"/v1/fleet/{path}"
        self.bodies.append(request.content)
        if outcome in (401, 412):
            return httpx.Response(outcome, request=request)
        return httpx.Response(200, content=ActivateNodeResponse(node_id=outcome).SerializeToString(), request=request)


Client = Callable[..., PlacedClient]


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Client:
    """Makes a client of a scripted SuperLink whose home is ``tmp_path``."""
    monkeypatch.setattr(PlacedClient, "home", tmp_path / "flwr")
    monkeypatch.setattr(supernode, "PLACE_PAUSES_SECONDS", (0.0,))

    def make(link: SuperLink) -> PlacedClient:
        made = PlacedClient("https://link")
        made._client.close()
        made._client = httpx.Client(transport=httpx.MockTransport(link))
        return made

    return make


def test_it_keeps_its_id_and_takes_its_former_self_off(client: Client, tmp_path: Path) -> None:
    assert client(SuperLink(("activate-node", 7))).ActivateNode(REQUEST).node_id == 7
    assert (tmp_path / "flwr" / NODE_ID).read_text() == "7"
    link = SuperLink(("activate-node", 412), ("deactivate-node", 7), ("activate-node", 7))
    assert client(link).ActivateNode(REQUEST).node_id == 7
    assert link.script == []


def test_it_asks_again_until_it_is_registered(client: Client, tmp_path: Path) -> None:
    new = SuperLink(("activate-node", 412), ("activate-node", 412), ("activate-node", 8))
    assert client(new).ActivateNode(REQUEST).node_id == 8
    unknown = (("activate-node", 412), ("deactivate-node", 401))
    restarted = SuperLink(*unknown, *unknown, ("activate-node", 9))
    assert client(restarted).ActivateNode(REQUEST).node_id == 9
    assert (tmp_path / "flwr" / NODE_ID).read_text() == "9"


def test_a_superlink_that_forgot_it_makes_the_main_loop_start_over_and_the_heartbeat_fail(client: Client) -> None:
    with pytest.raises(StartOver):
        client(SuperLink(("pull-messages", 401))).PullMessages(PullMessagesRequest())
    with pytest.raises(httpx.TransportError):
        client(SuperLink(("send-node-heartbeat", 401))).SendNodeHeartbeat(SendNodeHeartbeatRequest())


def test_a_wrong_key_is_no_reason_to_go_on(client: Client) -> None:
    with pytest.raises(httpx.HTTPStatusError):
        client(SuperLink(("activate-node", 401))).ActivateNode(REQUEST)


def test_the_main_loop_is_run_again_with_an_empty_state(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supernode, "OVER_PAUSE_SECONDS", 0.0)
    states: list[Any] = []

    def main_loop(*, state_factory: Any, port: int) -> None:
        states.append((state_factory.state_instance, state_factory.objectstore_factory.store_instance, port))
        state_factory.state_instance = state_factory.objectstore_factory.store_instance = object()
        if len(states) == 1:
            raise StartOver
        if len(states) == 3:
            raise SystemExit

    factory = SimpleNamespace(state_instance=None, objectstore_factory=SimpleNamespace(store_instance=None))
    with pytest.raises(SystemExit):
        run_over_and_over(main_loop, Wakes(), state_factory=cast(NodeStateFactory, factory), port=1)
    assert states == [(None, None, 1)] * 3
