import os
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from contracts.errors import CredentialError, DataError, IntegrityError, UsageError
from gateway.clinics import CLINICS, ClinicDirectory, key_file, read_clinics, register_clinic
from gateway.settings import load_settings
from gateway.tokens import load_clinic_key, make_clinic_key, public_jwks


def _rsa(bits: int, **changed: Any) -> dict[str, Any]:
    private = rsa.generate_private_key(65537, bits)
    return {
        "keys": [{**RSAAlgorithm.to_jwk(private.public_key(), as_dict=True), "alg": "RS384", "kid": "k", **changed}]
    }


def test_a_registered_clinics_private_key_is_its_owners_only(tmp_path: Path) -> None:
    clinic = register_clinic(tmp_path, "east")
    path = key_file(tmp_path, "east")
    assert path.stat().st_mode & 0o777 == 0o600
    assert clinic.issuer == "urn:cloister:clinic:east"
    text = (tmp_path / CLINICS).read_text()
    assert load_clinic_key(path).kid in text
    assert '"d"' not in text and "PRIVATE" not in text
    os.chmod(path, 0o644)
    with pytest.raises(CredentialError, match="0644"):
        load_clinic_key(path)


def test_a_clinics_own_keys_are_taken_ec_or_rsa(tmp_path: Path) -> None:
    own = public_jwks(make_clinic_key("https://emr.example/"))
    register_clinic(tmp_path, "west", own, "https://emr.example/")
    register_clinic(tmp_path, "south", _rsa(3072))
    assert [clinic.name for clinic in read_clinics(tmp_path / CLINICS)] == ["south", "west"]
    assert not key_file(tmp_path, "west").exists()


def test_registering_again_replaces_the_keys(tmp_path: Path) -> None:
    register_clinic(tmp_path, "east")
    register_clinic(tmp_path, "east")
    (clinic,) = read_clinics(tmp_path / CLINICS)
    assert [jwk["kid"] for jwk in clinic.jwks["keys"]] == [load_clinic_key(key_file(tmp_path, "east")).kid]


def test_unsound_keys_and_names_are_refused(tmp_path: Path) -> None:
    p256 = ECAlgorithm.to_jwk(ec.generate_private_key(ec.SECP256R1()).public_key(), as_dict=True)
    sound = public_jwks(make_clinic_key("a:b"))["keys"][0]
    bad = {
        "no key": {"keys": []},
        "needs a kid": {"keys": [{**sound, "kid": ""}]},
        "one kid": {"keys": [sound, sound]},
        "alg must be": {"keys": [{**sound, "alg": "HS384"}]},
        "384 bits": {"keys": [{**p256, "alg": "ES384", "kid": "k"}]},
        "3072 bits": _rsa(2048),
        "private one": _rsa(3072, d="AQAB"),
        "of kind EC": {"keys": [{**sound, "x": "AA"}]},
    }
    said: str
    jwks: Any
    for said, jwks in bad.items():
        with pytest.raises(UsageError, match=said):
            register_clinic(tmp_path, "east", jwks)
    with pytest.raises(UsageError):
        register_clinic(tmp_path, "../east")
    assert not (tmp_path / CLINICS).exists()


def test_two_clinics_cannot_share_an_issuer(tmp_path: Path) -> None:
    register_clinic(tmp_path, "east")
    with pytest.raises(UsageError, match="belongs to another clinic"):
        register_clinic(tmp_path, "west", issuer="urn:cloister:clinic:east")


def test_a_broken_file_of_clinics_lets_nobody_in(tmp_path: Path) -> None:
    (tmp_path / CLINICS).write_text("{}")
    with pytest.raises(DataError, match="no list of clinics"):
        ClinicDirectory(tmp_path / CLINICS).find("urn:cloister:clinic:east")


def test_a_file_that_is_no_key_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text("{}")
    path.chmod(0o600)
    with pytest.raises(IntegrityError, match="no clinic's key file"):
        load_clinic_key(path)


def test_settings_are_relative_to_their_file_and_name_what_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "gateway.toml"
    text = f'folder = "home"\nregistry = "../registry"\nauthority = "{"ab" * 32}"\nport = 8443\n'
    path.write_text(text + 'certificate = "a.crt"\nprivate_key = "a.key"\n')
    settings = load_settings(path)
    assert settings.folder == tmp_path / "home"
    assert settings.url == "https://127.0.0.1:8443"
    path.write_text(text)
    with pytest.raises(DataError, match="certificate: Field required"):
        load_settings(path)
    for base_url in ("http://plain.example", "https://a.example/"):
        path.write_text(text + f'certificate = "a.crt"\nprivate_key = "a.key"\nbase_url = "{base_url}"\n')
        with pytest.raises(DataError, match="base_url"):
            load_settings(path)
    with pytest.raises(UsageError, match="no settings file"):
        load_settings(tmp_path / "absent.toml")
