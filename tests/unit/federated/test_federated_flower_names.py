"""Guards: each fails when flwr changes under a name that Cloister uses without a promise of stability."""

from __future__ import annotations

import ast
import importlib
import importlib.metadata
import inspect
from collections.abc import Iterator

from flwr.proto import control_pb2, runtime_pb2
from flwr.proto.node_pb2 import NodeInfo
from flwr.supercore.constant import TASK_TOKEN_HEADER, NodeStatus, TaskType
from flwr.supercore.error import ApiErrorCode
from flwr.supercore.error import catalog as error_catalog
from flwr.supercore.inflatable.inflatable_utils import pull_objects, push_objects
from flwr.supercore.object_store import ObjectStoreFactory
from flwr.supercore.protobuf.client import ProtobufClient
from flwr.supercore.protobuf.translation import PROTOBUF_REQUEST_TYPES
from flwr.supercore.runtime import RuntimeHttpClient
from flwr.superlink import extensions
from flwr.superlink import main as superlink_main
from flwr.superlink.routers.fleet import node_auth
from flwr.superlink.servicer.control import control_handlers
from flwr.supernode import fleet_http_connection
from flwr.supernode import main as supernode_main
from flwr.supernode import start_client_internal as main_loop
from flwr.supernode.nodestate import NodeStateFactory

from federated.coordinator.flower_run import ONLINE
from federated.guard import FLEET_CALLS
from federated.longpoll import PULL_PATHS, PUSH_PATHS, Holding
from federated.site.supernode import ACQUIRE_PATH, FINISH_PATH, HEARTBEAT_PATH, PLACE_PATHS, REPLY_PATHS, PlacedClient

# The packages give functions of the same names as these modules.
flower_superlink = importlib.import_module("flwr.superlink.cli.flower_superlink")
flower_supernode = importlib.import_module("flwr.supernode.cli.flower_supernode")


def test_the_version_is_the_one_these_names_were_read_in() -> None:
    assert importlib.metadata.version("flwr") == "1.41.0"


def test_the_superlink_asks_its_extension_hook_for_middleware_and_puts_it_outermost() -> None:
    assert extensions.get_middleware() == ()
    source = inspect.getsource(superlink_main._get_middleware)
    assert source.index("*extensions.get_middleware()") < source.index("ControlSensitiveResponseMiddleware")


def test_every_path_the_middlewares_know_is_a_path_of_flower() -> None:
    paths = {path for _, path in PROTOBUF_REQUEST_TYPES}
    assert FLEET_CALLS | set(PULL_PATHS) | set(PUSH_PATHS) <= paths
    assert {ACQUIRE_PATH, FINISH_PATH, HEARTBEAT_PATH} | REPLY_PATHS | PLACE_PATHS <= paths


def test_the_fleet_calls_left_closed_are_those_that_register() -> None:
    fleet = {path for _, path in PROTOBUF_REQUEST_TYPES if path.startswith("/v1/fleet/")}
    assert fleet - FLEET_CALLS == {"/v1/fleet/register-node", "/v1/fleet/unregister-node"}


def test_all_that_is_not_fleet_stands_below_control_or_runtime() -> None:
    roots = {path.split("/")[2] for _, path in PROTOBUF_REQUEST_TYPES}
    assert roots == {"fleet", "control", "runtime"}


def test_the_supernode_waits_longer_for_a_pull_than_it_is_held() -> None:
    assert inspect.signature(ProtobufClient.__init__).parameters["timeout"].default > Holding().sites


def test_the_supernode_uses_time_for_three_sleeps_only() -> None:
    tree = ast.parse(inspect.getsource(main_loop))
    uses = [n for n in ast.walk(tree) if isinstance(n, ast.Attribute) and ast.unparse(n.value) == "time"]
    assert {use.attr for use in uses} == {"sleep"}
    calls = [n for n in ast.walk(tree) if isinstance(n, ast.Call) and ast.unparse(n.func) == "time.sleep"]
    assert sorted(ast.unparse(call.args[0]) for call in calls) == ["0.5", "0.5", "3"]


def test_the_supernode_looks_up_what_is_replaced_at_call_time() -> None:
    assert "_pull_and_store_message(" in inspect.getsource(main_loop.start_client_internal)
    assert "import (  # pylint: disable=import-outside-toplevel\n        create_app," in inspect.getsource(
        flower_supernode._start_supernode_http_api
    )
    assert callable(supernode_main.create_app)


