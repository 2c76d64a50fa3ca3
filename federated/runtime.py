"""A small layer over flwr 1.41.0's Runtime API client: be a task's executor without starting Flower's own.

With ``--isolation process`` SuperLink and SuperNode start no executor: any process that holds the SuperExec secret acts
as one. ``RuntimeConnection`` does that for the coordinator (a ServerApp task at the SuperLink) and for a site's worker
(ClientApp tasks at its SuperNode). Flower gives no stability promise for these names: the version is pinned and
tests/unit/federated/test_federated_flower_names.py guards each of them.
"""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol, TypeVar

import httpx
from flwr.app import Message
from flwr.app.message import remove_content_from_message
from flwr.common.constant import SubStatus
from flwr.common.serde import message_to_proto
from flwr.proto.message_pb2 import ConfirmMessageReceivedRequest, ObjectTree
from flwr.proto.node_pb2 import Node
from flwr.proto.runtime_pb2 import (
    AcquireTaskRequest,
    GetNodesRequest,
    PullAppMessagesRequest,
    PullTaskInputRequest,
    PullTaskInputResponse,
    PushAppMessagesRequest,
    PushTaskOutputRequest,
    SendTaskHeartbeatRequest,
)
from flwr.proto.task_pb2 import Task
from flwr.supercore.constant import TASK_TOKEN_HEADER
from flwr.supercore.inflatable.inflatable_object import (
    get_all_nested_objects,
    get_object_tree,
    iterate_object_tree,
    no_object_id_recompute,
)
from flwr.supercore.inflatable.inflatable_protobuf_utils import (
    make_pull_object_fn_protobuf,
    make_push_object_fn_protobuf,
)
from flwr.supercore.inflatable.inflatable_utils import (
    ObjectPullError,
    ObjectPushError,
    ObjectUnavailableError,
    inflate_object_from_contents,
    pull_objects,
    push_objects,
)
from flwr.supercore.interceptors import RuntimeVersionHttpInterceptor, SuperExecAuthHttpInterceptor
from flwr.supercore.protobuf.client import ProtobufCall, ProtobufClient, ProtobufRequestContext
from flwr.supercore.runtime import RuntimeHttpClient
from flwr.supercore.task_identity import TaskIdentity

from federated.guard import TOKEN_HEADER

C = TypeVar("C", bound=ProtobufClient)

HEARTBEAT_SECONDS = 20.0
"""Between heartbeats of a task; the server forgets a task it has not heard of for 30 s."""

CALL_SECONDS = 30.0
"""Longest wait for the answer to one call, as in Flower's own clients."""

RETRY_PAUSES_SECONDS = (0.1, 0.4, 1.0)

OBJECT_BACKOFF_SECONDS = 0.01
"""First wait for an object that is not uploaded yet; Flower's own default is a whole second."""

OBJECT_SECONDS = 300.0
"""Longest wait for the objects of a message."""

SENDER_PATIENCE_SECONDS, SENDER_LOOK_SECONDS = 2.0, 1.0
"""After how long without an object, and then how often, it is asked whether the sender still lives."""


@dataclass(frozen=True)
class Endpoint:
    """Where a Runtime API is and what opens it.

    Attributes:
        address: ``host:port``.
        ca: PEM file of the root that signed the server's certificate.
        secret: SuperExec secret (raw bytes of its file): whoever has it may take tasks.
        token: the coordinator's token for the SuperLink's guard; None at a SuperNode.
    """

    address: str
    ca: Path
    secret: bytes
    token: bytes | None = None


class HeaderInterceptor:
    """Adds headers to every request of a Flower HTTP client; ``headers`` may be changed between requests."""

    def __init__(self, headers: dict[str, str]) -> None:
        self.headers = headers

    def intercept(self, context: ProtobufRequestContext, call_next: ProtobufCall) -> httpx.Response:
        context.request.headers.update(self.headers)
        return call_next(context)


