"""The page of the secure sum says what the code does."""

from __future__ import annotations

from pathlib import Path

import pytest

from governance.quorum import allowed_quorums, default_quorum, tolerance

PAGE = Path(__file__).parents[3] / "docs" / "explanation" / "secure-sum.md"
HEAD = "| sites n | quorum |"


def table() -> list[tuple[int, ...]]:
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith(HEAD)) + 2
    rows = []
    for line in lines[start:]:
        if not line.startswith("|"):
            break
        rows.append(tuple(int(cell) for cell in line.strip("|").split("|")))
    return rows


def test_the_table_of_tolerated_sites_is_that_of_the_code() -> None:
    rows = table()
    assert [row[:2] for row in rows if row[1] == default_quorum(row[0])] == [
        (3, 3), (4, 4), (10, 8), (39, 27), (390, 261),
    ]  # fmt: skip
    for sites, quorum, *rest in rows:
        found = tolerance(sites, quorum)
        assert rest == [found.drop_outs, found.with_one, found.with_both]


@pytest.mark.parametrize("sites", [3, 4, 5, 6, 7, 10, 39, 390])
def test_claims_hold_for_the_numbers_tolerated_and_for_no_more(sites: int) -> None:
    for quorum in range(default_quorum(sites), sites + 1):
        found = tolerance(sites, quorum)
        assert found.with_one == quorum - 2
        allowed = [c for c in range(sites) if c <= quorum - 2 and c < 2 * found.threshold - sites]
        assert found.with_both == max(allowed)
        # Two lists of survivors that both complete need this many different honest sites.
        assert 2 * (found.threshold - found.with_both) > sites - found.with_both
    assert str(default_quorum(sites)) in allowed_quorums(sites)
