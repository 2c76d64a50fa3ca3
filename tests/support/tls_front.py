"""TLS in front of a PostgreSQL that has none: PostgreSQL's own negotiation, a real handshake, then bytes to and fro.

A client asks by an SSLRequest (8 bytes); the answer is ``S``, and TLS begins, or ``N``: no TLS here.
https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-SSL
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

SSL_REQUEST = struct.pack("!II", 8, 80877103)


class Authority:
    """A certificate authority of a test; ``root`` is its certificate's file."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder, self._name = folder, x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.root = folder / f"{name}.crt"
        own = self._builder(self._name, self._key).add_extension(x509.BasicConstraints(True, None), True)
        self.root.write_bytes(own.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))

    def context(self, host: str) -> ssl.SSLContext:
        """A server's side of TLS with a certificate for this host name."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
        names = x509.SubjectAlternativeName([x509.DNSName(host)])
        made = self._builder(name, key).add_extension(names, False).sign(self._key, hashes.SHA256())
        file = self._folder / f"{host}.pem"
        secret = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        file.write_bytes(secret + made.public_bytes(serialization.Encoding.PEM))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context

    def _builder(self, name: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        dated = x509.CertificateBuilder().not_valid_before(now - timedelta(1)).not_valid_after(now + timedelta(1))
        named = dated.subject_name(name).issuer_name(self._name).serial_number(x509.random_serial_number())
        return named.public_key(key.public_key())


@contextmanager
def serve_tls(database: Path, context: ssl.SSLContext | None) -> Iterator[tuple[int, list[bytes]]]:
    """A front on loopback: its port, and the first bytes that clients sent in the clear.

    Args:
        database: the server's local socket.
        context: None: refuses TLS, and takes connections in the clear.
    """
    clear: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=_accept, args=(listening, database, context, clear), daemon=True).start()
        yield listening.getsockname()[1], clear
        listening.shutdown(socket.SHUT_RDWR)


def _accept(listening: socket.socket, database: Path, context: ssl.SSLContext | None, clear: list[bytes]) -> None:
    with contextlib.suppress(OSError):
        while True:
            client, _ = listening.accept()
            threading.Thread(target=_converse, args=(client, database, context, clear), daemon=True).start()


def _converse(client: socket.socket, database: Path, context: ssl.SSLContext | None, clear: list[bytes]) -> None:
    with contextlib.suppress(OSError), contextlib.ExitStack() as open_ones:
        open_ones.enter_context(client)
        first = client.recv(8, socket.MSG_WAITALL)
        while first and first != SSL_REQUEST and struct.unpack("!II", first) == (8, 80877104):  # GSSAPI: not here
            client.sendall(b"N")
            first = client.recv(8, socket.MSG_WAITALL)
        if first == SSL_REQUEST:
            client.sendall(b"S" if context else b"N")
            first = b""
            if context:
                client = open_ones.enter_context(context.wrap_socket(client, server_side=True))
        if context is None:
            first += client.recv(1 << 16)
            clear.append(first)
        server = open_ones.enter_context(socket.socket(socket.AF_UNIX))
        server.connect(str(database))
        server.sendall(first)
        back = threading.Thread(target=_copy, args=(server, client), daemon=True)
        back.start()
        _copy(client, server)
        back.join()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(1 << 16):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
