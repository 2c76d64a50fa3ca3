"""What must hold after a run of a campaign of kills, whatever was killed in it."""

from __future__ import annotations

import shutil
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks.fault_programs import program_for
from benchmarks.fault_region import FaultRegion
from benchmarks.fault_run import Outcome
from contracts.errors import AuditChainError, CloisterError
from contracts.sums import Arrays, State
from federated.coordinator.checkpoint import Checkpoint, replay
from federated.site.rows import load_rows
from governance.audit import Entry, read_audit
from governance.vault import Unlock, open_vault
from secure_compute.aggregate import Aggregator
from secure_compute.authority.keys import kept_runs
from secure_compute.authority.ledger import Ledger
from secure_compute.fixed_point import decode, encode, make_plan, normalise, release
from secure_compute.modular import T, centred

TORN_SECONDS = 60.0
"""Longest wait for a killed writer to be back and to cut its unfinished line."""


class FaultError(Exception):
    """Something that must hold after a run does not."""


@dataclass(frozen=True)
class Proved:
    """What is known of a run that passed its checks.

    Attributes:
        sums: that it opened.
        missed_end: sites that keep secrets of it until they join the next one.
    """

    sums: int
    missed_end: int


def check_run(region: FaultRegion, outcome: Outcome, quorum: int) -> Proved:
    """Prove all that must hold of the run that ended last.

    Raises FaultError saying what does not hold.
    """
    _require_end(region, outcome, quorum)
    checkpoint = Checkpoint(region.checkpoint)
    aggregator = Aggregator(checkpoint.descriptor, region.roster)
    run = aggregator.run.descriptor.run
    rosters = _require_plain_replay(region, checkpoint, aggregator)
    chain = _proved(region.bed.area.authority / "audit.jsonl")
    _require_opened_once(chain, run, len(rosters))
    _require_same_answers(region, run, checkpoint, len(rosters))
    for site in region.bed.sites:
        _require_one_list(site, region.bed.area.site(site).egress)
    return Proved(len(rosters), _missed_end(region, run))


def check_gone(root: Path) -> None:
    """No process of a stopped region is left. Raises FaultError."""
    left = [path.parent.name for path in Path("/proc").glob("[0-9]*/cmdline") if str(root).encode() in _words(path)]
    if left:
        raise FaultError(f"processes that are left: {', '.join(left)}")


def _require_end(region: FaultRegion, outcome: Outcome, quorum: int) -> None:
    """Every run is done; or closed by a named error, where somebody who had sent a term stayed away for good."""
    if outcome.is_hung:
        raise FaultError("the run hangs")
    if outcome.is_done:
        return
    stayed_away = any(kill.label.endswith("for good") for _, kill in outcome.kills)
    if quorum < len(region.bed.sites) and stayed_away and outcome.error == "QuorumError":
        return
    raise FaultError(f"the run ended with {outcome.error}: {outcome.message}")


def _require_plain_replay(region: FaultRegion, checkpoint: Checkpoint, aggregator: Aggregator) -> list[tuple[str, ...]]:
    """The totals are, bit by bit, the plain sums over the rosters that they name; returns those."""
    program = program_for(region.task)
    rows = {site: _rows(region, site) for site in region.bed.sites}
    state = program.initial()
    rosters: list[tuple[str, ...]] = []
    while (signed := checkpoint.total(len(rosters))) is not None:
        total = aggregator.accept_total(signed)
        plan = make_plan(program.layout(state), len(region.roster.sites))
        sites = total.header.sites
        summed = sum(encode(plan, program.term(rows[site], state))[0].astype(np.uint64) for site in sites) % T
        plain = release(plan, normalise(plan, centred(np.asarray(summed, np.uint64)).ravel()[: plan.slots]))
        if not np.array_equal(plain, total.slots):
            raise FaultError(f"total {len(rosters)} is not the plain sum of {', '.join(sites)}")
        state = program.advance(state, decode(plan, plain))
        rosters.append(sites)
    _require_same(state, replay(region.checkpoint, program, region.roster))
    return rosters


