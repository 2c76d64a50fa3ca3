"""Registration of the sites' SuperNodes at the SuperLink, by the coordinator, over the guarded Control API."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import httpx
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_ssh_public_key
from flwr.proto.control_pb2 import ListNodesRequest, RegisterNodeRequest
from flwr.supercore.control import ControlHttpClient
from flwr.supercore.interceptors import RuntimeVersionHttpInterceptor

from contracts.errors import CredentialError, UsageError
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


def register_nodes(link: LinkAddress, token: bytes, public_keys: Mapping[str, Path]) -> dict[str, int]:
    """Register each site's SuperNode key; returns site -> node id. Registering again gives the same ids.

    Args:
        public_keys: site -> OpenSSH public key file (ECDSA P-384).

    Raises:
        CredentialError: the SuperLink did not accept the token.
        UsageError: a file is no OpenSSH public key, or the SuperLink cannot be reached.
    """
    keys = {site: _point(path) for site, path in public_keys.items()}
    try:
        with control_client(link, token) as client:
            known = {bytes(node.public_key): node.node_id for node in client.ListNodes(ListNodesRequest()).nodes_info}
            return {
                site: known.get(key) or client.RegisterNode(RegisterNodeRequest(public_key=key)).node_id
                for site, key in keys.items()
            }
    except httpx.HTTPStatusError as error:
        raise CredentialError(
            f"the SuperLink at {link.address} refused the registration (HTTP {error.response.status_code}). "
            "Expected the token that this SuperLink was started with; check link.token."
        ) from error
    except httpx.TransportError as error:
        raise UsageError(f"no SuperLink reached at {link.address} ({type(error).__name__}). Start it first.") from error


def _point(path: Path) -> bytes:
    try:
        key = load_ssh_public_key(path.read_bytes())
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: no OpenSSH public key; make one with federated.keys.make_node_keys") from error
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