def test_the_supernode_gives_back_its_place_when_it_ends() -> None:
    assert "client.DeactivateNode(" in inspect.getsource(fleet_http_connection.http_request_response)


def test_the_supernode_makes_the_client_and_the_retries_that_are_replaced_at_call_time() -> None:
    source = inspect.getsource(fleet_http_connection.http_request_response)
    assert "with FleetHttpClient.from_server_address(" in source
    assert "retry_invoker = make_simple_http_retry_invoker()" in source
    assert "except httpx.TransportError:\n                return False" in source, "a heartbeat that fails is repeated"
    assert isinstance(fleet_http_connection.make_simple_http_retry_invoker().wait_gen_factory(), Iterator)
    assert "self._unary_unary(" in inspect.getsource(PlacedClient.PullMessages)


def test_the_supernode_can_start_over_with_an_empty_state() -> None:
    assert "    start_client_internal(\n        state_factory=state_factory," in inspect.getsource(
        flower_supernode.flower_supernode
    )
    assert {"state_instance", "objectstore_factory"} <= set(vars(NodeStateFactory(ObjectStoreFactory())))
    assert "store_instance" in vars(ObjectStoreFactory())
    assert "pull_objects(\n                obj_ids_to_pull," in inspect.getsource(main_loop._pull_and_store_message)


def test_the_superlink_refuses_what_it_does_not_know_in_two_ways() -> None:
    assert error_catalog.API_ERROR_MAP[ApiErrorCode.FLEET_NODE_ACTIVATION_FAILED].http_status_code == 412
    assert "HTTP_401_UNAUTHORIZED" in inspect.getsource(node_auth.authenticate_node)


def test_nodes_are_listed_with_what_tells_a_restart() -> None:
    assert {"node_id", "status", "last_activated_at", "public_key"} <= set(NodeInfo.DESCRIPTOR.fields_by_name)
    assert NodeStatus.ONLINE == ONLINE
    assert "state.get_node_info(" in inspect.getsource(control_handlers.list_nodes)


def test_the_superlink_takes_the_arguments_we_give() -> None:
    options = {
        option for action in flower_superlink._parse_args_run_superlink()._actions for option in action.option_strings
    }
    asked = "host port ssl-certfile ssl-keyfile ssl-ca-certfile enable-supernode-auth isolation"
    assert {f"--{name}" for name in asked.split()} <= options
    assert {"--superexec-auth-secret-file", "--disable-runtime-dependency-installation"} <= options


def test_the_runtime_client_has_the_calls_of_an_executor() -> None:
    calls = "AcquireTask PullTaskInput PushTaskOutput PushMessages PullMessages PushObject PullObject GetNodes"
    for name in [*calls.split(), "ConfirmMessageReceived", "SendTaskHeartbeat"]:
        assert callable(getattr(RuntimeHttpClient, name))
    assert TASK_TOKEN_HEADER == "flwr-task-token"
    assert {TaskType.CLIENT_APP, TaskType.SERVER_APP, TaskType.AGENT_APP} <= set(TaskType)


def test_a_flower_client_keeps_its_http_client_where_we_replace_it() -> None:
    assert "self._client = httpx.Client(" in inspect.getsource(ProtobufClient.__init__)


def test_objects_can_be_pulled_with_a_short_backoff() -> None:
    assert {"initial_backoff", "backoff_cap", "max_time"} <= set(inspect.signature(pull_objects).parameters)
    assert {"max_time", "max_tries_per_object"} <= set(inspect.signature(pull_objects).parameters)
    assert "object_ids_to_push" in inspect.signature(push_objects).parameters


def test_messages_have_the_fields_we_read() -> None:
    assert {"context", "run", "fab", "task_id"} <= set(runtime_pb2.PullTaskInputResponse.DESCRIPTOR.fields_by_name)
    assert {"task", "token"} <= set(runtime_pb2.AcquireTaskResponse.DESCRIPTOR.fields_by_name)
    assert "nodes_info" in control_pb2.ListNodesResponse.DESCRIPTOR.fields_by_name
    assert "node_id" in control_pb2.RegisterNodeResponse.DESCRIPTOR.fields_by_name