def _require_same(plain: State, replayed: State) -> None:
    for name in plain.keys() | replayed.keys():
        mine, theirs = np.asarray(plain[name]), np.asarray(replayed[name])
        if mine.dtype != theirs.dtype or mine.tobytes() != theirs.tobytes():
            raise FaultError(f"'{name}' of the state is not what the plain replay gives")


def _rows(region: FaultRegion, site: str) -> Arrays:
    snapshot = load_rows(region.bed.area.site(site), region.task)
    assert snapshot is not None
    return snapshot.rows


def _proved(path: Path) -> list[Entry]:
    """The entries of a chain that another process may be writing. Raises FaultError when it is broken."""
    end = time.monotonic() + TORN_SECONDS
    while True:
        try:
            return list(read_audit(path))
        except AuditChainError as error:
            if time.monotonic() > end:
                raise FaultError(str(error)) from error
            time.sleep(0.5)


def _require_opened_once(chain: Sequence[Entry], run: str, totals: int) -> None:
    opened = Counter((e.facts["run"], e.facts["round"]) for e in chain if e.event == "opened")
    intents = Counter((e.facts["run"], e.facts["round"]) for e in chain if e.event == "intent")
    if twice := [key for key, count in (opened + Counter()).items() if count > 1 or intents[key] != 1]:
        raise FaultError(f"opened more than once: {twice}")
    rounds = sorted(number for name, number in opened if name == run)
    if rounds != list(range(totals)) or len([key for key in intents if key[0] == run]) != totals:
        raise FaultError(f"the authority opened rounds {rounds}, the checkpoint has {totals} totals")
    if not any(e.event == "run_closed" and e.facts["run"] == run for e in chain):
        raise FaultError("the authority has not closed the run")


def _require_same_answers(region: FaultRegion, run: str, checkpoint: Checkpoint, totals: int) -> None:
    """The authority's stored answers are the totals; its ledger is read from a copy, for it is in use."""
    authority = region.bed.area.authority
    vault = open_vault(authority, Unlock(passphrase_file=region.bed.passphrase_file))
    with TemporaryDirectory() as folder:
        shutil.copy2(authority / "audit.jsonl", folder)
        shutil.copytree(authority / "ledger" / run, Path(folder) / "ledger" / run)
        ledger = Ledger(Path(folder), vault)
        try:
            answers = [ledger.answer(run, number) for number in range(totals + 1)]
        except CloisterError as error:
            raise FaultError(str(error)) from error
        finally:
            ledger.close()
    if answers != [checkpoint.total(number) for number in range(totals + 1)]:
        raise FaultError("a stored answer of the authority is not the total in the checkpoint")


def _require_one_list(site: str, egress: Path) -> None:
    """A site has revealed shares for one list of survivors a round, and agreed to one an attempt."""
    lists: defaultdict[tuple[object, ...], set[str]] = defaultdict(set)
    _proved(egress / "audit.jsonl")
    for entry in _proved(egress / "ledger.jsonl"):
        facts = entry.facts
        if facts.get("kind") == "share":
            lists["share", facts["run"], facts["round"]].add(facts["survivors"])
        elif facts.get("kind") == "survivors":
            lists["survivors", facts["run"], facts["round"], facts["attempt"]].add(facts["survivors"])
    if several := [key for key, found in lists.items() if len(found) > 1]:
        raise FaultError(f"'{site}' spoke for several lists of survivors: {several}")


def _missed_end(region: FaultRegion, run: str) -> int:
    """Sites that have secrets or papers of the run that ended: killed then, or too slow to hear of it. They destroy
    them when they join the next run of the task; of runs before nothing may be left, nor anything at the authority."""
    area = region.bed.area
    if kept := kept_runs(area.authority / "secrets"):
        raise FaultError(f"the authority has keys of {kept}")
    missed = 0
    for site in region.bed.sites:
        zone = area.site(site)
        left = {path.stem for path in (*(zone.secrets / "runs").glob("*"), *zone.runs.glob("*"))}
        if left - {run}:
            raise FaultError(f"'{site}' has kept secrets or papers of {sorted(left)}")
        missed += run in left
    return missed


def _words(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
