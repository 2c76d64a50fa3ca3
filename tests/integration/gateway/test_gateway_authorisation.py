"""Who may call: a registered clinic, with a fresh token for this endpoint, once."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import jwt
import pytest
from gateway_region import URL, GatewayUnderTest, make_gateway, visit

from gateway.clinics import key_file, register_clinic, remove_clinic
from gateway.tokens import load_clinic_key, make_clinic_key, make_token

ENDPOINT = f"{URL}/cds-services/triage"


@pytest.fixture
def gateway(tmp_path: Path) -> GatewayUnderTest:
    return make_gateway(tmp_path)


def _post(gateway: GatewayUnderTest, authorization: str | None) -> tuple[int, str]:
    headers = {} if authorization is None else {"Authorization": authorization}
    answer = gateway.ask("POST", "/cds-services/triage", json=visit(), headers=headers)
    if answer.status_code == 401:
        assert answer.headers["www-authenticate"] == "Bearer"
    return answer.status_code, answer.text


def _signed(
    gateway: GatewayUnderTest, algorithm: str = "ES384", header: dict[str, Any] | None = None, **claims: Any
) -> str:
    """A token of the clinic with claims replaced, or left out when None."""
    key = load_clinic_key(key_file(gateway.folder, "east"))
    now = int(time.time())
    body = {"iss": key.issuer, "aud": ENDPOINT, "iat": now, "exp": now + 60, "jti": f"{time.monotonic_ns()}", **claims}
    body = {name: value for name, value in body.items() if value is not None}
    return jwt.encode(body, key.private_key, algorithm, headers={"kid": key.kid, **(header or {})})


def test_a_fresh_token_is_taken_once(gateway: GatewayUnderTest) -> None:
    token = gateway.token()
    assert _post(gateway, f"Bearer {token}")[0] == 200
    status, said = _post(gateway, f"Bearer {token}")
    assert status == 401
    assert "used before" in said


def test_a_used_token_stays_used_after_a_restart(gateway: GatewayUnderTest, tmp_path: Path) -> None:
    from gateway.replay import UsedTokens

    now = time.time()
    first = UsedTokens(tmp_path / "used", now)
    assert first.take("east\n1", now + 60, now)
    first.close()
    again = UsedTokens(tmp_path / "used", now + 1)
    assert not again.take("east\n1", now + 60, now + 1)
    assert again.take("east\n2", now + 60, now + 1)
    again.close()
    later = UsedTokens(tmp_path / "used", now + 61)
    assert (tmp_path / "used").read_text() == ""
    later.close()


@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Bearer ", "Basic abc", "Bearer not.a.token", "Bearer " + "x" * 9000]
)
def test_without_a_token_there_is_no_answer(gateway: GatewayUnderTest, header: str | None) -> None:
    assert _post(gateway, header)[0] == 401


def test_an_expired_token_is_refused(gateway: GatewayUnderTest) -> None:
    token = gateway.token()
    gateway.offset[0] = 60 + 31
    status, said = _post(gateway, f"Bearer {token}")
    assert (status, "expired" in said) == (401, True)


def test_a_clock_that_is_off_by_seconds_is_forgiven_and_by_minutes_not(gateway: GatewayUnderTest) -> None:
    now = int(time.time())
    assert _post(gateway, f"Bearer {_signed(gateway, iat=now + 20, exp=now + 80)}")[0] == 200
    status, said = _post(gateway, f"Bearer {_signed(gateway, iat=now + 200, exp=now + 260)}")
    assert (status, "future" in said) == (401, True)


def test_a_token_that_lives_long_is_refused(gateway: GatewayUnderTest) -> None:
    now = int(time.time())
    status, said = _post(gateway, f"Bearer {_signed(gateway, iat=now, exp=now + 301)}")
    assert (status, "at most 300 seconds" in said) == (401, True)


def test_a_token_for_another_endpoint_is_refused(gateway: GatewayUnderTest) -> None:
    for audience in (
        URL,
        f"{URL}/cds-services",
        f"{ENDPOINT}/feedback",
        "https://elsewhere.example/cds-services/triage",
    ):
        assert _post(gateway, f"Bearer {_signed(gateway, aud=audience)}")[0] == 401
    assert _post(gateway, f"Bearer {_signed(gateway, aud=[ENDPOINT])}")[0] == 200


@pytest.mark.parametrize("claim", ["iss", "aud", "iat", "exp", "jti"])
def test_a_token_without_a_required_claim_is_refused(gateway: GatewayUnderTest, claim: str) -> None:
    assert _post(gateway, f"Bearer {_signed(gateway, **dict[str, Any]({claim: None}))}")[0] == 401


@pytest.mark.parametrize("claims", [{"exp": "soon"}, {"iat": True}, {"jti": ""}, {"jti": "x" * 300}, {"exp": 1e400}])
def test_a_claim_of_the_wrong_kind_is_refused(gateway: GatewayUnderTest, claims: dict[str, Any]) -> None:
    assert _post(gateway, f"Bearer {_signed(gateway, **claims)}")[0] == 401


def test_a_foreign_key_under_a_clinics_name_is_refused(gateway: GatewayUnderTest) -> None:
    ours = load_clinic_key(key_file(gateway.folder, "east"))
    foreign = make_clinic_key(ours.issuer)
    assert _post(gateway, f"Bearer {make_token(foreign, ENDPOINT)}")[0] == 401
    stolen_name = type(foreign)(ours.issuer, ours.kid, foreign.private_key)
    status, said = _post(gateway, f"Bearer {make_token(stolen_name, ENDPOINT)}")
    assert (status, "signature" in said) == (401, True)


def test_an_unregistered_clinic_is_refused(gateway: GatewayUnderTest) -> None:
    status, said = _post(gateway, f"Bearer {make_token(make_clinic_key('urn:cloister:clinic:west'), ENDPOINT)}")
    assert (status, "not a registered clinic" in said) == (401, True)


def test_unsigned_and_shared_key_tokens_are_refused(gateway: GatewayUnderTest) -> None:
    key = load_clinic_key(key_file(gateway.folder, "east"))
    now = int(time.time())
    claims = {"iss": key.issuer, "aud": ENDPOINT, "iat": now, "exp": now + 60, "jti": "1"}
    unsigned = jwt.encode(claims, "", "none", headers={"kid": key.kid})
    assert _post(gateway, f"Bearer {unsigned}")[0] == 401
    # the well-known trick: HMAC keyed with what is public
    public = "x" * 64
    assert _post(gateway, f"Bearer {jwt.encode(claims, public, 'HS384', headers={'kid': key.kid})}")[0] == 401


def test_an_altered_token_is_refused(gateway: GatewayUnderTest) -> None:
    head, body, signature = gateway.token().split(".")
    for token in (f"{head}.{body[:-4]}AAAA.{signature}", f"{head}.{body}.", f"{head}.{body}.{signature[:-8]}AAAAAAAA"):
        assert _post(gateway, f"Bearer {token}")[0] == 401


def test_a_removed_clinic_is_refused_at_once_and_a_new_one_heard(gateway: GatewayUnderTest) -> None:
    token = gateway.token()
    register_clinic(gateway.folder, "west")
    assert _post(gateway, f"Bearer {gateway.token(clinic='west')}")[0] == 200
    remove_clinic(gateway.folder, "east")
    assert _post(gateway, f"Bearer {token}")[0] == 401


def test_a_token_says_nothing_about_services_before_it_is_good(gateway: GatewayUnderTest) -> None:
    assert gateway.ask("POST", "/cds-services/unknown", json={}).status_code == 401
    assert gateway.ask("POST", "/cds-services/unknown/feedback", json={}).status_code == 401
