"""A sender of HL7 v2 over MLLP, and a region whose only source takes what it sends."""

from __future__ import annotations

import socket
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

VT, END = b"\x0b", b"\x1c\r"

SOURCES = {
    "result": 'template = "hl7v2/oru_r01"\nsystem = "lis"\nentity = "result"\nfiles = ["oru*.hl7"]\n',
    "adt": 'template = "hl7v2/adt"\nsystem = "his"\nentity = "adt"\nfiles = ["adt*.hl7"]\n',
}


def write_feed_region(folder: Path, *names: str) -> Path:
    """A region folder with the site ``north`` and these sources (``result``, ``adt``)."""
    site = folder / "sites" / "north"
    (site / "sources").mkdir(parents=True)
    (folder / "region.toml").write_text('name = "small"\ntitle = "Small"\n', encoding="utf-8")
    (site / "site.toml").write_text('name = "north"\ntitle = "North"\n', encoding="utf-8")
    for name in names:
        (site / "sources" / f"{name}.toml").write_text(SOURCES[name], encoding="utf-8")
    return folder


def message(number: int | str, kind: str = "ORU^R01", more: str = "", *, tail: str = "") -> bytes:
    """A small message; ``tail`` are fields from MSH-13 on."""
    header = f"MSH|^~\\&|LIS|LAB|HIS|H|20240301080500||{kind}|M{number}|P|2.4{tail}"
    return f"{header}\rPID|1||P{number}\r{more}".encode()


class Sender:
    """One connection. ``send`` waits for the answer."""

    def __init__(self, port: int, tls: ssl.SSLContext | None = None, timeout: float = 10.0) -> None:
        plain = socket.create_connection(("127.0.0.1", port), timeout)
        self.socket = tls.wrap_socket(plain, server_hostname="localhost") if tls else plain
        self._buffer = b""

    def send(self, data: bytes, answers: int = 1) -> list[str]:
        """Send one message in its frame; the answers' texts."""
        self.socket.sendall(VT + data + END)
        return [self.answer() for _ in range(answers)]

    def answer(self, codec: str = "utf-8") -> str:
        """The next answer; empty when the listener has hung up."""
        while END not in self._buffer:
            data = self.socket.recv(1 << 16)
            if not data:
                return ""
            self._buffer += data
        text, _, self._buffer = self._buffer.partition(END)
        return text.removeprefix(VT).decode(codec)

    def close(self) -> None:
        self.socket.close()


def self_signed_client(stem: Path) -> tuple[Path, Path]:
    """A client's certificate that is its own authority, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "engine")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    paths = stem.with_suffix(".crt"), stem.with_suffix(".key")
    paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    form = serialization.PrivateFormat.PKCS8
    paths[1].write_bytes(key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()))
    return paths


def code_of(answer: str) -> str:
    """``AA`` and its like, from MSA-1."""
    return answer.split("MSA|")[1].split("|")[0].strip() if answer else ""
