"""The drill on a ledger of real runs: it holds for a sound authority and fails, by name, for one that is not."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from secure_region import SecureRegion

from contracts.errors import CloisterError, exit_code
from contracts.sums import Block
from governance import vault
from governance.files import write_durable
from pipelines.cli.main import cli

LAYOUT = (Block("count", (3,), 100.0),)
SITES = ("east", "north", "south")
TERMS = {site: {"count": np.ones(3)} for site in SITES}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A work directory whose authority opened sums in two runs; one is under way."""
    work = tmp_path_factory.mktemp("drill") / "work"
    region = SecureRegion(work, SITES)
    with region.authority() as authority:
        finished = region.start(authority)
        for _ in range(2):
            finished.open(LAYOUT, TERMS)
        authority.close_run(finished.run)
        region.start(authority).open(LAYOUT, TERMS)
    write_durable(work / "pki" / "roster.json", region.signed_roster)
    write_durable(work / "pki" / "commission.pub", region.commission.public.encode())
    write_durable(work / "authority" / "unlock.toml", b'passphrase_file = "../authority.passphrase"\n')
    (work / "coordinator").mkdir()
    shutil.move(work / "coordinator.head", work / "coordinator" / "authority.memory")
    for site in SITES:
        (work / "sites" / site / "secrets").mkdir(parents=True)
        shutil.move(work / site / "authority.head", work / "sites" / site / "secrets" / "authority.memory")
    return work


@pytest.fixture
def work(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(vault.Vault.wrapped, "__defaults__", (2,))
    shutil.copytree(made, tmp_path / "work")
    return tmp_path / "work"


def drill(work: Path) -> tuple[int, list[str], str]:
    """Exit code, what was printed, the error's line."""
    result = CliRunner().invoke(cli, ["authority", "drill", "--work", str(work)], standalone_mode=False)
    if result.exception is None:
        return 0, result.output.splitlines(), ""
    assert isinstance(result.exception, CloisterError), result.exception
    return exit_code(result.exception), result.output.splitlines(), str(result.exception)


def failed(lines: list[str]) -> list[str]:
    return [line for line in lines if line.startswith("FAILED")]


def files_of(work: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in work.rglob("*") if path.is_file()}


def answers_of(work: Path) -> list[Path]:
    return sorted((work / "authority" / "ledger").rglob("total-*.sealed"))


def test_a_sound_authority_passes_and_is_not_touched(work: Path) -> None:
    before = files_of(work)
    code, lines, _ = drill(work)
    assert code == 0 and failed(lines) == []
    text = "\n".join(lines)
    assert "3 stored answers decrypt" in text
    assert "another request for an opened sum is refused: already_opened" in text
    assert "fewer than somebody remembers, is refused: ledger_restored" in text
    assert text.count("the restored ledger is accepted") == 1 + len(SITES)
    assert "cloister key restore authority" in text and lines[-1] == "the drill held"
    assert files_of(work) == before


def test_an_altered_answer_fails_the_drill(work: Path) -> None:
    answer = answers_of(work)[0]
    data = bytearray(answer.read_bytes())
    data[40] ^= 1
    answer.write_bytes(data)
    code, lines, error = drill(work)
    assert code == 5 and "1 steps of the drill failed" in error
    assert any("was altered" in line for line in failed(lines))


def test_a_lost_answer_fails_the_drill(work: Path) -> None:
    answers_of(work)[0].unlink()
    code, lines, _ = drill(work)
    assert code == 5 and "stored answers decrypt" in failed(lines)[0]


def test_two_answers_in_each_others_place_fail_the_drill(work: Path) -> None:
    second = next(path for path in answers_of(work) if path.name == "total-1.sealed")
    first = second.with_name("total-0.sealed")
    one, other = first.read_bytes(), second.read_bytes()
    first.write_bytes(other)
    second.write_bytes(one)
    code, lines, _ = drill(work)
    assert code == 5 and len(failed(lines)) == 2


def test_an_altered_chain_fails_the_drill(work: Path) -> None:
    chain = work / "authority" / "audit.jsonl"
    chain.write_bytes(chain.read_bytes().replace(b'"site":"east"', b'"site":"wurst"', 1))
    code, lines, _ = drill(work)
    assert code == 5 and "was altered" in failed(lines)[0]


def test_a_ledger_that_was_restored_from_an_old_copy_fails_the_drill(work: Path) -> None:
    chain = work / "authority" / "audit.jsonl"
    chain.write_bytes(b"".join(chain.read_bytes().splitlines(keepends=True)[:5]))
    code, lines, _ = drill(work)
    assert code == 5
    assert {line.split(" remembers")[0] for line in failed(lines) if "remembers entry" in line} >= {
        f"FAILED  site {site}" for site in SITES
    }


def test_a_lost_storage_key_fails_the_drill(work: Path) -> None:
    (work / "authority" / "secrets" / "storage.key").unlink()
    code, lines, _ = drill(work)
    assert code == 5 and sum("was altered" in line for line in failed(lines)) == 3


def test_without_the_passphrase_nothing_is_drilled(work: Path) -> None:
    (work / "authority.passphrase").unlink()
    code, lines, error = drill(work)
    assert (code, lines) == (4, []) and "no passphrase file" in error
    assert not list(work.glob(".drill-*"))
