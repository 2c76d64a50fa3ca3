"""TLS certificates of a region: one root, one server certificate a service. ECDSA P-256, as all TLS stacks take it."""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from contracts.errors import IntegrityError
from contracts.wire import digest
from governance.files import read_private, write_durable, write_private
from governance.vault import Vault


def make_root(certificate: Path, key: Path, name: str, days: int = 3650, *, vault: Vault | None = None) -> None:
    """Make a region's root: a self-signed CA certificate (PEM) and its key (PEM, mode 0600, sealed with a vault)."""
    private = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
    signed = (
        _builder(subject, subject, private.public_key(), days)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .sign(private, hashes.SHA256())
    )
    (vault.write if vault else write_private)(key, _pem(private))
    write_durable(certificate, signed.public_bytes(serialization.Encoding.PEM))


def issue_server(
    root: Path,
    root_key: Path,
    certificate: Path,
    key: Path,
    hosts: tuple[str, ...],
    days: int = 825,
    *,
    root_vault: Vault | None = None,
    vault: Vault | None = None,
) -> None:
    """Issue a server certificate for host names and IP addresses, with its key (mode 0600).

    Args:
        root_vault: what sealed the root's key; None: it stands in plain.
        vault: encrypts the new key as PEM under ``vault.passphrase(key)``; None: in plain.
    """
    issuer = x509.load_pem_x509_certificate(root.read_bytes())
    root_pem = root_vault.read(root_key) if root_vault else read_private(root_key)
    issuer_key = serialization.load_pem_private_key(root_pem, password=None)
    if not isinstance(issuer_key, ec.EllipticCurvePrivateKey):
        raise IntegrityError(f"{root_key} is not the elliptic-curve key of a region's root")
    private = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, hosts[0])])
    authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key())
    signed = (
        _builder(subject, issuer.subject, private.public_key(), days)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([_host(host) for host in hosts]), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(authority, critical=False)
        .sign(issuer_key, hashes.SHA256())
    )
    write_private(key, _pem(private, vault.passphrase(key) if vault else None))
    write_durable(certificate, signed.public_bytes(serialization.Encoding.PEM))


def server_passphrase(key: Path, vault: Vault) -> str:
    """The passphrase of a server's key that ``issue_server`` encrypted, tried on it.

    Raises:
        IntegrityError: it is no such key, or was altered. CredentialError: others may read the file.
    """
    passphrase = vault.passphrase(key)
    try:
        serialization.load_pem_private_key(read_private(key), password=passphrase)
    except (ValueError, TypeError) as error:
        raise IntegrityError(f"{key} is not a key that this vault encrypted: issue the certificate again") from error
    return passphrase.decode()


def certificate_digest(certificate: Path) -> str:
    """SHA-256 of a PEM certificate's DER form: what a roster calls ``tls_root``."""
    parsed = x509.load_pem_x509_certificate(certificate.read_bytes())
    return digest(parsed.public_bytes(serialization.Encoding.DER))


def require_root(certificate: Path, tls_root: str) -> None:
    """Raise IntegrityError unless a file holds the root that a roster names, and no other certificate.

    TLS trusts every certificate in the file, so a second one would let somebody else in.
    """
    found = x509.load_pem_x509_certificates(certificate.read_bytes())
    if [digest(one.public_bytes(serialization.Encoding.DER)) for one in found] != [tls_root]:
        raise IntegrityError(
            f"{certificate} is not the TLS root that the roster names, or not it alone: get it again from its issuer"
        )


def _builder(
    subject: x509.Name, issuer: x509.Name, public: ec.EllipticCurvePublicKey, days: int
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    )


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _pem(private: ec.EllipticCurvePrivateKey, passphrase: bytes | None = None) -> bytes:
    encryption = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
    return private.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