class RetryInterceptor:
    """Sends a request again when the server closed an idle connection under it, or is just starting.

    Must stand last, next to the transport: the request is complete there, signed and with its headers.
    """

    def intercept(self, context: ProtobufRequestContext, call_next: ProtobufCall) -> httpx.Response:
        for pause in RETRY_PAUSES_SECONDS:
            try:
                return call_next(context)
            except (httpx.RemoteProtocolError, httpx.ConnectError):
                time.sleep(pause)
        return call_next(context)


def without_proxy(client: C, ca: Path) -> C:
    """Let a Flower client ignore HTTP_PROXY and the like: no proxy may stand between the parties."""
    client._client.close()
    client._client = httpx.Client(
        verify=ssl.create_default_context(cafile=str(ca)), timeout=CALL_SECONDS, trust_env=False
    )
    return client


def token_headers(token: bytes | None) -> dict[str, str]:
    """The header that the SuperLink's guard asks for, or none."""
    return {TOKEN_HEADER: token.decode()} if token else {}


class RuntimeConnection:
    """One executor's connection; holds at most one task at a time."""

    def __init__(self, endpoint: Endpoint, name: str) -> None:
        """Open nothing yet; ``name`` says in Flower's logs who asks."""
        self._headers = HeaderInterceptor(token_headers(endpoint.token))
        client = RuntimeHttpClient.from_server_address(
            server_address=endpoint.address,
            insecure=False,
            root_certificates=endpoint.ca.read_bytes(),
            interceptors=[
                RuntimeVersionHttpInterceptor(component_name=name),
                self._headers,
                SuperExecAuthHttpInterceptor(
                    master_secret=endpoint.secret, protected_methods=["/flwr.proto.Runtime/AcquireTask"]
                ),
                RetryInterceptor(),
            ],
        )
        self._client = without_proxy(client, endpoint.ca)
        self.run_id = 0
        self.node_id = 0

    def acquire(self, task_types: Collection[str]) -> Task | None:
        """Take the oldest pending task of these types, or None. Raises httpx.HTTPError when refused or unreachable."""
        self._headers.headers.pop(TASK_TOKEN_HEADER, None)
        response = self._client.AcquireTask(AcquireTaskRequest(supported_task_types=list(task_types)))
        if not (response.HasField("task") and response.token):
            return None
        self._headers.headers[TASK_TOKEN_HEADER] = response.token
        self.run_id = response.task.run_id
        return response.task

    def pull_input(self) -> PullTaskInputResponse:
        """Start the acquired task and get its run, bundle and context; Message objects need the identity set here."""
        answer = self._client.PullTaskInput(PullTaskInputRequest())
        self.node_id = answer.context.node_id
        TaskIdentity.task_id, TaskIdentity.run_id, TaskIdentity.node_id = answer.task_id, self.run_id, self.node_id
        return answer

    def nodes(self) -> set[int]:
        """Ids of the SuperNodes that are online (coordinator only)."""
        return {node.node_id for node in self._client.GetNodes(GetNodesRequest()).nodes}

    def push(self, messages: Iterable[Message]) -> list[str]:
        """Send messages; returns their ids in order. Equal content for several receivers is uploaded once."""
        batch = list(messages)
        with no_object_id_recompute():  # else each look at an id would serialise the whole content again
            for message in batch:
                message.metadata.__dict__["_message_id"] = message.object_id
            request = PushAppMessagesRequest(
                messages_list=[message_to_proto(remove_content_from_message(message)) for message in batch],
                message_object_trees=[get_object_tree(message) for message in batch],
            )
            response = self._client.PushMessages(request)
            objects = {key: part for message in batch for key, part in get_all_nested_objects(message).items()}
            upload = make_push_object_fn_protobuf(
                self._client.PushObject, Node(node_id=self.node_id), self.run_id, response.session_id
            )
            with taken_for_lost():
                push_objects(objects, upload, object_ids_to_push=set(response.objects_to_push))
        return list(response.message_ids)

    def pull(self) -> list[Message]:
        """The task's messages that have arrived, for a worker. Raises ObjectPullError when one will not be whole."""
        response = self._client.PullMessages(PullAppMessagesRequest())
        return [self._download(tree) for tree in response.message_object_trees]

    def replies(self, ids: Collection[str], is_lost: Callable[[int], bool]) -> list[tuple[str, Message | None]]:
        """Replies to ``ids`` that have arrived, for the coordinator: the id answered and the reply.

        Args:
            is_lost: whether the SuperNode of that id was restarted or left. Asked when a reply is announced and its
                objects do not come; it is None then.
        """
        response = self._client.PullMessages(PullAppMessagesRequest(message_ids=ids))
        found: list[tuple[str, Message | None]] = []
        for head, tree in zip(response.messages_list, response.message_object_trees, strict=True):
            try:
                message = self._download(tree, partial(is_lost, head.metadata.src_node_id))
            except ObjectPullError:
                message = None
            found.append((head.metadata.reply_to_message_id, message))
        return found

    def _download(self, tree: ObjectTree, is_lost: Callable[[], bool] = lambda: False) -> Message:
        node = Node(node_id=self.node_id)
        download = make_pull_object_fn_protobuf(self._client.PullObject, node, self.run_id)
        contents = pull_objects(
            [part.object_id for part in iterate_object_tree(tree)],
            while_alive(download, is_lost),
            initial_backoff=OBJECT_BACKOFF_SECONDS,
            backoff_cap=10 * OBJECT_BACKOFF_SECONDS,
            max_time=OBJECT_SECONDS,
            max_tries_per_object=None,
        )
        self._client.ConfirmMessageReceived(
            ConfirmMessageReceivedRequest(node=node, run_id=self.run_id, message_object_id=tree.object_id)
        )
        message: Message = inflate_object_from_contents(tree.object_id, contents)
        message.metadata.__dict__["_message_id"] = tree.object_id
        return message

    def beat(self) -> bool:
        """Tell the server that the task is alive; False when it has given the task up."""
        return bool(self._client.SendTaskHeartbeat(SendTaskHeartbeatRequest()).success)

    def finish(self, *, completed: bool) -> None:
        """End the task. No detail text is ever sent: only whether it completed."""
        status = SubStatus.COMPLETED if completed else SubStatus.FAILED
        self._client.PushTaskOutput(PushTaskOutputRequest(sub_status=status, details=""))

    def close(self) -> None:
        self._client.close()


