"""Registration of the sites' SuperNodes at the SuperLink, by the coordinator, over the guarded Control API."""

from __future__ import annotations

from collections.abc import Mapping

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_ssh_public_key
from flwr.proto.control_pb2 import ListNodesRequest, RegisterNodeRequest
from flwr.supercore.control import ControlHttpClient
from flwr.supercore.interceptors import RuntimeVersionHttpInterceptor

from contracts.errors import UsageError
from federated.processes import LinkAddress
from federated.runtime import HeaderInterceptor, RetryInterceptor, token_headers, without_proxy


def control_client(link: LinkAddress, token: bytes) -> ControlHttpClient:
    """A client of the Control API that carries the coordinator's token."""
    client = ControlHttpClient.from_server_address(
        link.address,
        False,
        link.ca.read_bytes(),
        interceptors=[
            RuntimeVersionHttpInterceptor(component_name="cloister-coordinator"),
            HeaderInterceptor(token_headers(token)),
            RetryInterceptor(),
        ],
    )
    return without_proxy(client, link.ca)


def register_nodes(client: ControlHttpClient, keys: Mapping[str, bytes]) -> dict[str, int]:
    """Register each site's SuperNode key; returns site -> node id. Registering again gives the same ids.

    Args:
        keys: site -> public key as ``node_key`` gives it.

    Raises:
        httpx.HTTPError: the SuperLink does not answer, or refuses the client's token.
    """
    known = {bytes(node.public_key): node.node_id for node in client.ListNodes(ListNodesRequest()).nodes_info}
    return {
        site: known.get(key) or client.RegisterNode(RegisterNodeRequest(public_key=key)).node_id
        for site, key in keys.items()
    }


def node_key(site: str, line: str) -> bytes:
    """A SuperNode's public key in the form Flower registers (PEM), from its OpenSSH line (ECDSA P-384).

    Raises UsageError naming the site.
    """
    try:
        key = load_ssh_public_key(line.encode())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise UsageError(
            f"site '{site}': no OpenSSH public key; make one with federated.keys.make_node_keys"
        ) from error
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
