"""Half characters (lone surrogates) in FHIR JSON cost their record at most: not the file, not the run."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.fuzz_checks import Ended, check_converted

GOOD = b'{"resourceType":"Patient","id":"b","gender":"male"}'


@pytest.mark.parametrize(
    ("line", "mapped"),
    [
        (b'{"resourceType":"\\ud800","id":"a","active":true}', 1),
        (b'{"resourceType":"Patient","id":"a","active":true,"\\ud800":1}', 2),
        (b'{"resourceType":"' + b"x" * 100_000 + b'","id":"a"}', 1),
    ],
)
def test_a_half_character_in_a_name_leaves_the_other_lines_alone(line: bytes, mapped: int, tmp_path: Path) -> None:
    assert check_converted("fhir", line + b"\n" + GOOD + b"\n", tmp_path) == Ended(mapped, 2 - mapped)


def test_a_half_character_in_an_id_leaves_the_other_entries_alone(tmp_path: Path) -> None:
    bad = b'{"fullUrl":"\\ud800","resource":{"resourceType":"Patient","id":"\\ud800","active":true}}'
    bundle = b'{"resourceType":"Bundle","type":"collection","entry":[%s,{"resource":%s}]}' % (bad, GOOD)
    assert check_converted("fhir", bundle, tmp_path) == Ended(2, 0)