@contextmanager
def taken_for_lost() -> Iterator[None]:
    """A server that does not want a message's objects any more was restarted since it took the message's head."""
    try:
        yield
    except ObjectPushError as error:
        raise httpx.RemoteProtocolError("the server has forgotten the message whose objects it was sent") from error


def while_alive(download: Callable[[str], bytes], is_lost: Callable[[], bool]) -> Callable[[str], bytes]:
    """The download of an object that is tried while its sender may still be uploading it, and no longer."""
    look_at = time.monotonic() + SENDER_PATIENCE_SECONDS

    def pull(object_id: str) -> bytes:
        nonlocal look_at
        try:
            return download(object_id)
        except ObjectUnavailableError:
            if time.monotonic() >= look_at:
                look_at = time.monotonic() + SENDER_LOOK_SECONDS
                if is_lost():
                    raise ObjectPullError(object_id, "its sender is gone") from None
            raise

    return pull


class Beating(Protocol):
    """What a heartbeat needs of a connection."""

    def beat(self) -> bool:
        """Tell the server that the task is alive."""
        ...


class Heartbeat:
    """Keeps a task alive from a thread while the context is open; short tasks send none."""

    def __init__(self, connection: Beating, seconds: float = HEARTBEAT_SECONDS) -> None:
        self._connection = connection
        self._seconds = seconds
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="task-heartbeat", daemon=True)

    def __enter__(self) -> Heartbeat:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        wait = self._seconds
        while not self._over.wait(wait):
            try:
                self._connection.beat()
                wait = self._seconds
            except httpx.TransportError:
                wait = min(1.0, self._seconds)  # the server may be restarting: keep trying until the task ends
            except httpx.HTTPStatusError:
                return  # the task is gone; the next call of its owner says so
