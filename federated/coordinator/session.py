"""One run of Flower: started with the code-less marker, driven by this process, ended by it.

The session is the ServerApp of its run without Flower starting one: StartRun over the guarded Control API, AcquireTask
with the SuperExec secret, then messages. It knows sites by name; node ids come from the registration.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import httpx
from flwr.app import Message, RecordDict
from flwr.common.serde import fab_to_proto
from flwr.proto.control_pb2 import StartRunRequest
from flwr.supercore.constant import TaskType
from flwr.supercore.fab import Fab

from contracts.errors import CloisterError, CredentialError, UsageError
from federated.envelope import message_for, unpack_frames
from federated.marker import marker_bundle
from federated.processes import LinkAddress
from federated.registration import control_client
from federated.runtime import Endpoint, Heartbeat, RuntimeConnection

ACQUIRE_POLL_SECONDS = 0.02
ONLINE_POLL_SECONDS = 0.1
RESEND_PAUSE_SECONDS = 1.0


@dataclass(frozen=True)
class Credentials:
    """What lets this process be the coordinator at the SuperLink: the guard's token and the SuperExec secret."""

    token: bytes
    secret: bytes


class Session:
    """A started run. Use as a context manager: the run ends with it, completed or failed."""

    def __init__(
        self, link: LinkAddress, credentials: Credentials, nodes: Mapping[str, int], bundle: bytes | None = None
    ) -> None:
        """Start the run.

        Args:
            nodes: site -> node id.
            bundle: the FAB that Flower ships with the run; None: the marker, the only one that sites accept.

        Raises CredentialError when the SuperLink refuses us, UsageError when it cannot be reached.
        """
        self.nodes = dict(nodes)
        self._sites = {node: site for site, node in nodes.items()}
        endpoint = Endpoint(link.address, link.ca, credentials.secret, credentials.token)
        self._connection = RuntimeConnection(endpoint, "cloister-coordinator")
        try:
            self.run_id = _start_run(link, credentials.token, marker_bundle() if bundle is None else bundle)
            self._take_task()
        except httpx.HTTPStatusError as error:
            raise CredentialError(
                f"the SuperLink at {link.address} refused to start a run (HTTP {error.response.status_code}). "
                "Expected the token and the SuperExec secret that it was started with."
            ) from error
        except httpx.TransportError as error:
            raise UsageError(f"no SuperLink reached at {link.address} ({type(error).__name__}). Start it.") from error
        self._heartbeat = Heartbeat(self._connection)

    def __enter__(self) -> Session:
        self._heartbeat.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._heartbeat.__exit__()
        try:
            self._connection.finish(completed=kind is None)
        except httpx.HTTPError:
            if kind is None:
                raise
        finally:
            self._connection.close()

    def online(self) -> set[str]:
        """Sites whose SuperNode is online."""
        with self._reaching():
            return {self._sites[node] for node in self._connection.nodes() if node in self._sites}

    def wait_online(self, seconds: float) -> set[str]:
        """Wait until all sites are online, or as long as given; returns those that are."""
        end = time.monotonic() + seconds
        while (online := self.online()) != set(self.nodes) and time.monotonic() < end:
            time.sleep(ONLINE_POLL_SECONDS)
        return online

    def exchange(
        self, contents: Mapping[str, RecordDict], *, seconds: float, group: str = ""
    ) -> Iterator[tuple[str, list[bytes]]]:
        """Send each site its content and yield ``(site, frames)`` as answers arrive, until all did or time is over.

        A message that Flower reports as lost (its SuperNode left or came back) is sent again while there is time:
        sites answer a repeated request with the same frame. An answer that is no list of frames yields ``[]``.
        """
        end = time.monotonic() + seconds
        waiting = self._send(contents, end, group)
        again: dict[str, float] = {}
        while (waiting or again) and time.monotonic() < end:
            for message in self._pull(waiting):
                site = waiting.pop(message.metadata.reply_to_message_id)
                if message.has_error():
                    again[site] = time.monotonic() + RESEND_PAUSE_SECONDS
                else:
                    yield site, _frames(message)
            due = {site for site, at in again.items() if at <= time.monotonic()}
            waiting |= self._send({site: contents[site] for site in due}, end, group)
            again = {site: at for site, at in again.items() if site not in due}
            if again and not waiting:
                time.sleep(ONLINE_POLL_SECONDS)

    def _send(self, contents: Mapping[str, RecordDict], end: float, group: str) -> dict[str, str]:
        """Push one message a site; returns message id -> site. One the SuperLink would not take is not waited for."""
        if not contents:
            return {}
        ttl = max(1.0, end - time.monotonic())
        messages = [message_for(self.nodes[site], part, ttl=ttl, group=group) for site, part in contents.items()]
        with self._reaching():
            ids = self._connection.push(messages)
        return {message_id: site for message_id, site in zip(ids, contents, strict=True) if message_id}

    def _pull(self, waiting: Mapping[str, str]) -> list[Message]:
        """Answers that have arrived; the SuperLink holds the question for up to two seconds."""
        if not waiting:
            return []
        with self._reaching():
            return self._connection.pull(waiting)

    @contextmanager
    def _reaching(self) -> Iterator[None]:
        """An error of the connection in our words: this run of Flower is lost, what was opened is kept."""
        try:
            yield
        except httpx.HTTPError as error:
            raise CloisterError(
                f"the SuperLink stopped answering ({type(error).__name__}): its run is lost. Totals opened so far are "
                "kept; start the processes and run again."
            ) from error

    def _take_task(self) -> None:
        """Take the run's ServerApp task. Raises CloisterError when another run's task was pending."""
        while (task := self._connection.acquire([TaskType.SERVER_APP])) is None:
            time.sleep(ACQUIRE_POLL_SECONDS)
        if task.run_id != self.run_id:
            raise CloisterError(
                f"the SuperLink gave us the task of run {task.run_id}, expected {self.run_id}: another coordinator "
                "started a run at the same time. Run one coordinator at a time."
            )
        self._connection.pull_input()


def _start_run(link: LinkAddress, token: bytes, bundle: bytes) -> int:
    fab = Fab(hashlib.sha256(bundle).hexdigest(), bundle, {})
    with control_client(link, token) as client:
        return int(client.StartRun(StartRunRequest(fab=fab_to_proto(fab))).run_id)


def _frames(message: Message) -> list[bytes]:
    try:
        return unpack_frames(message.content)
    except ValueError:
        return []
