"""Whatever is sent: an answer of the documented kind, never a failure of the gateway, never an echo."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from gateway_region import GatewayUnderTest, make_gateway, visit
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

MARK = "mark-81549"
LEAVES = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.sampled_from([MARK, "\ud800", 1e300])
)
JSON = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
RESOURCES = st.fixed_dictionaries(
    {"resourceType": st.sampled_from(["Encounter", "Patient", "Bundle", "Observation"]), "id": st.just("e1") | JSON},
    optional={
        "subject": st.just({"reference": "Patient/p1"}) | JSON,
        "period": st.just({"start": "2026-11-20"}) | JSON,
        "reasonCode": st.just([{"text": MARK}]) | JSON,
        "birthDate": JSON,
        "gender": JSON,
        "entry": JSON,
    },
)


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> GatewayUnderTest:
    return make_gateway(Path(tmp_path_factory.mktemp("gateway")))


def _send(gateway: GatewayUnderTest, body: Any) -> httpx.Response:
    """As Python writes it: with Infinity, and with halves of surrogate pairs."""
    return gateway.call(content=json.dumps(body).encode(), headers={"Content-Type": "application/json"})


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(prefetch=st.dictionaries(st.sampled_from(["patient", "encounter", MARK]), RESOURCES | JSON, max_size=3))
def test_any_prefetch_gets_an_answer_of_the_documented_kind(
    gateway: GatewayUnderTest, prefetch: dict[str, Any]
) -> None:
    answer = _send(gateway, visit(prefetch=prefetch))
    assert answer.status_code in (200, 400, 412, 422)
    assert MARK not in answer.text


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(body=JSON | st.dictionaries(st.sampled_from(["hook", "context", "prefetch", "hookInstance", MARK]), JSON))
def test_any_json_gets_a_refusal_that_quotes_nothing(gateway: GatewayUnderTest, body: Any) -> None:
    answer = _send(gateway, body)
    assert answer.status_code in (400, 412, 422)
    assert MARK not in answer.text
