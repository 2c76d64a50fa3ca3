"""Audit chains: whole, or the first broken entry is named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from contracts.errors import AuditChainError, UsageError
from contracts.messages import Head
from governance.audit import AuditLog, verify_audit


@pytest.fixture
def chain(tmp_path: Path) -> Path:
    path = tmp_path / "audit.jsonl"
    with AuditLog(path) as log:
        for number in range(5):
            log.append("opened", {"round": number, "sites": ["north", "south"]})
    return path


def test_a_whole_chain_is_counted(chain: Path) -> None:
    assert verify_audit(chain) == 5


def test_an_empty_chain_is_whole(tmp_path: Path) -> None:
    AuditLog(tmp_path / "audit.jsonl").close()
    assert verify_audit(tmp_path / "audit.jsonl") == 0


@pytest.mark.parametrize("number", range(5))
def test_any_changed_byte_names_its_entry(chain: Path, number: int) -> None:
    lines = chain.read_bytes().splitlines(keepends=True)
    for at in range(0, len(lines[number]) - 1, 11):
        changed = bytearray(lines[number])
        changed[at] ^= 1
        chain.write_bytes(b"".join([*lines[:number], bytes(changed), *lines[number + 1 :]]))
        with pytest.raises(AuditChainError, match=rf"entry {number} "):
            verify_audit(chain)


def test_an_entry_rewritten_with_a_fitting_hash_breaks_the_next(chain: Path, tmp_path: Path) -> None:
    lines = chain.read_bytes().splitlines(keepends=True)
    other = tmp_path / "other.jsonl"
    with AuditLog(other) as log:
        for number in range(3):
            log.append("opened", {"round": number, "sites": []})
    forged = other.read_bytes().splitlines(keepends=True)
    chain.write_bytes(b"".join([*forged, *lines[3:]]))
    with pytest.raises(AuditChainError, match="entry 3 does not follow"):
        verify_audit(chain)


@pytest.mark.parametrize("removed", range(4))
def test_a_removed_entry_is_noticed(chain: Path, removed: int) -> None:
    lines = chain.read_bytes().splitlines(keepends=True)
    chain.write_bytes(b"".join(lines[:removed] + lines[removed + 1 :]))
    with pytest.raises(AuditChainError, match=f"entry {removed} does not follow"):
        verify_audit(chain)


def test_swapped_entries_are_noticed(chain: Path) -> None:
    lines = chain.read_bytes().splitlines(keepends=True)
    chain.write_bytes(b"".join([lines[0], lines[2], lines[1], *lines[3:]]))
    with pytest.raises(AuditChainError, match="entry 1 does not follow"):
        verify_audit(chain)


def test_a_cut_end_is_noticed_by_who_remembers_it(chain: Path) -> None:
    with AuditLog(chain) as log:
        head = log.head
    assert verify_audit(chain, head) == 5
    lines = chain.read_bytes().splitlines(keepends=True)
    chain.write_bytes(b"".join(lines[:4]))
    assert verify_audit(chain) == 4
    with pytest.raises(AuditChainError, match="entry 4 is not the one remembered"):
        verify_audit(chain, head)


def test_a_torn_last_line_is_named_and_cut_by_the_next_writer(chain: Path) -> None:
    whole = chain.read_bytes()
    chain.write_bytes(whole[:-20])
    with pytest.raises(AuditChainError, match="entry 4 is an unfinished line"):
        verify_audit(chain)
    with AuditLog(chain) as log:
        assert [entry.event for entry in log.entries] == ["opened"] * 4 + ["torn_line_cut"]
        log.append("opened", {"round": 4})
    assert verify_audit(chain) == 6


def test_a_chain_contains_the_heads_it_had_and_no_others(chain: Path) -> None:
    with AuditLog(chain) as log:
        heads = [Head(entries=entry.number + 1, last=entry.hash) for entry in log.entries]
        assert all(log.contains(head) for head in heads)
        assert not log.contains(Head(entries=6, last=heads[-1].last))
        assert not log.contains(Head(entries=3, last=heads[3].last))


def test_a_broken_chain_takes_no_further_entry(chain: Path) -> None:
    chain.write_bytes(chain.read_bytes().replace(b'"round":2', b'"round":9'))
    with pytest.raises(AuditChainError, match="entry 2 was altered"):
        AuditLog(chain)


def test_a_chain_has_one_writer(chain: Path) -> None:
    with AuditLog(chain), pytest.raises(UsageError, match="another process"):
        AuditLog(chain)


def test_floats_stay_out_of_the_chain(chain: Path) -> None:
    with AuditLog(chain) as log, pytest.raises(ValueError, match="no floats"):
        log.append("opened", {"seconds": 1.5})


def test_entries_are_json_lines_for_people_to_read(chain: Path) -> None:
    entry = json.loads(chain.read_text().splitlines()[1])
    assert (entry["number"], entry["event"], entry["facts"]["round"]) == (1, "opened", 1)


def test_no_chain_is_wrong_use(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no audit chain"):
        verify_audit(tmp_path / "nothing.jsonl")
