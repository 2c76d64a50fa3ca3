"""What travels inside a Flower message: a batch of requests one way, as many frames of the closed list back.

A batch lets the rounds of several tasks share one exchange. A request is a small JSON head and named parts (frames
made by the authority). An answer is one frame of ``contracts.messages.SITE_MESSAGES`` for each request, in order, and
nothing else: no exception text, no row counts, no timing.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from flwr.app import ConfigRecord, Message, RecordDict

from contracts.errors import RefusedError
from contracts.messages import RefusalCode
from contracts.wire import canonical

RECORD = "cloister"
MESSAGE_TYPE = "query"

RequestKind = Literal["ping", "join", "round", "agree", "reveal", "end"]


@dataclass(frozen=True)
class Request:
    """The coordinator asks a site.

    Attributes:
        kind: ``ping`` (answered by a heartbeat), ``join`` (part ``descriptor``; a key), ``round`` (part ``members``,
            parts ``seed`` and ``key`` of the members until the site has them, a part ``total`` for each signed total
            the site has not acknowledged by a term, in order; a term), ``agree`` (parts ``members``, ``survivors``;
            a survivors message), ``reveal`` (parts ``members``, ``survivors``, ``sealed``: the shares of the other
            survivors, concatenated in order, parts ``agreement``; a share message), ``end`` (parts ``total``; a
            heartbeat). Any may be answered by a refusal.
        run: the run's id, as in the descriptor; empty for ``ping``.
        round, attempt: from 0.
        parts: named byte strings; a name may repeat, order counts.
    """

    kind: RequestKind
    run: str
    round: int = 0
    attempt: int = 0
    parts: tuple[tuple[str, bytes], ...] = ()

    def named(self, name: str) -> list[bytes]:
        """The parts of that name, in order."""
        return [data for key, data in self.parts if key == name]


def pack_sites(sites: Sequence[str]) -> bytes:
    """A list of sites as the part of a request."""
    return canonical(list(sites))


def unpack_sites(data: bytes) -> tuple[str, ...]:
    """The list of a part. Raises RefusedError bad_message."""
    try:
        sites = json.loads(data)
    except ValueError as error:
        raise RefusedError(RefusalCode.BAD_MESSAGE, "not a list of sites") from error
    if not isinstance(sites, list) or not all(isinstance(site, str) for site in sites):
        raise RefusedError(RefusalCode.BAD_MESSAGE, "not a list of sites")
    return tuple(sites)


def pack_requests(requests: Sequence[Request]) -> RecordDict:
    """One record for all requests; equal batches give equal bytes, which Flower uploads once for all sites."""
    heads = [[r.kind, r.run, r.round, r.attempt, [name for name, _ in r.parts]] for r in requests]
    parts = [data for request in requests for _, data in request.parts]
    return RecordDict({RECORD: ConfigRecord({"head": json.dumps(heads), "parts": parts})})


def unpack_requests(content: RecordDict) -> list[Request]:
    """The batch of a message. Raises ValueError for anything that is not one."""
    heads, parts = _field(content, "head", str), _field(content, "parts", list)
    requests, taken = [], 0
    for head in _list(json.loads(heads)):
        kind, run, round_no, attempt, names = _head(head)
        data = parts[taken : taken + len(names)]
        taken += len(names)
        requests.append(Request(kind, run, round_no, attempt, tuple(zip(names, data, strict=True))))
    if taken != len(parts):
        raise ValueError("a batch has exactly the parts its heads name")
    return requests


def pack_frames(frames: Sequence[bytes]) -> RecordDict:
    """A site's answer: one frame for each request of the batch."""
    return RecordDict({RECORD: ConfigRecord({"parts": list(frames)})})


def unpack_frames(content: RecordDict) -> list[bytes]:
    """The frames of an answer, not yet parsed. Raises ValueError for anything that is not one."""
    return list(_field(content, "parts", list))


def message_for(node_id: int, content: RecordDict, *, ttl: float, group: str) -> Message:
    """A message to one SuperNode that Flower forgets after ``ttl`` seconds (its own default is twelve hours)."""
    return Message(content, node_id, MESSAGE_TYPE, ttl=ttl, group_id=group)


def _field(content: RecordDict, name: str, kind: type) -> Any:
    record = content.get(RECORD)
    value = record.get(name) if isinstance(record, ConfigRecord) else None
    if not isinstance(value, kind) or (isinstance(value, list) and not all(isinstance(p, bytes) for p in value)):
        raise ValueError(f"no {name} of the expected kind in the message")
    return value


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError("the head of a batch is a list")
    return value


def _head(head: Any) -> tuple[RequestKind, str, int, int, list[str]]:
    """Check one request's head."""
    shape = (str, str, int, int, list)
    if not isinstance(head, list) or len(head) != len(shape):
        raise ValueError("a request's head has five fields")
    if not all(isinstance(value, kind) for value, kind in zip(head, shape, strict=True)):
        raise ValueError("a request's head has a field of another type")
    if head[0] not in get_args(RequestKind) or not all(isinstance(name, str) for name in head[4]):
        raise ValueError("a request's head names an unknown kind or part")
    return head[0], head[1], head[2], head[3], head[4]
