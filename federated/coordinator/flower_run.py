"""One run of Flower at one life of the SuperLink: nodes registered, run started, messages out and answers in.

This is the ServerApp of its run without Flower starting one: StartRun over the guarded Control API, AcquireTask with
the SuperExec secret, then messages. The SuperLink keeps its state in memory, so a run ends with it; ``Session`` makes
the next one.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass

import httpx
from flwr.app import Message, RecordDict
from flwr.common.serde import fab_to_proto
from flwr.proto.control_pb2 import ListNodesRequest, StartRunRequest
from flwr.supercore.constant import TaskType
from flwr.supercore.fab import Fab

from contracts.errors import CloisterError
from federated.envelope import message_for, unpack_frames
from federated.processes import LinkAddress
from federated.registration import control_client, register_nodes
from federated.runtime import Endpoint, Heartbeat, RuntimeConnection

PUSHED_TOGETHER = 4
"""Messages whose heads are sent before their contents: a SuperNode that sees a head asks for the contents again and
again until they are there, and dozens of them leave the SuperLink no time to take contents in."""

ACQUIRE_POLL_SECONDS = 0.02
ACQUIRE_SECONDS = 30.0
ONLINE = "online"


@dataclass(frozen=True)
class Credentials:
    """What lets this process be the coordinator at the SuperLink: the guard's token and the SuperExec secret."""

    token: bytes
    secret: bytes


@dataclass(frozen=True)
class Place:
    """A site's SuperNode as the SuperLink sees it.

    Attributes:
        is_online: it was heard of within the last minute and did not leave.
        activated: when it last came online, in the SuperLink's words; changes when the SuperNode was restarted.
    """

    is_online: bool
    activated: str


@dataclass(frozen=True)
class Answer:
    """What came back for a message.

    Attributes:
        message: id of the message it answers.
        frames: not yet parsed, empty when the answer is no list of frames; None: Flower reports the message as lost.
    """

    message: str
    frames: list[bytes] | None


class FlowerRun:
    """A started run. Every method raises httpx.HTTPError when the SuperLink does not answer or has forgotten it."""

    def __init__(self, link: LinkAddress, credentials: Credentials, keys: Mapping[str, bytes], bundle: bytes) -> None:
        """Register the nodes and start the run.

        Args:
            keys: site -> public key of its SuperNode (``federated.registration.node_key``).
            bundle: the FAB that Flower ships with the run.

        Raises:
            httpx.HTTPError: the SuperLink refuses us or cannot be reached.
            CloisterError: another coordinator took this run's task.
        """
        self._control = control_client(link, credentials.token)
        endpoint = Endpoint(link.address, link.ca, credentials.secret, credentials.token)
        self._connection = RuntimeConnection(endpoint, "cloister-coordinator")
        try:
            self._nodes = register_nodes(self._control, keys)
            fab = Fab(hashlib.sha256(bundle).hexdigest(), bundle, {})
            self.run_id = int(self._control.StartRun(StartRunRequest(fab=fab_to_proto(fab))).run_id)
            self._take_task()
        except BaseException:
            self._close_clients()
            raise
        self._sites = {node: site for site, node in self._nodes.items()}
        self._places: dict[str, Place] = {}
        self._heartbeat = Heartbeat(self._connection)
        self._heartbeat.__enter__()

    def places(self) -> dict[str, Place]:
        """Each site's SuperNode."""
        self._places = self._ask_places()
        return self._places

    def push(self, contents: Mapping[str, RecordDict], *, ttl: float, group: str) -> dict[str, str]:
        """Send each site its content, to be forgotten after ``ttl`` seconds; returns message id -> site.

        A site whose SuperNode never came online is left out: the SuperLink takes no message for it.
        """
        sent: dict[str, str] = {}
        sites = list(contents)
        for at in range(0, len(sites), PUSHED_TOGETHER):
            some = sites[at : at + PUSHED_TOGETHER]
            messages = [message_for(self._nodes[site], contents[site], ttl=ttl, group=group) for site in some]
            ids = self._connection.push(messages)
            sent |= {message_id: site for message_id, site in zip(ids, some, strict=True) if message_id}
        return sent

    def pull(self, ids: Collection[str]) -> list[Answer]:
        """Answers that have arrived; the SuperLink holds the question for up to two seconds."""
        return [Answer(asked, _frames(reply)) for asked, reply in self._connection.replies(ids, self._is_lost)]

    def close(self, *, completed: bool) -> None:
        """End the run, also when the SuperLink has forgotten it."""
        self._heartbeat.__exit__()
        with suppress(httpx.HTTPError):
            self._connection.finish(completed=completed)
        self._close_clients()

    def _ask_places(self) -> dict[str, Place]:
        nodes = self._control.ListNodes(ListNodesRequest()).nodes_info
        return {
            self._sites[node.node_id]: Place(node.status == ONLINE, node.last_activated_at)
            for node in nodes
            if node.node_id in self._sites
        }

    def _is_lost(self, node: int) -> bool:
        """Whether a SuperNode that was uploading a reply is another process now, or gone."""
        site = self._sites.get(node, "")
        place = self._ask_places().get(site)
        return place is None or not place.is_online or place != self._places.setdefault(site, place)

    def _take_task(self) -> None:
        """Take the run's ServerApp task; tasks that killed coordinators left behind are ended on the way to it."""
        end = time.monotonic() + ACQUIRE_SECONDS
        while time.monotonic() < end:
            task = self._connection.acquire([TaskType.SERVER_APP])
            if task is None:
                time.sleep(ACQUIRE_POLL_SECONDS)
            elif task.run_id == self.run_id:
                self._connection.pull_input()
                return
            else:
                self._connection.finish(completed=False)
        raise CloisterError(
            f"the SuperLink gave away the task of run {self.run_id}: another coordinator started a run at the same "
            "time. Run one coordinator at a time."
        )

    def _close_clients(self) -> None:
        self._connection.close()
        self._control.close()


def _frames(reply: Message | None) -> list[bytes] | None:
    if reply is None or reply.has_error():
        return None
    try:
        return unpack_frames(reply.content)
    except ValueError:
        return []
