"""Numbers and truth values that are found all at once are those that JSON knows."""

from __future__ import annotations

import json

import numpy as np
import pytest

from fhir_mapping.sources.json_scalars import scalar_stops

SCALARS = [
    *("0", "-0", "7", "-12", "5.60", "0.0", "-1.50", "1E3", "1e+3", "2.5e-07", "0e0", "true", "false"),
    *("123456789012345678901234567890.125", "-0.00000000000000000000000000000000000001"),
]
OTHERS = [
    *("", "-", "00", "01", "-01", "1.", ".5", "1.e3", "1e", "1e+", "1.5.5", "--1", "+1", "1_0", "0x1", "1a", "NaN"),
    *("tru", "truex", "True", "fals", "falsee", "t", "f", "null", '"1"', "1 1", "123456789012345678901234567890x"),
]


@pytest.mark.parametrize("after", [",", "}", " ,", "  }", "\t\r}"])
def test_each_scalar_ends_where_it_ends(after: str) -> None:
    starts, text = [], ""
    for scalar in [*SCALARS, *OTHERS]:
        starts.append(len(text))
        text += scalar + after
    stops = scalar_stops(text.encode(), np.array(starts))
    found = [text[start:stop] for start, stop in zip(starts, stops.tolist(), strict=True) if stop]
    assert found == SCALARS
    assert all(json.loads(scalar) is not None for scalar in SCALARS)


@pytest.mark.parametrize("after", ["", " ", "]", "]}", "\n}", ":"])
@pytest.mark.parametrize("scalar", SCALARS)
def test_what_ends_otherwise_is_none(scalar: str, after: str) -> None:
    assert scalar_stops((scalar + after).encode(), np.array([0])).tolist() == [0]


def test_no_places_have_no_ends() -> None:
    assert scalar_stops(b"{}", np.array([], dtype=np.int64)).tolist() == []
