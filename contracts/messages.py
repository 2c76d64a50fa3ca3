"""The closed list of wire messages of a secure sum, as frozen types with one canonical form (contracts.wire).

    site -> outside   KeyMessage, TermHeader (+ ciphertexts, sealed shares), SurvivorsMessage, ShareMessage (+ shares),
                      Refusal, Heartbeat                                                  nothing else (SECURE_SUM 11)
    authority -> all  RunDescriptor (+ public key, approval), SealedSeed (+ sealed seed), TotalHeader (+ totals),
                      ModelSignature (a record)
    coordinator -> authority   CreateRun, KeyBatch, OpenRequest (+ signed term headers, agreements, summed
                      ciphertexts without masks), SignModel

A header names everything it depends on by digest; ``content`` is the digest of the parts that travel with it.
Signing and checking is governance.signing's business.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from contracts.feature_spec import Frozen
from contracts.sums import Block, Layout
from contracts.wire import FrameError, canonical, digest, parse_canonical, unpack

Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Key = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
RunId = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
SiteName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")]
Count = Annotated[int, Field(ge=0, le=2**53)]
HexFloat = Annotated[str, Field(pattern=r"^-?0x[01]\.[0-9a-f]+p[+-][0-9]+$")]

NO_DIGEST = "0" * 64

SEALED_SHARE_BYTES = 51
"""A share of a self-mask's seed (SHARE_BYTES) and its ChaCha20-Poly1305 tag."""

SHARE_BYTES = 35
SEED_BYTES = 32


class RefusalCode(StrEnum):
    """Why a message was refused. The only words a refusal may carry."""

    BAD_MESSAGE = "bad_message"
    BAD_SIGNATURE = "bad_signature"
    UNKNOWN_RUN = "unknown_run"
    UNKNOWN_SITE = "unknown_site"
    WRONG_RUN = "wrong_run"
    WRONG_ROUND = "wrong_round"
    WRONG_ATTEMPT = "wrong_attempt"
    WRONG_ROSTER = "wrong_roster"
    WRONG_APPROVAL = "wrong_approval"
    WRONG_PROGRAM = "wrong_program"
    WRONG_LAYOUT = "wrong_layout"
    WRONG_STATE = "wrong_state"
    WRONG_SNAPSHOT = "wrong_snapshot"
    WRONG_KEY = "wrong_key"
    WRONG_LENGTH = "wrong_length"
    CONTENT_ALTERED = "content_altered"
    DUPLICATE = "duplicate"
    WRONG_MEMBERS = "wrong_members"
    WRONG_SURVIVORS = "wrong_survivors"
    ALREADY_REVEALED = "already_revealed"
    BAD_SHARE = "bad_share"
    ROSTER_TOO_CLOSE = "roster_too_close"
    NEAR_REPEAT = "near_repeat"
    RANGE = "range"
    QUORUM_NOT_MET = "quorum_not_met"
    APPROVAL_MISSING = "approval_missing"
    APPROVAL_EXPIRED = "approval_expired"
    APPROVAL_SPENT = "approval_spent"
    APPROVAL_REVOKED = "approval_revoked"
    APPROVAL_NOT_COUNTERSIGNED = "approval_not_countersigned"
    BILATERAL_NOT_APPROVED = "bilateral_not_approved"
    THRESHOLD_TOO_LOW = "threshold_too_low"
    TAG_FAILED = "tag_failed"
    ALREADY_OPENED = "already_opened"
    RUN_CLOSED = "run_closed"
    RUN_NOT_FINISHED = "run_not_finished"
    ALREADY_SIGNED = "already_signed"
    LEDGER_RESTORED = "ledger_restored"
    BAD_TERM = "bad_term"
    NO_DATA = "no_data"
    POLICY = "policy"
    FOREIGN_CODE = "foreign_code"
    INTERNAL = "internal"


class Header(Frozen):
    """Base of all headers: the protocol and the digest of the parts that travel with it."""

    protocol: Literal[1] = 1
    content: Digest


class Head(Frozen):
    """Where the authority's audit chain stood: number of entries and hash of the last. Sites remember it (rule 10)."""

    entries: Count
    last: Digest


class BlockRecord(Frozen):
    """A ``contracts.sums.Block`` in canonical JSON: floats as C99 hex."""

    name: Annotated[str, Field(min_length=1, max_length=128)]
    shape: tuple[Count, ...]
    bound: HexFloat
    resolution: HexFloat
    at_least: Count | None


class RunDescriptor(Header):
    """A run that the authority granted. Parts: the BFV public context, the signed approval record.

    Attributes:
        run: 16 random bytes in hex.
        approval: digest of the signed approval record.
        authority_key: X25519 public key of the authority for this run.
        head: the authority's audit head when the run was made.
    """

    kind: Literal["descriptor"] = "descriptor"
    run: RunId
    task: str
    program: Digest
    approval: Digest
    roster: Digest
    roster_version: Count
    bfv: Digest
    authority_key: Key
    head: Head


class KeyMessage(Header):
    """A site's X25519 public keys for one run. No parts.

    Attributes:
        site_key: for the exchange with the authority: seed of a_i, seal of r.
        mask_key: for the exchange with every other site: pairwise masks, sealed shares.
        remembered: the last audit head the site knows.
    """

    kind: Literal["key"] = "key"
    run: RunId
    site: SiteName
    roster: Digest
    descriptor: Digest
    site_key: Key
    mask_key: Key
    remembered: Head | None


class SealedSeed(Header):
    """The seed of r for one site (part: nonce and ChaCha20-Poly1305 text; the header is its associated data)."""

    kind: Literal["seed"] = "seed"
    run: RunId
    site: SiteName
    head: Head


class TermHeader(Header):
    """What a site says about its term (SECURE_SUM 5). Parts: its ciphertexts in order, then the sealed shares.

    By signing it the site agrees to ``members`` as survivors, should all of them contribute.

    Attributes:
        members: digest of the sites that this term is masked with and of their mask keys (``members_digest``).
        commitment: digest of the seed of the site's self-mask, by which its shares are checked.
        layout: digest of the blocks with bound (clip) and resolution; with ``sites`` it fixes the limbs.
        sites: sites of the roster, for which limbs are wide enough.
        state: digest of the public state, chained over the totals opened so far.
        snapshot: digest of the data the term was computed from.
        slots: value slots, the clipped-count slot included, tags not.
    """

    kind: Literal["term"] = "term"
    run: RunId
    round: Count
    attempt: Count
    site: SiteName
    roster: Digest
    approval: Digest
    program: Digest
    layout: Digest
    sites: Count
    state: Digest
    snapshot: Digest
    bfv: Digest
    slots: Count
    ciphertexts: Count
    members: Digest
    commitment: Digest
    shares: Count


class OfSurvivors(Header):
    """What a site says for one list of survivors. ``survivors``: digest of the list (``survivors_digest``)."""

    run: RunId
    round: Count
    attempt: Count
    site: SiteName
    members: Digest
    survivors: Digest


class SurvivorsMessage(OfSurvivors):
    """A site agrees to a list of survivors that leaves out some of ``members`` (SECURE_SUM 8). No parts."""

    kind: Literal["survivors"] = "survivors"


class ShareMessage(OfSurvivors):
    """What a site reveals for one list of survivors (SECURE_SUM 8). Part: shares, then pair seeds, concatenated.

    Attributes:
        shares: one of each survivor's self-mask, in the list's order, ``SHARE_BYTES`` each.
        seeds: of this round's pairwise mask with each member that is no survivor, in order, ``SEED_BYTES`` each.
    """

    kind: Literal["share"] = "share"
    shares: Count
    seeds: Count


class Refusal(Header):
    """A site declines. ``run`` is None before it joined one. No parts, no text."""

    kind: Literal["refusal"] = "refusal"
    run: RunId | None
    round: Count | None
    site: SiteName
    code: RefusalCode


class Heartbeat(Header):
    """A site is alive. ``number`` counts its heartbeats since it started. No parts."""

    kind: Literal["heartbeat"] = "heartbeat"
    site: SiteName
    number: Count


class OpenRequest(Header):
    """Please open this sum. Parts: a signed TermHeader frame (no ciphertexts) for each site, then the agreements
    (signed SurvivorsMessages, none when all members are survivors), then the summed ciphertexts without masks.

    Attributes:
        sites: the survivors, whose terms are in the sum.
        members: the sites whose terms were masked with one another.
    """

    kind: Literal["open"] = "open"
    run: RunId
    round: Count
    attempt: Count
    sites: tuple[SiteName, ...]
    members: tuple[SiteName, ...]
    agreements: Count
    layout: tuple[BlockRecord, ...]


class TotalHeader(Header):
    """An opened total. Part: int64 slots, little endian, canonical digits of each total (secure_compute.fixed_point).

    ``state`` is the digest before, ``next_state`` the digest after this total.
    """

    kind: Literal["total"] = "total"
    run: RunId
    round: Count
    attempt: Count
    request: Digest
    roster: Digest
    program: Digest
    sites: tuple[SiteName, ...]
    layout: tuple[BlockRecord, ...]
    state: Digest
    next_state: Digest
    head: Head


class CreateRun(Header):
    """The coordinator asks for a run. ``remembered``: the last audit head of the authority that it knows."""

    kind: Literal["create"] = "create"
    task: str
    program: Digest
    roster: Digest
    remembered: Head | None


class SignModel(Header):
    """The coordinator asks for the release signature of a model made by a finished run."""

    kind: Literal["sign_model"] = "sign_model"
    run: RunId
    card: Digest


class KeyBatch(Header):
    """Sites' KeyMessages (to the authority) or SealedSeeds (back), one part a site, in the order of ``sites``."""

    kind: Literal["keys"] = "keys"
    run: RunId
    sites: tuple[SiteName, ...]


class ModelSignature(Frozen):
    """The authority's statement that a model with this card digest came from a run it opened.

    A signed record (governance.signing.open_record, kind ``model_signature``), kept beside the model.
    ``state`` is the last state digest: with the signed totals anyone can recompute the state the model is read from.
    """

    run: RunId
    task: str
    program: Digest
    approval: Digest
    roster: Digest
    card: Digest
    rounds: Count
    state: Digest


MODEL_SIGNATURE = "model_signature"

SITE_MESSAGES: dict[str, type[Header]] = {
    "key": KeyMessage,
    "term": TermHeader,
    "survivors": SurvivorsMessage,
    "share": ShareMessage,
    "refusal": Refusal,
    "heartbeat": Heartbeat,
}
"""All that a site may send, by kind (rule 11)."""


def parse_site_message(data: bytes) -> Header:
    """The header of a site's message, signature unchecked. Raises FrameError when it is not on the closed list."""
    frame = unpack(data)
    try:
        model = SITE_MESSAGES[json.loads(frame.header)["kind"]]
    except (ValueError, KeyError, TypeError) as error:
        raise FrameError("not one of the messages a site may send") from error
    return parse_canonical(frame.header, model)


def layout_records(layout: Layout) -> tuple[BlockRecord, ...]:
    """A layout in canonical form."""
    return tuple(
        BlockRecord(
            name=block.name,
            shape=block.shape,
            bound=float(block.bound).hex(),
            resolution=float(block.resolution).hex(),
            at_least=block.at_least,
        )
        for block in layout
    )


def layout_of(records: tuple[BlockRecord, ...]) -> Layout:
    """The layout that canonical records describe. Raises FrameError for a bound or resolution that is no number > 0."""
    layout = []
    for record in records:
        bound, resolution = float.fromhex(record.bound), float.fromhex(record.resolution)
        if not (math.isfinite(bound) and bound > 0 and math.isfinite(resolution) and resolution > 0):
            raise FrameError(f"block '{record.name}': bound and resolution must be finite and > 0")
        layout.append(Block(record.name, record.shape, bound, resolution, record.at_least))
    return tuple(layout)


def layout_digest(layout: Layout) -> str:
    """What a TermHeader calls ``layout``."""
    return digest(canonical([record.model_dump(mode="json") for record in layout_records(layout)]))


def members_digest(mask_keys: Mapping[str, str]) -> str:
    """What headers call ``members``: the sites that mask with one another and their mask keys, by site."""
    return digest(b"cloister/members/1\n" + canonical([[site, mask_keys[site]] for site in sorted(mask_keys)]))


def survivors_digest(survivors: Iterable[str]) -> str:
    """What messages call ``survivors``."""
    return digest(b"cloister/survivors/1\n" + canonical(sorted(survivors)))


def first_state(program: str) -> str:
    """Digest of the public state before the first sum of a program."""
    return digest(b"cloister/state/1\n" + bytes.fromhex(program))


def next_state(state: str, layout: Layout, total: bytes | memoryview) -> str:
    """Digest of the public state after a total: the chain over layouts and opened totals, not over floats.

    It holds no run, site or time, so equal histories have equal digests in any run.
    """
    return digest(
        b"cloister/state/next/1\n"
        + bytes.fromhex(state)
        + bytes.fromhex(layout_digest(layout))
        + bytes.fromhex(digest(total))
    )
